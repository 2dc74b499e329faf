"""PAdES up to B-LTA: strangers validate it with what the file holds, and theirs grow here."""

import hashlib
from dataclasses import replace

import pytest
from pyhanko.sign.ades.report import AdESPassed

from kernel.algorithms import RSA_PKCS1_SHA256
from kernel.refusals import Malformed, Refusal
from signing_service.formats.catalogue import levels_of
from signing_service.formats.pades import whole as pades
from signing_service.formats.pades.pdf.document import PdfFile
from signing_service.formats.pades.reading import Reading
from signing_service.formats.pades.store import vri_key
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    SignatureFormat,
    SignatureLevel,
    TimestampKind,
)
from tests.signing_service.formats.material import material_for, ocsp_of
from tests.signing_service.formats.pades.pdf.samples import sample
from tests.signing_service.formats.pades.pdf.strangers import (
    archived_by_pyhanko,
    pyhanko_archival_verdict,
    pyhanko_verdicts,
    signed_by_pyhanko,
)
from tests.signing_service.formats.pades.test_pades import sound
from tests.software_keys import Identity, SoftwareAuthority

LEVELS = levels_of(SignatureFormat.PADES)


@pytest.fixture(scope="module")
def material(
    software_authority: SoftwareAuthority, signer: Identity, timestamper: LocalTimestamper
) -> ValidationMaterial:
    (evidence,) = pades.read(
        pades.sign(
            sample(), signer.key, signer.certificate, software_authority.now,
            timestamper=timestamper,
        )
    )  # fmt: skip
    tsa = evidence.timestamps[0].signature.signing_certificate
    assert tsa is not None
    return material_for(software_authority, signer.certificate, tsa)


def raised(signed: bytes, material: ValidationMaterial, timestamper: LocalTimestamper) -> bytes:
    """From B-B to B-LTA, by the catalogue."""
    signed = LEVELS.add_signature_timestamp(signed, timestamper)
    signed = LEVELS.add_validation_material(signed, material)
    return LEVELS.add_archive_timestamp(signed, timestamper)


@pytest.mark.parametrize("as_streams", [False, True], ids=["table", "streams"])
@pytest.mark.parametrize("by", ["us", "pyHanko"])
def test_every_level_of_ours_and_of_a_stranger(
    by: str, as_streams: bool, signer: Identity, software_authority: SoftwareAuthority,
    timestamper: LocalTimestamper, material: ValidationMaterial,
) -> None:  # fmt: skip
    pdf = sample(2, as_streams=as_streams)
    if by == "us":
        basic = pades.sign(
            pdf, signer.key, signer.certificate, software_authority.now, chain=signer.chain
        )
    else:
        basic = signed_by_pyhanko(pdf, signer, digits=24_000)

    stamped = LEVELS.add_signature_timestamp(basic, timestamper)
    with_values = LEVELS.add_validation_material(stamped, material)
    archived = LEVELS.add_archive_timestamp(with_values, timestamper)
    renewed = LEVELS.add_archive_timestamp(archived, timestamper)

    expected = [
        (basic, SignatureLevel.B_B, 0),
        (stamped, SignatureLevel.B_T, 1),
        (with_values, SignatureLevel.B_LT, 1),
        (archived, SignatureLevel.B_LTA, 2),
        (renewed, SignatureLevel.B_LTA, 3),
    ]
    for each, level, timestamps in expected:
        (evidence,) = pades.read(each)
        assert sound(evidence), evidence.observations
        assert evidence.level is level
        assert len(evidence.timestamps) == timestamps
        assert all(timestamp.imprint.intact for timestamp in evidence.timestamps)
        (verdict,) = pyhanko_verdicts(each, software_authority)
        assert verdict.bottom_line, verdict
    for each in (archived, renewed):
        assert pyhanko_archival_verdict(each, software_authority) is AdESPassed.OK


