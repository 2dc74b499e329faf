"""PAdES: what we sign strangers accept, what strangers sign we read, several hands on one file."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyhanko.sign.fields import MDPPerm

from kernel.algorithms import ED25519, AlgorithmSuite
from kernel.asn1 import der
from kernel.refusals import Conflict, Forbidden, Malformed, Refusal, TooLarge, Unprocessable
from signing_service.formats.cades import whole as cades
from signing_service.formats.claims import PROOF_OF_APPROVAL, Claims, PolicyReference
from signing_service.formats.pades import whole as pades
from signing_service.formats.pades.pdf.document import PdfFile
from signing_service.formats.pades.reading import Reading
from signing_service.formats.pades.whole import Certification, Placement
from signing_service.formats.pades.writing import fill
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES, PreparedSignature
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
)
from tests.signing_service.formats.pades.pdf.samples import (
    EMPTY_SIGNATURE_FIELD,
    TEXT_FIELD,
    sample,
)
from tests.signing_service.formats.pades.pdf.strangers import (
    pdfsig,
    pyhanko_verdicts,
    signed_by_pyhanko,
)
from tests.software_keys import SIGNING_SUITES, Identity, SoftwareAuthority, write_pem

VALID = "Signature is Valid"


def sound(evidence: SignatureEvidence) -> bool:
    """Everything holds but the trust in the signer, which is the engine's to judge."""
    certificate, suite = evidence.signing_certificate, evidence.suite
    return (
        certificate is not None
        and suite is not None
        and certificate.public_key.verify(suite, evidence.signature_value, evidence.signed_bytes)
        and all(reference.intact for reference in evidence.references)
        and evidence.covers_document
    )


def signed(pdf: bytes, signer: Identity, authority: SoftwareAuthority, **options: Any) -> bytes:
    return pades.sign(
        pdf, signer.key, signer.certificate, authority.now, chain=signer.chain, **options
    )


