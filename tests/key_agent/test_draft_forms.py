"""Every form of signature that the agent makes, and what a hostile service may try in each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from kernel.refusals import Refusal
from key_agent.drafts import Draft, check_counter_draft, check_draft
from signing_service.formats import making
from signing_service.formats.asic import manifest as asic_manifest
from signing_service.formats.asic import writing as asic_writing
from signing_service.formats.claims import PROOF_OF_APPROVAL, Claims
from signing_service.formats.draft import draft_of
from signing_service.formats.jades import whole as jades
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.pades import writing as pades_writing
from signing_service.formats.pades.pdf.locks import Lock, LockAction
from signing_service.formats.pades.pdf.syntax import Name, text_string
from signing_service.formats.pades.whole import Certification, Placement, Seal
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import Packaging, SignatureFormat
from tests.key_agent.test_drafts import DECLARATION, NOW, OTHER, PDF
from tests.signing_service.formats.hostile import (
    CMS,
    JWS,
    LOCKED_PDF,
    LOCKS,
    UNLOCKED_PDF,
    XML,
    locking,
    slipping_in,
)
from tests.software_keys import Identity, SoftwareAuthority

CADES, XADES, JADES = SignatureFormat.CADES, SignatureFormat.XADES, SignatureFormat.JADES
ASIC_S, ASIC_E, PADES = SignatureFormat.ASIC_S, SignatureFormat.ASIC_E, SignatureFormat.PADES
CLAIMS = Claims(commitment=PROOF_OF_APPROVAL, roles=("申报员",))
MANNERS = {
    "CAdES enveloping": Manner(CADES, packaging=Packaging.ENVELOPING),
    "XAdES enveloping": Manner(XADES, packaging=Packaging.ENVELOPING),
    "XAdES detached": Manner(XADES, packaging=Packaging.DETACHED),
    "JAdES detached": Manner(JADES, packaging=Packaging.DETACHED),
    "ASiC-S with XAdES": Manner(ASIC_S, inner=XADES),
    "ASiC-E with CAdES": Manner(ASIC_E),
    "ASiC-E with XAdES": Manner(ASIC_E, inner=XADES),
}
COUNTERS = {
    "CAdES": Manner(CADES),
    "CAdES enveloping": Manner(CADES, packaging=Packaging.ENVELOPING),
    "XAdES": Manner(XADES),
    "XAdES enveloping": Manner(XADES, packaging=Packaging.ENVELOPING),
    "JAdES": Manner(JADES),
    "JAdES detached": Manner(JADES, packaging=Packaging.DETACHED),
    "ASiC-S": Manner(ASIC_S),
    "ASiC-E": Manner(ASIC_E),
    "ASiC-E with XAdES": Manner(ASIC_E, inner=XADES),
}


@pytest.fixture(scope="module")
def signer() -> Identity:
    return SoftwareAuthority().signer()


def drafted(
    manner: Manner, document: bytes, by: Identity, more: Mapping[str, bytes] | None = None
) -> tuple[bytes, bytes]:
    """(to be signed, draft) as a service makes them, over the document and what it adds."""
    subject = Subject({"entry.xml": document, **(more or {})})
    prepared = making.prepare(manner, subject, by.certificate, NOW)
    return prepared.to_be_signed, draft_of(Act.FIRST, prepared, None)


def check(manner: Manner, document: bytes, asked: tuple[bytes, bytes], by: Identity) -> Draft:
    to_be_signed, draft = asked
    return check_draft(manner.format, document, to_be_signed, draft, by.certificate, by.key.suite)


def code_of(manner: Manner, document: bytes, asked: tuple[bytes, bytes], by: Identity) -> str:
    with pytest.raises(Refusal) as refusal:
        check(manner, document, asked, by)
    return refusal.value.code


# -- packagings ------------------------------------------------------------------------------------


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


# -- several documents in a container --------------------------------------------------------------

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


# -- a part of an XML document ---------------------------------------------------------------------

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


# -- counter-signatures ----------------------------------------------------------------------------


class Upon:
    """Somebody has signed; the service drafts a counter-signature upon it."""

    def __init__(
        self, name: str, document: bytes, by: Identity, signs: Identity | None = None
    ) -> None:
        self.manner = COUNTERS[name]
        self.first = SoftwareAuthority().signer("甲")
        subject = Subject({"entry.xml": document})
        below = making.prepare(self.manner, subject, self.first.certificate, NOW)
        value = (signs or self.first).key.sign(below.to_be_signed)
        self.signed = making.finish(Act.FIRST, below, value, None)
        counter = replace(self.manner, act=Act.COUNTER, packaging=None, claims=CLAIMS)
        prepared = making.prepare(counter, Subject({}, self.signed), by.certificate, NOW)
        self.to_be_signed = prepared.to_be_signed
        self.draft = draft_of(Act.COUNTER, prepared, self.signed)

    def check(self, document: bytes, by: Identity, draft: bytes | None = None) -> Draft:
        return check_counter_draft(
            self.manner.format, document, self.to_be_signed, draft or self.draft,
            by.certificate, by.key.suite,
        )  # fmt: skip

    def code(self, document: bytes, by: Identity, draft: bytes | None = None) -> str:
        with pytest.raises(Refusal) as refusal:
            self.check(document, by, draft)
        return refusal.value.code


@pytest.mark.parametrize("name", COUNTERS)
def test_a_counter_signature_tells_upon_whom(name: str, signer: Identity) -> None:
    upon = Upon(name, DECLARATION, signer)
    told = upon.check(DECLARATION, signer)
    assert told.upon is not None
    assert told.upon.signing_certificate == upon.first.certificate
    assert told.evidence.roles == ("申报员",)


@pytest.mark.parametrize("name", COUNTERS)
def test_a_counter_signature_upon_another_document_is_not_made(name: str, signer: Identity) -> None:
    assert Upon(name, OTHER, signer).code(DECLARATION, signer) == "draft.other-document"


@pytest.mark.parametrize("name", COUNTERS)
def test_a_signature_over_the_document_is_no_counter_signature(name: str, signer: Identity) -> None:
    manner = COUNTERS[name]
    to_be_signed, draft = drafted(manner, DECLARATION, signer)
    with pytest.raises(Refusal, match=r"draft\.other-octets"):
        check_counter_draft(
            manner.format, DECLARATION, to_be_signed, draft, signer.certificate, signer.key.suite
        )
    upon = Upon(name, DECLARATION, signer)
    asked = upon.to_be_signed, upon.draft
    assert code_of(manner, DECLARATION, asked, signer) == "draft.other-octets"


@pytest.mark.parametrize("name", COUNTERS)
def test_a_counter_signature_upon_a_broken_one_is_not_made(name: str, signer: Identity) -> None:
    """The value below was made by another key than its certificate's."""
    stranger = SoftwareAuthority().signer("乙")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PreparedSignature, "check", lambda *_: None)
        upon = Upon(name, DECLARATION, signer, signs=stranger)
    assert upon.code(DECLARATION, signer) == "draft.broken"


@pytest.mark.parametrize(
    ("name", "way"),
    [
        *(("CAdES", way) for way in CMS),
        *(("JAdES", way) for way in JWS),
        *(("XAdES", way) for way in XML if way not in {"description", "qualifier"}),
    ],
)
def test_nothing_more_is_signed_in_a_counter_signature(
    name: str, way: str, signer: Identity
) -> None:
    honest = Upon(name, DECLARATION, signer)
    counter = replace(COUNTERS[name], act=Act.COUNTER, packaging=None)
    with slipping_in(counter.format, way):
        prepared = making.prepare(counter, Subject({}, honest.signed), signer.certificate, NOW)
    honest.to_be_signed = prepared.to_be_signed
    draft = draft_of(Act.COUNTER, prepared, honest.signed)
    assert honest.code(DECLARATION, signer, draft) == "draft.more-than-the-document"


# -- what a PDF says beside its text ---------------------------------------------------------------

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
