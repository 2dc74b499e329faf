"""CAdES up to B-LTA: strangers still verify it, and what is archived cannot change unseen."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import core
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.asn1 import cms
from kernel.refusals import Malformed, Refusal, Unprocessable
from signing_service.formats.cades import whole as cades
from signing_service.formats.catalogue import levels_of
from signing_service.formats.validation_material import (
    ValidationMaterial,
    basic_response,
    whole_response,
)
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
    TimestampKind,
)
from tests.signing_service.formats.material import material_for, ocsp_of
from tests.software_keys import SIGNING_SUITES, Identity, SoftwareAuthority, write_pem

DOCUMENT = b"<declaration>1</declaration>"


@pytest.fixture(scope="module")
def material(software_authority: SoftwareAuthority, signer: Identity) -> ValidationMaterial:
    return material_for(software_authority, signer.certificate)


@pytest.fixture(scope="module")
def basic(software_authority: SoftwareAuthority, signer: Identity) -> bytes:
    return cades.sign(
        DOCUMENT, signer.key, signer.certificate, software_authority.now, chain=signer.chain
    )


@pytest.fixture(scope="module")
def archived(basic: bytes, material: ValidationMaterial, timestamper: LocalTimestamper) -> bytes:
    return raised(basic, material, timestamper, DOCUMENT)


def raised(
    signed: bytes,
    material: ValidationMaterial,
    timestamper: LocalTimestamper,
    document: bytes | None,
    signer: int = 0,
) -> bytes:
    """From B-B to B-LTA, by the catalogue."""
    levels = levels_of(SignatureFormat.CADES)
    signed = levels.add_signature_timestamp(signed, timestamper, signer=signer)
    signed = levels.add_validation_material(signed, material, signer=signer)
    return levels.add_archive_timestamp(signed, timestamper, document=document, signer=signer)


def openssl_verifies(directory: Path, signed: bytes, authority: SoftwareAuthority) -> bool:
    (directory / "s.p7s").write_bytes(signed)
    (directory / "document").write_bytes(DOCUMENT)
    root = write_pem(directory / "root.pem", [authority.root.certificate])
    command = ["openssl", "cms", "-verify", "-cades", "-inform", "DER", "-in", "s.p7s", "-binary"]
    command += ["-content", "document", "-CAfile", str(root), "-purpose", "any", "-out", "out"]
    return subprocess.run(command, cwd=directory, capture_output=True).returncode == 0


def verifies(evidence: SignatureEvidence) -> bool:
    certificate, suite = evidence.signing_certificate, evidence.suite
    return (
        certificate is not None
        and suite is not None
        and certificate.public_key.verify(suite, evidence.signature_value, evidence.signed_bytes)
        and all(reference.intact for reference in evidence.references)
    )


def sha256(thing: bytes) -> bytes:
    return hashlib.sha256(thing).digest()


def test_levels_rise_one_by_one(
    basic: bytes, material: ValidationMaterial, timestamper: LocalTimestamper
) -> None:
    stamped = cades.add_signature_timestamp(basic, timestamper)
    long_term = cades.add_validation_material(stamped, material)
    archived = cades.add_archive_timestamp(long_term, timestamper, document=DOCUMENT)

    levels = [cades.read(s, DOCUMENT)[0].level for s in (basic, stamped, long_term, archived)]

    assert levels == [
        SignatureLevel.B_B, SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA,
    ]  # fmt: skip


def test_openssl_still_verifies_an_archived_signature(
    tmp_path: Path, archived: bytes, software_authority: SoftwareAuthority
) -> None:
    assert openssl_verifies(tmp_path, archived, software_authority)


def test_the_material_is_embedded_once(
    archived: bytes, material: ValidationMaterial, software_authority: SoftwareAuthority
) -> None:
    again = cades.add_validation_material(archived, material)
    (evidence,) = cades.read(again, DOCUMENT)

    assert again == archived
    assert {c.der for c in evidence.embedded_certificates} == set(material.certificates)
    assert set(evidence.embedded_crls) == set(material.crls)
    assert evidence.embedded_ocsp == material.ocsp


def test_an_archive_timestamp_says_what_it_covers(
    archived: bytes, material: ValidationMaterial
) -> None:
    (evidence,) = cades.read(archived, DOCUMENT)
    stamp, archive = evidence.timestamps

    assert archive.kind is TimestampKind.ARCHIVE
    assert archive.imprint.intact
    assert verifies(archive.signature)
    wanted = {evidence.signature_value, stamp.token}
    wanted |= {*material.certificates, *material.crls, *material.ocsp}
    assert {sha256(thing) for thing in wanted} <= archive.covers


def test_the_imprint_is_what_the_standard_says(archived: bytes) -> None:
    """EN 319 122-1, 5.5.2 and 5.5.3, done once more with asn1crypto."""

    def sha256(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    data = asn1_cms.ContentInfo.load(archived)["content"]
    (info,) = data["signer_infos"]
    unsigned = list(info["unsigned_attrs"])
    (token,) = (
        value for each in unsigned if each["type"].dotted == cms.ID_ARCHIVE_TIMESTAMP_V3
        for value in each["values"]
    )  # fmt: skip
    (stamp,) = asn1_cms.ContentInfo.load(token.dump())["content"]["signer_infos"]
    (index,) = stamp["unsigned_attrs"][0]["values"]
    _, certificates, crls, values = core.SequenceOf.load(index.dump(), spec=core.Any)
    names = ("version", "sid", "digest_algorithm", "signed_attrs", "signature_algorithm")

    octets = data["encap_content_info"]["content_type"].dump() + sha256(DOCUMENT)
    octets += b"".join(info[name].dump() for name in (*names, "signature")) + index.dump()

    imprint = cades.read(archived, DOCUMENT)[0].timestamps[-1].imprint
    assert imprint.expected == sha256(octets)
    for hashed, things in (
        (certificates, [each.dump() for each in data["certificates"]]),
        (crls, [each.dump() for each in data["crls"]]),
        (
            values,
            [
                each["type"].dump() + value.dump()
                for each in unsigned
                if each["type"].dotted != cms.ID_ARCHIVE_TIMESTAMP_V3
                for value in each["values"]
            ],
        ),
    ):
        listed = [
            each.native for each in core.SequenceOf.load(hashed.dump(), spec=core.OctetString)
        ]
        assert sorted(listed) == sorted(map(sha256, things))


def test_renewal_covers_what_came_after_the_first_archive_timestamp(
    archived: bytes, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    tsa = cades.read(archived, DOCUMENT)[0].timestamps[0].signature.signing_certificate
    assert tsa is not None
    more = ValidationMaterial(ocsp=(ocsp_of(software_authority, tsa),))
    renewed = cades.add_archive_timestamp(
        cades.add_validation_material(archived, more), timestamper,
        document=DOCUMENT, digest="sha384",
    )  # fmt: skip

    (evidence,) = cades.read(renewed, DOCUMENT)

    assert [t.imprint.intact for t in evidence.timestamps] == [True] * 3
    _, first, second = evidence.timestamps
    assert second.imprint.digest == "sha384"
    assert sha256(more.ocsp[0]) not in first.covers
    assert {sha256(more.ocsp[0]), sha256(first.token)} <= second.covers


def test_another_document_breaks_every_archive_timestamp(archived: bytes) -> None:
    (evidence,) = cades.read(archived, DOCUMENT + b" ")

    assert not evidence.references[0].intact
    assert not evidence.timestamps[1].imprint.intact


def test_an_archive_timestamp_needs_the_document_that_was_signed(
    basic: bytes, timestamper: LocalTimestamper
) -> None:
    with pytest.raises(Unprocessable, match=r"document\.missing"):
        cades.add_archive_timestamp(basic, timestamper)
    with pytest.raises(Unprocessable, match=r"document\.other"):
        cades.add_archive_timestamp(basic, timestamper, document=b"another")
    with pytest.raises(Malformed, match=r"cms\.no-signature"):
        cades.add_archive_timestamp(basic, timestamper, document=DOCUMENT, signer=1)


@pytest.mark.parametrize("suite", SIGNING_SUITES, ids=lambda suite: suite.name)
def test_enveloping_signatures_of_every_suite_are_archived(
    suite: object, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    signer = software_authority.signer(suite=next(s for s in SIGNING_SUITES if s is suite))
    signed = cades.sign(
        DOCUMENT, signer.key, signer.certificate, software_authority.now,
        packaging=Packaging.ENVELOPING,
    )  # fmt: skip
    material = material_for(software_authority, signer.certificate)

    (evidence,) = cades.read(raised(signed, material, timestamper, None))

    assert verifies(evidence)
    assert evidence.level is SignatureLevel.B_LTA
    assert all(timestamp.imprint.intact for timestamp in evidence.timestamps)


def test_a_stranger_s_signature_is_raised(
    tmp_path: Path, software_authority: SoftwareAuthority, signer: Identity,
    material: ValidationMaterial, timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    """openssl signs, also as a BER stream; we raise it to B-LTA; openssl verifies it still."""
    (tmp_path / "document").write_bytes(DOCUMENT)
    (tmp_path / "key.pem").write_bytes(signer.key.pem())
    write_pem(tmp_path / "signer.pem", [signer.certificate])
    write_pem(tmp_path / "chain.pem", signer.chain)
    for streamed in ([], ["-stream"]):
        command = ["openssl", "cms", "-sign", "-cades", "-binary", "-in", "document"]
        command += ["-signer", "signer.pem", "-inkey", "key.pem", "-certfile", "chain.pem"]
        command += ["-md", "sha256", "-outform", "DER", "-out", "s.p7s", *streamed]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        theirs = (tmp_path / "s.p7s").read_bytes()

        archived = raised(theirs, material, timestamper, DOCUMENT)
        (evidence,) = cades.read(archived, DOCUMENT)

        assert evidence.level is SignatureLevel.B_LTA
        assert all(timestamp.imprint.intact for timestamp in evidence.timestamps)
        assert verifies(evidence)
        assert openssl_verifies(tmp_path, archived, software_authority)


def test_any_flipped_byte_of_an_archived_signature_is_seen(archived: bytes) -> None:
    good = cades.read(archived, DOCUMENT)[0]

    @settings(max_examples=300, deadline=None)
    @given(position=st.integers(0, len(archived) - 1), change=st.integers(1, 255))
    def flip(position: int, change: int) -> None:
        changed = bytearray(archived)
        changed[position] ^= change
        try:
            (evidence,) = cades.read(bytes(changed), DOCUMENT)
        except Refusal:
            return
        archive = [t for t in evidence.timestamps if t.kind is TimestampKind.ARCHIVE]
        seen = (
            not verifies(evidence)
            or not archive
            or not archive[0].imprint.intact
            or not verifies(archive[0].signature)
        )
        # Outside the imprint lie only the frame and what the archive timestamp's own token
        # embeds beside its signature; nothing there changes what is said.
        assert seen or _said(evidence) == _said(good)

    flip()


def _said(evidence: SignatureEvidence) -> tuple[object, ...]:
    archive = evidence.timestamps[-1]
    return (
        evidence.signed_bytes, evidence.signature_value, evidence.references,
        evidence.signing_certificate, evidence.timestamps[0], archive.generated_at,
        archive.imprint, archive.covers,
    )  # fmt: skip


def test_ocsp_responses_are_told_apart_by_their_basic_response(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    whole = ocsp_of(software_authority, signer.certificate)
    basic = basic_response(whole)

    assert whole_response(basic) == whole
    assert basic_response(basic) == basic
    assert not ValidationMaterial(ocsp=(basic,)).without((), (whole,), ())
    for wrong in (b"", b"\x30\x00", b"\x30\x03\x0a\x01\x06"):
        with pytest.raises(Malformed, match=r"ocsp\.malformed"):
            basic_response(wrong)
