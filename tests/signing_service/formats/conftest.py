"""One software authority, and a timestamp authority under it, for the tests of formats."""

from pathlib import Path

import pytest

from kernel.clock import SystemClock
from kernel.entropy import SystemEntropy
from signing_service.timestamping.authority import TimestampAuthority
from signing_service.timestamping.client import LocalTimestamper
from tests.software_keys import Identity, SoftwareAuthority


@pytest.fixture(scope="session")
def software_authority() -> SoftwareAuthority:
    return SoftwareAuthority()


@pytest.fixture(scope="session")
def signer(software_authority: SoftwareAuthority) -> Identity:
    return software_authority.signer()


@pytest.fixture(scope="session")
def timestamper(software_authority: SoftwareAuthority) -> LocalTimestamper:
    tsa = software_authority.timestamp_authority()
    return LocalTimestamper(
        TimestampAuthority(
            tsa.key, tsa.certificate, tsa.chain, "1.3.6.1.4.1.99999.1", SystemClock(),
            SystemEntropy(),
        )
    )  # fmt: skip


@pytest.fixture(scope="session")
def declaration() -> bytes:
    return (Path(__file__).parents[2] / "samples" / "dec-import.xml").read_bytes()


@pytest.fixture(scope="session")
def inventory() -> bytes:
    return (Path(__file__).parents[2] / "samples" / "ceb621.xml").read_bytes()
