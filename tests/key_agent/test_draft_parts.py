"""A part of an XML document: it alone is shown and signed."""

from dataclasses import replace

import pytest

from signing_service.formats.claims import PROOF_OF_APPROVAL
from signing_service.formats.manner import Manner
from signing_service.validation.evidence import Packaging
from tests.key_agent.draft_manners import CLAIMS, XADES, check, code_of, drafted
from tests.signing_service.formats.hostile import (
    XML,
    slipping_in,
)
from tests.software_keys import Identity

PARTS = (
    b'<papers xmlns="urn:x"><offer Id="offer"><price>100</price></offer>'
    b'<note Id="note">not signed</note></papers>'
)
PART = Manner(XADES, packaging=Packaging.INTERNALLY_DETACHED, target="offer")


def test_a_part_is_told_and_nothing_else_of_the_file(signer: Identity) -> None:
    manner = replace(PART, claims=CLAIMS)
    told = check(manner, PARTS, drafted(manner, PARTS, signer), signer)
    assert told.part == b'<offer xmlns="urn:x" Id="offer"><price>100</price></offer>'
    assert told.names == ("#offer",)
    assert told.evidence.commitment == PROOF_OF_APPROVAL


@pytest.mark.parametrize(
    "other",
    [
        PARTS.replace(b"100", b"999"),
        PARTS.replace(b"not signed", b"something else"),
        PARTS.replace(b"<papers", b"<papers a='b'"),
        PARTS.replace(b"</papers>", b"<more/></papers>"),
    ],
)
def test_a_part_of_another_file_is_not_signed(other: bytes, signer: Identity) -> None:
    asked = drafted(PART, other, signer)
    assert code_of(PART, PARTS, asked, signer) == "draft.other-document"


def test_two_elements_of_one_identifier_are_not_signed(signer: Identity) -> None:
    asked = drafted(PART, PARTS, signer)
    doubled = PARTS.replace(b'Id="note"', b'Id="offer"')
    assert code_of(PART, doubled, asked, signer).startswith("draft.")
    both = asked[0], asked[1].replace(b'Id="note"', b'Id="offer"')
    assert code_of(PART, doubled, both, signer).startswith("draft.")


def test_octets_of_another_part_are_not_signed(signer: Identity) -> None:
    _, draft = drafted(PART, PARTS, signer)
    other, _ = drafted(replace(PART, target="note"), PARTS, signer)
    assert code_of(PART, PARTS, (other, draft), signer) == "draft.other-octets"


@pytest.mark.parametrize("way", XML)
def test_nothing_more_is_signed_beside_a_part(way: str, signer: Identity) -> None:
    with slipping_in(XADES, way):
        asked = drafted(PART, PARTS, signer)
    assert code_of(PART, PARTS, asked, signer) == "draft.more-than-the-document"
