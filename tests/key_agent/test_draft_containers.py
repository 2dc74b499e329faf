"""Several documents in a container: all that are shown are signed, and no other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from kernel.refusals import Refusal
from key_agent.drafts import Draft, check_draft
from signing_service.formats.asic import manifest as asic_manifest
from signing_service.formats.asic import writing as asic_writing
from tests.key_agent.draft_manners import (
    ASIC_E,
    CADES,
    CLAIMS,
    MANNERS,
    XADES,
    drafted,
)
from tests.key_agent.test_drafts import DECLARATION, OTHER
from tests.signing_service.formats.hostile import (
    CMS,
    XML,
    slipping_in,
)
from tests.software_keys import Identity

CONTRACT, LETTER = b"a contract of ten pages", b"a letter"
SEVERAL = ("ASiC-E with CAdES", "ASiC-E with XAdES")


def check_several(
    name: str, documents: Sequence[bytes], asked: tuple[bytes, bytes], by: Identity
) -> Draft:
    document, *beside = documents
    to_be_signed, draft = asked
    return check_draft(ASIC_E, document, to_be_signed, draft, by.certificate, by.key.suite, beside)


@pytest.mark.parametrize("name", SEVERAL)
def test_every_document_of_a_container_is_told_by_its_name(name: str, signer: Identity) -> None:
    manner = replace(MANNERS[name], claims=CLAIMS)
    more = {"合同.txt": CONTRACT, "papers/letter.txt": LETTER}
    asked = drafted(manner, DECLARATION, signer, more)
    told = check_several(name, (DECLARATION, CONTRACT, LETTER), asked, signer)
    assert told.names == ("entry.xml", "合同.txt", "papers/letter.txt")
    assert told.evidence.roles == ("申报员",)


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize(
    "shown",
    [
        (DECLARATION,),
        (DECLARATION, CONTRACT),
        (DECLARATION, LETTER, CONTRACT),
        (DECLARATION, CONTRACT, LETTER, LETTER),
        (DECLARATION, CONTRACT, b"another letter"),
        (OTHER, CONTRACT, LETTER),
    ],
)
def test_other_documents_than_those_shown_are_not_signed(
    name: str, shown: Sequence[bytes], signer: Identity
) -> None:
    more = {"contract.txt": CONTRACT, "letter.txt": LETTER}
    asked = drafted(MANNERS[name], DECLARATION, signer, more)
    with pytest.raises(Refusal, match=r"draft\.other-document"):
        check_several(name, shown, asked, signer)


def test_a_document_that_is_in_the_container_and_not_in_the_manifest_is_told(
    signer: Identity,
) -> None:
    """Shown it would be, but not signed: the user would think that it was."""
    honest = asic_manifest.write_manifest

    def without_one(signed_by: str, files: Mapping[str, bytes], **means: Any) -> bytes:
        return honest(signed_by, {"entry.xml": files["entry.xml"]}, **means)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asic_writing, "write_manifest", without_one)
        asked = drafted(MANNERS[SEVERAL[0]], DECLARATION, signer, {"contract.txt": CONTRACT})
    with pytest.raises(Refusal, match=r"draft\."):
        check_several(SEVERAL[0], (DECLARATION, CONTRACT), asked, signer)


@pytest.mark.parametrize("name", ["CAdES enveloping", "XAdES detached", "JAdES detached"])
def test_only_a_container_holds_several(name: str, signer: Identity) -> None:
    to_be_signed, draft = drafted(MANNERS[name], DECLARATION, signer)
    with pytest.raises(Refusal, match=r"draft\.other-document"):
        check_draft(
            MANNERS[name].format, DECLARATION, to_be_signed, draft, signer.certificate,
            signer.key.suite, [DECLARATION],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "way"),
    [*((SEVERAL[0], way) for way in CMS), *((SEVERAL[1], way) for way in XML)],
)
def test_nothing_more_is_signed_beside_several_documents(
    name: str, way: str, signer: Identity
) -> None:
    with slipping_in(XADES if name == SEVERAL[1] else CADES, way):
        asked = drafted(MANNERS[name], DECLARATION, signer, {"contract.txt": CONTRACT})
    with pytest.raises(Refusal, match=r"draft\.more-than-the-document"):
        check_several(name, (DECLARATION, CONTRACT), asked, signer)
