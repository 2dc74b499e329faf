"""What a PDF's signature says beside the document's text: told whole, or not signed."""

from typing import Any

import pytest

from signing_service.formats import making
from signing_service.formats.draft import draft_of
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.pades import writing as pades_writing
from signing_service.formats.pades.pdf.locks import Lock, LockAction
from signing_service.formats.pades.pdf.syntax import Name, text_string
from signing_service.formats.pades.whole import Certification, Placement, Seal
from signing_service.formats.recognition import read_signatures
from tests.key_agent.draft_manners import PADES, check, code_of
from tests.key_agent.test_drafts import NOW, PDF
from tests.signing_service.formats.hostile import (
    LOCKED_PDF,
    LOCKS,
    UNLOCKED_PDF,
    locking,
)
from tests.software_keys import Identity

SEAL = Seal((60, 60, 360, 200), 0, ("电子签章",))
SAID = Placement(
    seal=SEAL, reason="同意", location="Ningbo", contact="0574-0000",
)  # fmt: skip


def in_pdf(placement: Placement, by: Identity, pdf: bytes = PDF) -> tuple[bytes, bytes]:
    manner = Manner(PADES, placement=placement)
    prepared = making.prepare(manner, Subject.of(pdf), by.certificate, NOW)
    return prepared.to_be_signed, draft_of(Act.FIRST, prepared, None)


def test_reason_place_contact_and_seal_are_told(signer: Identity) -> None:
    told = check(Manner(PADES), PDF, in_pdf(SAID, signer), signer).pdf
    assert told is not None
    assert (told.reason, told.location, told.contact) == ("同意", "Ningbo", "0574-0000")
    assert told.seal is not None
    assert (told.seal.page, told.seal.pages, told.seal.rectangle) == (1, 1, (60, 60, 360, 200))


def test_an_invisible_signature_says_nothing(signer: Identity) -> None:
    told = check(Manner(PADES), PDF, in_pdf(Placement(), signer), signer).pdf
    assert told is not None
    assert (told.reason, told.location, told.contact, told.seal) == (None,) * 4


@pytest.mark.parametrize("certification", Certification)
def test_a_certification_is_told(certification: Certification, signer: Identity) -> None:
    asked = in_pdf(Placement(certification=certification), signer)
    told = check(Manner(PADES), PDF, asked, signer).pdf
    assert told is not None
    assert told.certification == int(certification)


def test_only_the_first_signature_certifies(signer: Identity) -> None:
    first = making.prepare(Manner(PADES), Subject.of(PDF), signer.certificate, NOW)
    signed = making.finish(Act.FIRST, first, signer.key.sign(first.to_be_signed), None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pades_writing, "_check_permitted", lambda *_: None)
        placement = Placement(certification=Certification.NO_CHANGES)
        prepared = making.prepare(
            Manner(PADES, placement=placement), Subject.of(signed), signer.certificate, NOW
        )
    asked = prepared.to_be_signed, draft_of(Act.FIRST, prepared, None)
    assert code_of(Manner(PADES), signed, asked, signer).startswith("draft.")