@pytest.mark.parametrize("as_streams", [False, True], ids=["table", "streams"])
def test_an_archived_pdf_of_a_stranger_is_read_and_renewed(
    as_streams: bool, signer: Identity, software_authority: SoftwareAuthority,
    timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    stamping = software_authority.timestamp_authority("Theirs", RSA_PKCS1_SHA256)
    material = material_for(software_authority, signer.certificate, stamping.certificate)
    pdf = sample(2, as_streams=as_streams)

    theirs = archived_by_pyhanko(pdf, signer, stamping, material, software_authority)
    renewed = LEVELS.add_archive_timestamp(theirs, timestamper)

    for each, count in ((theirs, 2), (renewed, 3)):
        (evidence,) = pades.read(each)
        assert sound(evidence), evidence.observations
        assert evidence.level is SignatureLevel.B_LTA
        assert len(evidence.timestamps) == count
        assert all(timestamp.imprint.intact for timestamp in evidence.timestamps)
        assert evidence.embedded_ocsp or evidence.embedded_crls


def test_the_values_reach_the_evidence(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper,
    material: ValidationMaterial,
) -> None:  # fmt: skip
    basic = pades.sign(sample(), signer.key, signer.certificate, software_authority.now)
    archived = raised(basic, material, timestamper)

    (evidence,) = pades.read(archived)

    assert evidence.embedded_ocsp == material.ocsp
    assert evidence.embedded_crls == material.crls
    assert {each.der for each in evidence.embedded_certificates} >= set(material.certificates)
    archive = evidence.timestamps[-1]
    assert archive.kind is TimestampKind.ARCHIVE
    objects = (
        evidence.signature_value, evidence.timestamps[0].token, *material.ocsp, *material.crls,
        *material.certificates,
    )  # fmt: skip
    assert {hashlib.sha256(each).digest() for each in objects} <= archive.covers


def test_a_later_value_is_not_covered_by_an_earlier_archive_timestamp(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper,
    material: ValidationMaterial,
) -> None:  # fmt: skip
    basic = pades.sign(sample(), signer.key, signer.certificate, software_authority.now)
    archived = raised(basic, material, timestamper)
    late = ocsp_of(software_authority, signer.certificate)

    grown = LEVELS.add_validation_material(archived, ValidationMaterial(ocsp=(late,)))
    renewed = LEVELS.add_archive_timestamp(grown, timestamper)

    (evidence,) = pades.read(renewed)
    _, first, second = evidence.timestamps
    assert late in evidence.embedded_ocsp
    assert hashlib.sha256(late).digest() not in first.covers
    assert hashlib.sha256(late).digest() in second.covers
    assert hashlib.sha256(first.token).digest() in second.covers
    assert sound(evidence)


def test_each_value_is_stored_once_and_named_for_its_signature(
    signer: Identity, software_authority: SoftwareAuthority, material: ValidationMaterial
) -> None:
    basic = pades.sign(sample(), signer.key, signer.certificate, software_authority.now)
    twice = pades.sign(basic, signer.key, signer.certificate, software_authority.now)

    once = LEVELS.add_validation_material(twice, material, signer=0)
    again = LEVELS.add_validation_material(once, material, signer=0)
    both = LEVELS.add_validation_material(again, material, signer=1)

    assert again == once
    assert len(both) - len(once) < 2000
    reading = Reading(PdfFile(both))
    store = reading.file.current.dictionary(reading.file.current.catalog["DSS"])
    names = reading.file.current.dictionary(store["VRI"]).keys()
    assert names == {vri_key(each.contents) for each in reading.signatures}
    assert all(map(sound, pades.read(both)))


def test_a_stamp_over_several_signatures_serves_them_all(
    software_authority: SoftwareAuthority, timestamper: LocalTimestamper,
    material: ValidationMaterial,
) -> None:  # fmt: skip
    pdf = sample()
    for name in ("甲", "乙"):
        signer = software_authority.signer(name)
        pdf = pades.sign(pdf, signer.key, signer.certificate, software_authority.now)
    archived = LEVELS.add_archive_timestamp(
        LEVELS.add_validation_material(pdf, material), timestamper
    )
    signer = software_authority.signer("丙")
    archived = pades.sign(archived, signer.key, signer.certificate, software_authority.now)

    first, second, third = pades.read(archived)

    assert first.timestamps == second.timestamps
    assert len(first.timestamps) == 1
    assert third.timestamps == ()
    assert all(map(sound, (first, second, third)))


def test_an_earlier_signature_gets_its_time_from_a_document_timestamp(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    pdf = pades.sign(sample(), signer.key, signer.certificate, software_authority.now)
    pdf = pades.sign(pdf, signer.key, signer.certificate, software_authority.now)

    stamped = LEVELS.add_signature_timestamp(pdf, timestamper, signer=0)

    assert stamped.startswith(pdf)
    for evidence in pades.read(stamped):
        assert evidence.level is SignatureLevel.B_T
        assert sound(evidence)


def test_a_timestamp_larger_than_foreseen_gets_more_room(
    signer: Identity, software_authority: SoftwareAuthority, timestamper: LocalTimestamper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pdf = pades.sign(sample(), signer.key, signer.certificate, software_authority.now)
    monkeypatch.setattr("signing_service.formats.pades.levels._FIRST_ROOM", 100)

    (evidence,) = pades.read(LEVELS.add_archive_timestamp(pdf, timestamper))

    assert evidence.timestamps[0].imprint.intact


def test_there_must_be_a_signature(
    timestamper: LocalTimestamper, material: ValidationMaterial
) -> None:
    with pytest.raises(Malformed, match=r"pades.no-signature"):
        LEVELS.add_signature_timestamp(sample(), timestamper)
    with pytest.raises(Malformed, match=r"pades.no-signature"):
        LEVELS.add_validation_material(sample(), material)
    with pytest.raises(Malformed, match=r"pades.no-signature"):
        LEVELS.add_archive_timestamp(sample(), timestamper)


def test_broken_values_are_said_to_be(
    signer: Identity, software_authority: SoftwareAuthority, material: ValidationMaterial
) -> None:
    pdf = pades.sign(sample(), signer.key, signer.certificate, software_authority.now)
    with pytest.raises(Refusal, match=r"ocsp.malformed"):
        LEVELS.add_validation_material(pdf, replace(material, ocsp=(b"no response",)))

    odd = LEVELS.add_validation_material(pdf, ValidationMaterial(certificates=(b"none",)))

    (evidence,) = pades.read(odd)
    assert "a certificate in the document security store cannot be read" in evidence.observations
