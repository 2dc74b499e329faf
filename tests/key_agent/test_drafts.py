"""What a hostile service may try to have signed beside, or instead of, the document shown."""

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.algorithms import ECDSA_P256_SHA256, ED25519, RSA_PKCS1_SHA256, AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal, Unprocessable
from key_agent.drafts import check_draft
from key_agent.forms import FORMATS
from signing_service.formats import making
from signing_service.formats.claims import NO_CLAIMS, PROOF_OF_APPROVAL, Claims
from signing_service.formats.draft import draft_of
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import SignatureEvidence, SignatureFormat
from tests.signing_service.formats.hostile import WAYS, slipping_in
from tests.signing_service.formats.pades.pdf.samples import sample, stream, updated
from tests.software_keys import Identity, SoftwareAuthority

SAMPLES = Path(__file__).parents[1] / "samples"
DECLARATION = (SAMPLES / "dec-import.xml").read_bytes()
OTHER = DECLARATION.replace(b"<DeclTotal>12400.00<", b"<DeclTotal>92400.00<")
NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)


def pdf(text: str) -> bytes:
    document = FPDF()
    document.set_creation_date(NOW)
    document.add_page()
    document.set_font("Helvetica")
    document.cell(text=text)
    return bytes(document.output())


PDF, OTHER_PDF = pdf("Power of attorney"), pdf("I owe you a million")


@pytest.fixture(scope="module")
def signer() -> Identity:
    return SoftwareAuthority().signer()


def documents(format_: SignatureFormat) -> tuple[bytes, bytes]:
    return (PDF, OTHER_PDF) if format_ is SignatureFormat.PADES else (DECLARATION, OTHER)


def drafted(
    format_: SignatureFormat,
    document: bytes,
    certificate: Certificate,
    claims: Claims = NO_CLAIMS,
) -> tuple[bytes, bytes]:
    """(to be signed, draft) as a service makes them."""
    manner = Manner(format_, claims=claims)
    prepared = making.prepare(manner, Subject.of(document), certificate, NOW)
    return prepared.to_be_signed, draft_of(Act.FIRST, prepared, None)


def check(
    format_: SignatureFormat,
    document: bytes,
    to_be_signed: bytes,
    draft: bytes,
    certificate: Certificate,
    suite: AlgorithmSuite = ECDSA_P256_SHA256,
) -> SignatureEvidence:
    return check_draft(format_, document, to_be_signed, draft, certificate, suite).evidence


def code_of(*arguments: object) -> str:
    with pytest.raises(Refusal) as refusal:
        check(*arguments)  # type: ignore[arg-type]
    return refusal.value.code


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("suite", [ECDSA_P256_SHA256, RSA_PKCS1_SHA256, ED25519])
def test_an_honest_draft_passes_and_tells_the_claims(
    format_: SignatureFormat, suite: AlgorithmSuite
) -> None:
    certificate = SoftwareAuthority().signer("签署人", suite).certificate
    document, _ = documents(format_)
    claims = Claims(commitment=PROOF_OF_APPROVAL, roles=("申报员",))
    to_be_signed, draft = drafted(format_, document, certificate, claims)
    evidence = check(format_, document, to_be_signed, draft, certificate, suite)
    assert evidence.commitment == PROOF_OF_APPROVAL
    assert evidence.roles == ("申报员",)


@pytest.mark.parametrize("format_", FORMATS)
def test_another_document_is_not_signed(format_: SignatureFormat, signer: Identity) -> None:
    document, other = documents(format_)
    to_be_signed, draft = drafted(format_, other, signer.certificate)
    asked = (format_, document, to_be_signed, draft, signer.certificate)
    assert code_of(*asked) == "draft.other-document"


@pytest.mark.parametrize("format_", FORMATS)
def test_octets_of_another_signature_are_not_signed(
    format_: SignatureFormat, signer: Identity
) -> None:
    document, other = documents(format_)
    _, draft = drafted(format_, document, signer.certificate)
    to_be_signed, _ = drafted(format_, other, signer.certificate)
    asked = (format_, document, to_be_signed, draft, signer.certificate)
    assert code_of(*asked) == "draft.other-octets"


@pytest.mark.parametrize("format_", FORMATS)
def test_a_bare_digest_or_a_sign_in_is_not_signed(
    format_: SignatureFormat, signer: Identity
) -> None:
    document, _ = documents(format_)
    _, draft = drafted(format_, document, signer.certificate)
    for octets in (hashlib.sha256(document).digest(), hashlib.sha256(b"origin").digest() * 2, b""):
        asked = (format_, document, octets, draft, signer.certificate)
        assert code_of(*asked) == "draft.other-octets"
    for nonsense in (b"", b"{}", b"<a/>", b"%PDF-1.7", b"PK\x03\x04", document):
        asked = (format_, document, b"octets", nonsense, signer.certificate)
        assert code_of(*asked).startswith("draft.")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_signature_in_another_name_is_not_made(
    format_: SignatureFormat, signer: Identity
) -> None:
    stranger = SoftwareAuthority().signer("somebody else")
    document, _ = documents(format_)
    to_be_signed, draft = drafted(format_, document, stranger.certificate)
    asked = (format_, document, to_be_signed, draft, signer.certificate)
    assert code_of(*asked) == "draft.other-certificate"


@pytest.mark.parametrize("format_", FORMATS)
def test_a_finished_signature_is_no_draft(format_: SignatureFormat, signer: Identity) -> None:
    document, _ = documents(format_)
    prepared = making.prepare(Manner(format_), Subject.of(document), signer.certificate, NOW)
    value = signer.key.sign(prepared.to_be_signed)
    signed = making.finish(Act.FIRST, prepared, value, None)
    asked = (format_, document, prepared.to_be_signed, signed, signer.certificate)
    assert code_of(*asked) == "draft.other-octets"


