"""What the agent signs in each packaging: honest drafts pass, and nothing else is signed."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from signing_service.formats.asic import manifest as asic_manifest
from signing_service.formats.asic import writing as asic_writing
from signing_service.formats.claims import PROOF_OF_APPROVAL
from signing_service.formats.draft import draft_of
from signing_service.formats.jades import whole as jades
from signing_service.formats.manner import Act, Manner
from signing_service.validation.evidence import Packaging
from tests.key_agent.draft_manners import (
    ASIC_E,
    ASIC_S,
    CADES,
    CLAIMS,
    JADES,
    MANNERS,
    XADES,
    check,
    code_of,
    drafted,
)
from tests.key_agent.test_drafts import DECLARATION, NOW, OTHER
from tests.signing_service.formats.hostile import (
    CMS,
    JWS,
    XML,
    slipping_in,
)
from tests.software_keys import Identity


@pytest.mark.parametrize("name", MANNERS)
def test_an_honest_draft_passes_and_tells_the_name_it_signs(name: str, signer: Identity) -> None:
    manner = replace(MANNERS[name], claims=CLAIMS)
    told = check(manner, DECLARATION, drafted(manner, DECLARATION, signer), signer)
    assert told.evidence.commitment == PROOF_OF_APPROVAL
    assert told.evidence.roles == ("申报员",)
    assert told.name == (None if "enveloping" in name else "entry.xml")


@pytest.mark.parametrize("name", MANNERS)
def test_another_document_is_not_signed(name: str, signer: Identity) -> None:
    asked = drafted(MANNERS[name], OTHER, signer)
    assert code_of(MANNERS[name], DECLARATION, asked, signer) == "draft.other-document"


@pytest.mark.parametrize("name", MANNERS)
def test_octets_of_another_signature_are_not_signed(name: str, signer: Identity) -> None:
    _, draft = drafted(MANNERS[name], DECLARATION, signer)
    other, _ = drafted(MANNERS[name], OTHER, signer)
    assert code_of(MANNERS[name], DECLARATION, (other, draft), signer) == "draft.other-octets"


@pytest.mark.parametrize("name", ["ASiC-E with CAdES", "ASiC-E with XAdES"])
def test_a_second_document_in_the_container_is_not_signed(name: str, signer: Identity) -> None:
    asked = drafted(MANNERS[name], DECLARATION, signer, {"contract.txt": b"I owe you a million"})
    assert code_of(MANNERS[name], DECLARATION, asked, signer) == "draft.other-document"


@pytest.mark.parametrize("name", ["XAdES detached", "JAdES detached"])
def test_a_second_document_beside_is_not_signed(name: str, signer: Identity) -> None:
    if name == "JAdES detached":
        both = {"entry.xml": DECLARATION, "contract.txt": b"I owe you a million"}
        prepared = jades.prepare(both, signer.certificate, NOW, packaging=Packaging.DETACHED)
        asked = prepared.to_be_signed, draft_of(Act.FIRST, prepared, None)
    else:
        first, draft = drafted(MANNERS[name], DECLARATION, signer)
        reference = first[first.index(b"<ds:Reference") : first.index(b"</ds:Reference>") + 15]
        second = reference.replace(b"entry.xml", b"other.xml")
        asked = first.replace(reference, reference + second), draft
    assert code_of(MANNERS[name], DECLARATION, asked, signer).startswith("draft.")


def test_a_word_in_the_manifest_is_not_signed(signer: Identity) -> None:
    """A media type and a root file are under the signature, too."""
    manner = MANNERS["ASiC-E with CAdES"]
    honest = asic_manifest.write_manifest

    def with_a_word(signed_by: str, files: Mapping[str, bytes], **means: object) -> bytes:
        said = {"mime_types": {"entry.xml": "text/i-owe-you-a-million"}}
        return honest(signed_by, files, **{**means, **said})  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asic_writing, "write_manifest", with_a_word)
        asked = drafted(manner, DECLARATION, signer)
    assert code_of(manner, DECLARATION, asked, signer) == "draft.more-than-the-document"


_SLIPPED = [
    *((name, way) for name in MANNERS if "XAdES" in name for way in XML),
    *((name, way) for name in MANNERS if "JAdES" in name for way in JWS),
    *((name, way) for name in MANNERS if "CAdES" in name for way in CMS),
]


@pytest.mark.parametrize(("name", "way"), _SLIPPED)
def test_nothing_that_is_not_shown_is_signed_beside_the_document(
    name: str, way: str, signer: Identity
) -> None:
    manner = MANNERS[name]
    kind = next(each for each in (CADES, XADES, JADES) if str(each) in name)
    with slipping_in(kind, way):
        asked = drafted(manner, DECLARATION, signer)
    assert code_of(manner, DECLARATION, asked, signer) == "draft.more-than-the-document"


def test_one_container_is_no_other(signer: Identity) -> None:
    asked = drafted(Manner(ASIC_S), DECLARATION, signer)
    assert code_of(Manner(ASIC_E), DECLARATION, asked, signer) == "draft.unreadable"
    asked = drafted(Manner(CADES), DECLARATION, signer)
    assert code_of(Manner(ASIC_S), DECLARATION, asked, signer) == "draft.unreadable"
