"""A container that several of the tests read and damage."""

import pytest

from tests.signing_service.formats.asic.containers import ASIC_S, sign
from tests.software_keys import Identity, SoftwareAuthority


@pytest.fixture(scope="module")
def signed(signer: Identity, software_authority: SoftwareAuthority) -> bytes:
    return sign(signer, software_authority, ASIC_S)
