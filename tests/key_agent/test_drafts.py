"""What a hostile service may try to have signed beside, or instead of, the document shown."""

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import cms as asn1
from asn1crypto import core
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.algorithms import ECDSA_P256_SHA256, ED25519, RSA_PKCS1_SHA256, AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal, Unprocessable
from key_agent.drafts import FORMATS, check_draft
from signing_service.formats import making
from signing_service.formats.claims import NO_CLAIMS, PROOF_OF_APPROVAL, Claims
from signing_service.formats.draft import draft_of
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import SignatureEvidence, SignatureFormat
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
    return check_draft(format_, document, to_be_signed, draft, certificate, suite)


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


def test_a_signed_attribute_of_unknown_kind_is_not_signed(signer: Identity) -> None:
    _, draft = drafted(SignatureFormat.CADES, DECLARATION, signer.certificate)
    content = asn1.ContentInfo.load(draft)
    (info,) = content["content"]["signer_infos"]
    strange = asn1.CMSAttribute(
        {"type": "1.2.3.4.5", "values": [core.OctetString(b"I owe you a million")]}
    )
    attributes = asn1.CMSAttributes([*info["signed_attrs"], strange])
    info["signed_attrs"] = attributes
    hostile = content.dump(force=True)
    (evidence,) = read_signatures(DECLARATION, hostile)
    asked = (
        SignatureFormat.CADES, DECLARATION, evidence.signed_bytes, hostile, signer.certificate,
    )  # fmt: skip
    assert code_of(*asked) == "draft.more-than-the-document"


def test_a_pdf_that_was_changed_beside_the_signature_is_not_signed(signer: Identity) -> None:
    changed = PDF.replace(b"/MediaBox [0 0 ", b"/MediaBox [9 0 ")
    assert changed != PDF
    update = changed[changed.index(b"startxref") :]
    longer = PDF + update
    to_be_signed, draft = drafted(SignatureFormat.PADES, longer, signer.certificate)
    asked = (SignatureFormat.PADES, OTHER_PDF, to_be_signed, draft, signer.certificate)
    assert code_of(*asked) == "draft.other-document"


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