@pytest.mark.parametrize("way", ["catalog", "signature", "another", "twice", "permissions"])
def test_a_certification_that_is_half_said_is_not_made(way: str, signer: Identity) -> None:
    """In the catalog alone, in the signature alone, of another signature, with two sets of
    permissions, and with something beside it in the catalog."""
    honest = pades_writing._certify

    def hostile(update: Any, signature: dict[str, Any], reference: Any, *rest: Any) -> None:
        honest(update, signature, reference, *rest)
        root = update.revision.root
        catalog = dict(update.get(root))
        if way == "catalog":
            del signature["Reference"]
        elif way == "signature":
            update.put(root, {each: catalog[each] for each in catalog if each != "Perms"})
        elif way == "another":
            update.put(root, {**catalog, "Perms": {"DocMDP": update.revision.root}})
        elif way == "twice":
            other = {"Type": Name("TransformParams"), "P": 3}
            signature["Reference"] = [
                *signature["Reference"],
                {**signature["Reference"][0], "TransformParams": other},
            ]
        else:
            update.put(root, {**catalog, "Perms": {"DocMDP": reference, "UR3": reference}})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pades_writing, "_certify", hostile)
        asked = in_pdf(Placement(certification=Certification.NO_CHANGES), signer)
    assert code_of(Manner(PADES), PDF, asked, signer).startswith("draft.")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Prop_Build", {"App": {"Name": text_string("I owe you a million")}}),
        ("Name", text_string("somebody else")),
        ("Reason", b"I owe \x80\xff"),
        ("M", b"I owe you a million"),
        ("Pay", 1_000_000),
    ],
)
def test_what_the_agent_cannot_tell_is_not_signed_in_a_pdf(
    key: str, value: object, signer: Identity
) -> None:
    honest = pades_writing.write_signature

    def with_more(update: object, reference: object, signature: dict[str, object], *rest: object):  # type: ignore[no-untyped-def]
        return honest(update, reference, {**signature, key: value}, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pades_writing, "write_signature", with_more)
        asked = in_pdf(Placement(), signer)
    (evidence,) = read_signatures(asked[1], None)
    assert evidence.covers_document, "as a signature it reads well"
    assert code_of(Manner(PADES), PDF, asked, signer) == "draft.more-than-the-document"


def test_a_word_in_the_signature_field_is_not_signed(signer: Identity) -> None:
    honest = pades_writing._put_field
    with pytest.MonkeyPatch.context() as patch:

        def with_a_tip(update: object, *rest: object) -> None:
            honest(update, *rest)  # type: ignore[arg-type]
            for reference, value in list(update._objects.items()):  # type: ignore[attr-defined]
                if isinstance(value, dict) and "FT" in value:
                    update.put(reference, {**value, "TU": text_string("I owe you a million")})  # type: ignore[attr-defined]

        patch.setattr(pades_writing, "_put_field", with_a_tip)
        asked = in_pdf(SAID, signer)
    assert code_of(Manner(PADES), PDF, asked, signer) == "draft.more-than-the-document"


@pytest.mark.parametrize("certification", [None, Certification.FILLING_IN])
def test_what_the_document_says_of_the_field_is_locked_and_told(
    certification: Certification | None, signer: Identity
) -> None:
    asked = in_pdf(Placement("approval", certification=certification), signer, LOCKED_PDF)
    told = check(Manner(PADES), LOCKED_PDF, asked, signer).pdf
    assert told is not None
    assert told.lock == Lock(LockAction.INCLUDE, (b"amount", b"price"))
    assert told.lock.fields == ("amount", "price")


def test_where_the_document_says_nothing_nothing_is_locked(signer: Identity) -> None:
    for placement, pdf in ((Placement("approval"), UNLOCKED_PDF), (Placement(), LOCKED_PDF)):
        told = check(Manner(PADES), pdf, in_pdf(placement, signer, pdf), signer).pdf
        assert told is not None
        assert told.lock is None


@pytest.mark.parametrize("way", LOCKS)
def test_fields_that_the_document_does_not_say_are_not_locked(way: str, signer: Identity) -> None:
    pdf, field, parameters = LOCKS[way]
    with locking(parameters):
        asked = in_pdf(Placement(field), signer, pdf)
    (evidence,) = read_signatures(asked[1], None)
    assert evidence.covers_document, "as a signature it reads well"
    assert code_of(Manner(PADES), pdf, asked, signer) == "draft.more-than-the-document"


def test_a_lock_that_comes_with_its_field_is_not_signed(signer: Identity) -> None:
    with locking({"Action": Name("All")}, in_the_field=True):
        asked = in_pdf(Placement(), signer)
    assert code_of(Manner(PADES), PDF, asked, signer) == "draft.more-than-the-document"