@pytest.mark.parametrize("as_streams", [False, True], ids=["table", "streams"])
@pytest.mark.parametrize("suite", SIGNING_SUITES, ids=lambda suite: suite.name)
def test_strangers_accept_ours(
    tmp_path: Path, suite: AlgorithmSuite, as_streams: bool,
    software_authority: SoftwareAuthority, timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    signer = software_authority.signer(suite=suite)
    pdf = sample(2, as_streams=as_streams)

    basic = signed(pdf, signer, software_authority)
    stamped = pades.add_signature_timestamp(basic, timestamper)

    assert len(stamped) == len(basic)
    for each in (basic, stamped):
        if suite is not ED25519:  # Debian 12's poppler cannot verify it
            assert pdfsig(tmp_path, each) == [VALID]
        (verdict,) = pyhanko_verdicts(each, software_authority)
        assert verdict.bottom_line, verdict


@pytest.mark.parametrize("as_streams", [False, True], ids=["table", "streams"])
def test_evidence_of_ours(
    as_streams: bool, signer: Identity, software_authority: SoftwareAuthority,
    timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    pdf = sample(as_streams=as_streams)
    placement = Placement(reason="申报", location="深圳", contact="portal")

    result = signed(pdf, signer, software_authority, timestamper=timestamper, placement=placement)
    (evidence,) = pades.read(result)

    assert result.startswith(pdf)
    assert sound(evidence)
    assert evidence.format is SignatureFormat.PADES
    assert evidence.packaging is Packaging.ENVELOPED
    assert evidence.level is SignatureLevel.B_T
    assert evidence.certificate_reference is not None
    assert evidence.certificate_reference.matches
    assert evidence.claimed_signing_time == software_authority.now
    assert set(evidence.embedded_certificates) >= {signer.certificate, *signer.chain}
    assert evidence.timestamps[0].imprint.intact
    assert evidence.observations == ()


def test_claims_are_signed(signer: Identity, software_authority: SoftwareAuthority) -> None:
    policy = PolicyReference("1.3.6.1.4.1.32473.9", "sha256", bytes(32))
    claims = Claims(commitment=PROOF_OF_APPROVAL, roles=("declarant",), policy=policy)

    (evidence,) = pades.read(signed(sample(), signer, software_authority, claims=claims))

    assert sound(evidence)
    assert evidence.commitment == PROOF_OF_APPROVAL
    assert evidence.roles == ("declarant",)
    assert evidence.policy == policy.identifier


def test_two_steps_through_bytes(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    prepared = pades.prepare(sample(), signer.certificate, software_authority.now)
    again = PreparedSignature.from_bytes(prepared.to_bytes())

    value = signer.key.sign(prepared.to_be_signed)

    assert again == prepared
    assert sound(pades.read(pades.assemble(again, value))[0])
    (stamped,) = pades.read(pades.assemble(again, value, timestamper))
    assert stamped.level is SignatureLevel.B_T


def test_the_value_must_be_over_what_was_prepared(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    prepared = pades.prepare(sample(), signer.certificate, software_authority.now)

    with pytest.raises(Unprocessable, match=r"signature.mismatch"):
        pades.assemble(prepared, signer.key.sign(b"something else"))
    with pytest.raises(Malformed, match=r"prepared.malformed"):
        cades.assemble(prepared, signer.key.sign(prepared.to_be_signed))


def test_several_signers_one_after_another(
    tmp_path: Path, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    pdf = sample(3)
    names = ("甲", "乙", "丙", "丁")
    for name in names:
        signer = software_authority.signer(name)
        pdf = signed(pdf, signer, software_authority, timestamper=timestamper)

    evidence = pades.read(pdf)

    assert [each.signing_certificate.attribute("2.5.4.3") for each in evidence
            if each.signing_certificate] == list(names)  # fmt: skip
    assert all(map(sound, evidence))
    assert [len(each.observations) for each in evidence] == [3, 2, 1, 0]
    assert pdfsig(tmp_path, pdf) == [VALID] * 4
    assert all(verdict.bottom_line for verdict in pyhanko_verdicts(pdf, software_authority))


@pytest.mark.parametrize("as_streams", [False, True], ids=["table", "streams"])
def test_strangers_and_we_sign_in_turns(
    tmp_path: Path, as_streams: bool, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    pdf = signed_by_pyhanko(sample(2, as_streams=as_streams), signer, "First")
    pdf = signed(pdf, signer, software_authority)
    pdf = signed_by_pyhanko(pdf, signer, "Third")

    evidence = pades.read(pdf)

    assert [each.format for each in evidence] == [SignatureFormat.PADES] * 3
    assert all(map(sound, evidence))
    assert pdfsig(tmp_path, pdf) == [VALID] * 3
    assert all(verdict.bottom_line for verdict in pyhanko_verdicts(pdf, software_authority))


def test_a_plain_pdf_signature_is_read_and_not_called_pades(signer: Identity) -> None:
    (evidence,) = pades.read(signed_by_pyhanko(sample(), signer, pades=False))

    assert sound(evidence)
    assert evidence.format is SignatureFormat.CMS


@pytest.mark.parametrize("form", ["DER", "BER"])
@pytest.mark.parametrize("kind", [b"ETSI.CAdES.detached", b"adbe.pkcs7.detached"])
def test_a_signature_by_openssl_in_a_pdf(
    tmp_path: Path, form: str, kind: bytes, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    """Definite lengths, and the indefinite ones that streaming producers write."""
    body, hole = _with_hole(signer, software_authority, kind)
    (tmp_path / "covered").write_bytes(body[: hole[0]] + body[hole[1] :])
    (tmp_path / "key.pem").write_bytes(signer.key.pem())
    write_pem(tmp_path / "signer.pem", [signer.certificate])
    command = ["openssl", "cms", "-sign", "-cades", "-binary", "-in", "covered", "-md", "sha256"]
    command += ["-signer", "signer.pem", "-inkey", "key.pem", "-outform", "DER", "-out", "cms"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    made = (tmp_path / "cms").read_bytes()

    pdf = fill(body, hole, _of_indefinite_length(made) if form == "BER" else made)

    (evidence,) = pades.read(pdf)
    assert sound(evidence)
    is_pades = kind == b"ETSI.CAdES.detached"
    assert evidence.format is (SignatureFormat.PADES if is_pades else SignatureFormat.CMS)
    assert pdfsig(tmp_path, pdf) == [VALID]


@pytest.mark.parametrize("producer", ["pdftocairo -pdf", "pdfunite"])
def test_files_of_other_producers_are_signed(
    tmp_path: Path, producer: str, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    (tmp_path / "ours.pdf").write_bytes(sample(2))
    inputs = ["ours.pdf", "ours.pdf"] if producer == "pdfunite" else ["ours.pdf"]
    command = [*producer.split(), *inputs, "theirs.pdf"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)

    pdf = signed((tmp_path / "theirs.pdf").read_bytes(), signer, software_authority)
    pdf = signed(pdf, signer, software_authority)

    assert all(map(sound, pades.read(pdf)))
    assert pdfsig(tmp_path, pdf) == [VALID] * 2


def test_an_empty_field_is_signed_in_its_place(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    pdf = sample(fields=(TEXT_FIELD, EMPTY_SIGNATURE_FIELD))
    placement = Placement(field="approval")

    once = signed(pdf, signer, software_authority, placement=placement)

    assert sound(pades.read(once)[0])
    assert once.count(b"/Subtype /Widget") == pdf.count(b"/Subtype /Widget") + 1
    with pytest.raises(Conflict, match=r"pades.field-signed"):
        signed(once, signer, software_authority, placement=placement)
    for unfit in ("amount", "nowhere"):
        with pytest.raises(Unprocessable, match=r"pades.no-field"):
            signed(pdf, signer, software_authority, placement=Placement(field=unfit))


def test_a_certification_binds_those_who_come_after(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    final = Placement(certification=Certification.NO_CHANGES)
    certified = signed(sample(), signer, software_authority, placement=final)

    assert sound(pades.read(certified)[0])
    (verdict,) = pyhanko_verdicts(certified, software_authority)
    assert verdict.bottom_line
    assert verdict.docmdp_ok
    with pytest.raises(Forbidden, match=r"pades.certified"):
        signed(certified, signer, software_authority)
    with pytest.raises(Conflict, match=r"pades.not-first"):
        signed(certified, signer, software_authority, placement=final)
    # What lengthens the proof's life changes nothing of the document (ISO 32000-2, 12.8.2.2).
    (evidence,) = pades.read(pades.add_archive_timestamp(certified, timestamper))
    assert sound(evidence)
    assert evidence.level is SignatureLevel.B_T


@pytest.mark.parametrize("permissions", list(MDPPerm))
def test_a_strangers_certification_is_read_and_respected(
    permissions: MDPPerm, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    certified = signed_by_pyhanko(sample(2), signer, certify=True, docmdp_permissions=permissions)

    assert sound(pades.read(certified)[0])
    if permissions is MDPPerm.NO_CHANGES:
        with pytest.raises(Forbidden, match=r"pades.certified"):
            signed(certified, signer, software_authority)
    else:
        assert all(map(sound, pades.read(signed(certified, signer, software_authority))))


def test_signing_against_a_certification_shows(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    final = Placement(certification=Certification.NO_CHANGES)
    certified = signed(sample(), signer, software_authority, placement=final)

    first, second = pades.read(_signed_regardless(certified, signer))

    assert not first.covers_document
    assert "the certification allows no further signature" in first.observations
    assert second.covers_document


def test_a_certification_that_allows_signing_allows_an_invisible_one(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    open_to_signers = Placement(certification=Certification.FILLING_IN)
    certified = signed(sample(), signer, software_authority, placement=open_to_signers)

    assert all(map(sound, pades.read(signed(certified, signer, software_authority))))
    assert all(map(sound, pades.read(signed_by_pyhanko(certified, signer))))
    visible = Placement(seal=pades.Seal((72, 72, 172, 172), verification_url="https://v.example"))
    with pytest.raises(Forbidden, match=r"pades.certified"):
        signed(certified, signer, software_authority, placement=visible)


def test_the_reserved_room_is_enough_or_said_not_to_be(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    prepared = pades.prepare(sample(), signer.certificate, software_authority.now, room=0)
    value = signer.key.sign(prepared.to_be_signed)

    assert sound(pades.read(pades.assemble(prepared, value))[0])
    with pytest.raises(Unprocessable, match=r"pades.no-room"):
        pades.assemble(prepared, value, timestamper)
    # A document timestamp needs no room in the signature.
    stamped = pades.add_signature_timestamp(pades.assemble(prepared, value), timestamper)
    (evidence,) = pades.read(stamped)
    assert sound(evidence)
    assert evidence.level is SignatureLevel.B_T


def test_what_cannot_be_signed_is_refused(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    for nothing in (b"", b"%PDF-1.7\n", b"PK\x03\x04", sample()[:-20]):
        with pytest.raises(Malformed, match=r"pdf.malformed"):
            signed(nothing, signer, software_authority)
    with pytest.raises(TooLarge):
        signed(b"%PDF-1.7" + bytes(MAX_DOCUMENT_BYTES), signer, software_authority)
    with pytest.raises(Refusal, match=r"pades.text"):
        Placement(reason="line\nbreak")


def _of_indefinite_length(content_info: bytes) -> bytes:
    """The outer three elements as BER that ends with zeros, as padding does."""
    kind, wrapper = der.children(content_info, der.read_only(content_info, der.SEQUENCE))
    (body,) = der.children(content_info, wrapper)
    head = b"\x30\x80" + content_info[kind.start : kind.end] + b"\xa0\x80\x30\x80"
    return head + content_info[body.content : body.end] + bytes(6)


def _with_hole(
    signer: Identity, authority: SoftwareAuthority, kind: bytes
) -> tuple[bytes, tuple[int, int]]:
    """A PDF that waits for somebody's signature of a kind, and where it goes."""
    pdf = signed(sample(), signer, authority)
    (own,) = Reading(PdfFile(pdf)).signatures
    cleared = pdf.replace(b"/ETSI.CAdES.detached", (b"/" + kind).ljust(20))
    assert len(cleared) == len(pdf)
    return fill(cleared, own.hole, b""), own.hole


def _signed_regardless(pdf: bytes, signer: Identity) -> bytes:
    """Our own writer with its check of permissions taken away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("signing_service.formats.pades.writing._check_permitted", lambda *_: None)
        return pades.sign(pdf, signer.key, signer.certificate, signer.certificate.not_before)