def test_a_second_object_under_an_xml_signature_is_not_signed(signer: Identity) -> None:
    to_be_signed, draft = drafted(SignatureFormat.XADES, DECLARATION, signer.certificate)
    contract = b'<ds:Object Id="contract">SSBvd2UgeW91IGEgbWlsbGlvbg==</ds:Object>'
    reference = (
        b'<ds:Reference URI="#contract" Type="http://www.w3.org/2000/09/xmldsig#Object">'
        b'<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>'
        b"<ds:DigestValue>"
        + base64.b64encode(hashlib.sha256(contract).digest())
        + b"</ds:DigestValue></ds:Reference>"
    )
    for hostile in (
        draft.replace(b"</ds:SignedInfo>", reference + b"</ds:SignedInfo>"),
        draft.replace(b"</ds:SignedInfo>", reference + b"</ds:SignedInfo>").replace(
            b"</ds:Signature>", contract + b"</ds:Signature>"
        ),
    ):
        asked = (SignatureFormat.XADES, DECLARATION, to_be_signed, hostile, signer.certificate)
        assert code_of(*asked) == "draft.unreadable"


@pytest.mark.parametrize(("format_", "way"), WAYS)
def test_nothing_that_is_not_shown_is_signed_beside_the_document(
    format_: SignatureFormat, way: str, signer: Identity
) -> None:
    document, _ = documents(format_)
    with slipping_in(format_, way):
        to_be_signed, draft = drafted(format_, document, signer.certificate)
    # The attack is whole: as a signature it reads well.
    detached = format_ is SignatureFormat.CADES
    (evidence,) = read_signatures(document, draft) if detached else read_signatures(draft, None)
    assert evidence.signed_bytes == to_be_signed
    assert evidence.covers_document
    assert all(each.intact for each in evidence.references)
    asked = (format_, document, to_be_signed, draft, signer.certificate)
    assert code_of(*asked) == "draft.more-than-the-document"


def test_an_element_that_follows_the_inserted_signature_is_not_signed(signer: Identity) -> None:
    shown = b"<Decl><Total>100</Total></Decl>"
    changed = b"<Decl><Total>100</Total><Pay>1000000</Pay></Decl>"
    to_be_signed, draft = drafted(SignatureFormat.XADES, changed, signer.certificate)
    end = b"</ds:Signature>"
    signature = draft[draft.index(b"<ds:Signature ") : draft.index(end) + len(end)]
    hostile = draft.replace(signature, b"").replace(b"<Pay>", signature + b"<Pay>")
    assert hostile.replace(signature + b"<Pay>1000000</Pay>", b"") == shown
    (evidence,) = read_signatures(hostile, None)
    assert evidence.covers_document
    assert all(each.intact for each in evidence.references)
    asked = (SignatureFormat.XADES, shown, to_be_signed, hostile, signer.certificate)
    assert code_of(*asked) == "draft.other-document"


def test_a_signature_joins_those_that_are_in_the_document(signer: Identity) -> None:
    """Beside a first signature, as a service that signs in parallel drafts it."""
    first = making.prepare(
        Manner(SignatureFormat.XADES, parallel_later=True),
        Subject.of(DECLARATION), signer.certificate, NOW,
    )  # fmt: skip
    signed = making.finish(Act.FIRST, first, signer.key.sign(first.to_be_signed), None)
    second = SoftwareAuthority().signer("second")
    manner = Manner(SignatureFormat.XADES, Act.PARALLEL)
    prepared = making.prepare(manner, Subject({}, signed), second.certificate, NOW)
    draft = draft_of(Act.PARALLEL, prepared, signed)
    asked = (SignatureFormat.XADES, signed, prepared.to_be_signed, draft, second.certificate)
    assert check(*asked).signing_certificate == second.certificate


def test_a_pdf_whose_page_was_replaced_before_it_was_signed_is_not_signed(
    signer: Identity,
) -> None:
    shown = sample()
    changed = updated(shown, {5: stream(b"BT /F1 24 Tf 72 700 Td (I owe you a million) Tj ET")})
    to_be_signed, draft = drafted(SignatureFormat.PADES, changed, signer.certificate)
    (evidence,) = read_signatures(draft, None)
    assert draft.startswith(shown)
    assert evidence.covers_document
    asked = (SignatureFormat.PADES, shown, to_be_signed, draft, signer.certificate)
    assert code_of(*asked) == "draft.more-than-the-document"
    # The same update is fine where it is in the document that is shown.
    asked = (SignatureFormat.PADES, changed, to_be_signed, draft, signer.certificate)
    assert check(*asked).covers_document


def test_a_format_that_the_agent_does_not_read_is_refused(signer: Identity) -> None:
    with pytest.raises(Unprocessable, match=r"document\.format"):
        check(SignatureFormat.CMS, DECLARATION, b"", b"", signer.certificate)


_SIGNER = SoftwareAuthority().signer()
_DRAFTS = {
    format_: drafted(format_, documents(format_)[0], _SIGNER.certificate) for format_ in FORMATS
}


@settings(max_examples=60, deadline=None)
@given(format_=st.sampled_from(FORMATS), where=st.randoms(use_true_random=False))
def test_no_flipped_bit_of_what_is_signed_passes(
    format_: SignatureFormat,
    where: "st.random.Random",  # type: ignore[name-defined]
) -> None:
    to_be_signed, draft = _DRAFTS[format_]
    changed = bytearray(to_be_signed)
    changed[where.randrange(len(changed))] ^= 1 << where.randrange(8)
    asked = (format_, documents(format_)[0], bytes(changed), draft, _SIGNER.certificate)
    assert code_of(*asked) == "draft.other-octets"
