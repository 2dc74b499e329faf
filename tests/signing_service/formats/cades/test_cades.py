"""CAdES: what we write strangers accept, what strangers write we read, the rest is refused."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.algorithms import ECDSA_P256_SHA256, ECDSA_P384_SHA384, ED25519, AlgorithmSuite
from kernel.asn1 import cms, der
from kernel.refusals import Malformed, Refusal, TooLarge, Unprocessable
from signing_service.formats.cades import whole as cades
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES, PreparedSignature
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
)
from tests.software_keys import SIGNING_SUITES, Identity, SoftwareAuthority, write_pem


def verifies(evidence: SignatureEvidence) -> bool:
    certificate, suite = evidence.signing_certificate, evidence.suite
    return (
        certificate is not None
        and suite is not None
        and certificate.public_key.verify(suite, evidence.signature_value, evidence.signed_bytes)
        and all(reference.intact for reference in evidence.references)
    )


def openssl_verifies(directory: Path, signature: bytes, document: bytes, root: Path) -> bool:
    (directory / "s.p7s").write_bytes(signature)
    (directory / "document").write_bytes(document)
    command = ["openssl", "cms", "-verify", "-cades", "-inform", "DER", "-in", "s.p7s", "-binary"]
    command += ["-content", "document", "-CAfile", str(root), "-purpose", "any", "-out", "out"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    return done.returncode == 0 and (directory / "out").read_bytes() == document


# Debian 12's OpenSSL 3.0 does not know Ed25519 in CMS (RFC 8419); the test after this does.
@pytest.mark.parametrize(
    "suite", [s for s in SIGNING_SUITES if s is not ED25519], ids=lambda suite: suite.name
)
def test_openssl_accepts_ours(
    tmp_path: Path, suite: AlgorithmSuite, software_authority: SoftwareAuthority,
    timestamper: LocalTimestamper, declaration: bytes,
) -> None:  # fmt: skip
    signer = software_authority.signer(suite=suite)
    root = write_pem(tmp_path / "root.pem", [software_authority.root.certificate])

    basic = cades.sign(
        declaration, signer.key, signer.certificate, software_authority.now, chain=signer.chain
    )
    stamped = cades.add_signature_timestamp(basic, timestamper)

    for signature in (basic, stamped):
        assert openssl_verifies(tmp_path, signature, declaration, root)
        assert not openssl_verifies(tmp_path, signature, declaration + b" ", root)


@pytest.mark.parametrize("suite", SIGNING_SUITES, ids=lambda suite: suite.name)
def test_evidence_of_ours(
    suite: AlgorithmSuite, software_authority: SoftwareAuthority,
    timestamper: LocalTimestamper, declaration: bytes,
) -> None:  # fmt: skip
    signer = software_authority.signer(suite=suite)
    signed = cades.sign(
        declaration, signer.key, signer.certificate, software_authority.now,
        chain=signer.chain, timestamper=timestamper,
    )  # fmt: skip

    (evidence,) = cades.read(signed, declaration)

    assert verifies(evidence)
    assert evidence.format is SignatureFormat.CADES
    assert evidence.packaging is Packaging.DETACHED
    assert evidence.level is SignatureLevel.B_T
    assert evidence.suite is suite
    assert evidence.covers_document
    assert evidence.signing_certificate == signer.certificate
    assert evidence.certificate_reference is not None
    assert evidence.certificate_reference.matches
    assert set(evidence.embedded_certificates) == {signer.certificate, *signer.chain}
    assert evidence.claimed_signing_time == software_authority.now
    (timestamp,) = evidence.timestamps
    assert timestamp.imprint.intact
    assert verifies(timestamp.signature)
    assert timestamp.signature.format is SignatureFormat.CMS
    assert timestamp.generated_at - software_authority.now < timedelta(hours=1)


def test_enveloping_carries_the_document(signer: Identity, declaration: bytes) -> None:
    signed = cades.sign(
        declaration, signer.key, signer.certificate, signer.certificate.not_before,
        packaging=Packaging.ENVELOPING,
    )  # fmt: skip

    (alone,) = cades.read(signed)
    (beside_another,) = cades.read(signed, declaration + b" ")

    assert verifies(alone)
    assert alone.packaging is Packaging.ENVELOPING
    assert alone.covers_document
    assert not beside_another.covers_document
    assert cades.content(signed) == declaration


def test_two_steps_through_bytes(signer: Identity, declaration: bytes) -> None:
    prepared = cades.prepare(declaration, signer.certificate, signer.certificate.not_before)
    again = PreparedSignature.from_bytes(prepared.to_bytes())

    signed = cades.assemble(again, signer.key.sign(prepared.to_be_signed))

    assert again == prepared
    assert verifies(cades.read(signed, declaration)[0])


def test_digest_stands_for_the_document(signer: Identity, declaration: bytes) -> None:
    at = signer.certificate.not_before
    digest = ECDSA_P256_SHA256.hash(declaration)

    from_digest = cades.prepare(None, signer.certificate, at, digest=digest)

    assert from_digest == cades.prepare(declaration, signer.certificate, at)
    with pytest.raises(Unprocessable, match="digest"):
        cades.prepare(None, signer.certificate, at, digest=digest[:-1])


def test_a_value_over_something_else_is_refused(signer: Identity, declaration: bytes) -> None:
    prepared = cades.prepare(declaration, signer.certificate, signer.certificate.not_before)

    with pytest.raises(Unprocessable) as refusal:
        cades.assemble(prepared, signer.key.sign(prepared.to_be_signed + b"x"))

    assert refusal.value.code == "signature.mismatch"


def test_a_key_of_another_certificate_is_refused(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    other = software_authority.signer()

    with pytest.raises(Unprocessable, match=r"signature\.mismatch"):
        cades.sign(b"x", other.key, signer.certificate, software_authority.now)


def test_a_suite_that_the_key_cannot_do_is_refused(signer: Identity) -> None:
    with pytest.raises(Unprocessable, match=r"algorithm\.unfit"):
        cades.prepare(
            b"x", signer.certificate, signer.certificate.not_before, suite=ECDSA_P384_SHA384
        )


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"{}", b"\x30\x03\x02\x01\x05"])
def test_foreign_bytes_are_no_prepared_signature(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"prepared\.malformed"):
        PreparedSignature.from_bytes(data)


@pytest.mark.parametrize("flags", [[], ["-nodetach"], ["-stream", "-nodetach"], ["-keyid"]])
def test_openssl_signatures_are_read(
    tmp_path: Path, flags: list[str], signer: Identity, declaration: bytes
) -> None:
    (tmp_path / "key.pem").write_bytes(signer.key.pem())
    write_pem(tmp_path / "signer.pem", [signer.certificate])
    (tmp_path / "document").write_bytes(declaration)
    command = ["openssl", "cms", "-sign", "-cades", "-binary", "-in", "document"]
    command += ["-signer", "signer.pem", "-inkey", "key.pem", "-outform", "DER", "-out", "s.p7s"]
    subprocess.run([*command, *flags], cwd=tmp_path, check=True, capture_output=True)

    (evidence,) = cades.read((tmp_path / "s.p7s").read_bytes(), declaration)

    assert verifies(evidence)
    assert evidence.covers_document
    assert evidence.level is SignatureLevel.B_B
    assert evidence.certificate_reference is not None
    assert evidence.certificate_reference.matches
    assert ("BER" in "".join(evidence.observations)) == ("-stream" in flags)


def test_two_signers_in_one_file(
    tmp_path: Path, signer: Identity, software_authority: SoftwareAuthority,
    timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    other = software_authority.signer("李四")
    for name, identity in (("a", signer), ("b", other)):
        (tmp_path / f"{name}.key").write_bytes(identity.key.pem())
        write_pem(tmp_path / f"{name}.pem", [identity.certificate])
    (tmp_path / "document").write_bytes(b"for two")
    command = "openssl cms -sign -cades -binary -in document -outform DER -out s.p7s"
    command += " -signer a.pem -inkey a.key -signer b.pem -inkey b.key"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    signed = (tmp_path / "s.p7s").read_bytes()

    stamped = cades.add_signature_timestamp(signed, timestamper, signer=1)

    evidence = cades.read(stamped, b"for two")
    assert all(verifies(one) for one in evidence)
    assert {one.signing_certificate for one in evidence} == {signer.certificate, other.certificate}
    assert sorted(len(one.timestamps) for one in evidence) == [0, 1]


def test_without_the_document_nothing_is_covered(signer: Identity) -> None:
    signed = cades.sign(b"x", signer.key, signer.certificate, signer.certificate.not_before)

    (evidence,) = cades.read(signed)

    assert not evidence.covers_document
    assert not evidence.references[0].intact


def test_another_certificate_under_the_same_name_is_told(
    signer: Identity, software_authority: SoftwareAuthority
) -> None:
    """The signing-certificate reference protects against a substituted certificate."""
    prepared = cades.prepare(b"x", signer.certificate, software_authority.now)
    other = software_authority.signer()
    signed = cades.assemble(prepared, signer.key.sign(prepared.to_be_signed)).replace(
        signer.certificate.issuer_and_serial, other.certificate.issuer_and_serial
    )

    (evidence,) = cades.read(signed, b"x", known=[other.certificate])

    assert evidence.signing_certificate == other.certificate
    assert evidence.certificate_reference is not None
    assert not evidence.certificate_reference.matches
    assert not verifies(evidence)


SUPPRESSED = [HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def signed_declaration(signer: Identity, declaration: bytes) -> bytes:
    return cades.sign(declaration, signer.key, signer.certificate, signer.certificate.not_before)


@settings(suppress_health_check=SUPPRESSED, max_examples=60)
@given(data=st.data())
def test_any_flipped_byte_of_the_document_is_seen(
    data: st.DataObject, signed_declaration: bytes, declaration: bytes
) -> None:
    changed = bytearray(declaration)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))

    (evidence,) = cades.read(signed_declaration, bytes(changed))

    assert not evidence.references[0].intact


@settings(suppress_health_check=SUPPRESSED, max_examples=300)
@given(data=st.data())
def test_any_flipped_byte_of_the_signature_is_seen_or_harmless(
    data: st.DataObject, signer: Identity, signed_declaration: bytes, declaration: bytes
) -> None:
    signed = bytearray(signed_declaration)
    signed[data.draw(st.integers(0, len(signed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        (evidence,) = cades.read(bytes(signed), declaration)
    except Refusal:
        return
    reference = evidence.certificate_reference
    if verifies(evidence) and reference is not None and reference.matches:
        assert evidence.signing_certificate == signer.certificate
        assert evidence.claimed_signing_time == signer.certificate.not_before


@given(junk=st.binary(max_size=200))
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(Malformed, match=r"^cms\."):
        cades.read(junk, b"x")


def test_limits(signer: Identity) -> None:
    signed = cades.sign(b"x", signer.key, signer.certificate, signer.certificate.not_before)

    with pytest.raises(TooLarge, match=r"document\.too-large"):
        cades.read(signed, bytes(MAX_DOCUMENT_BYTES + 1))
    huge = rebuilt(signer, [CONTENT_TYPE, MESSAGE_DIGEST], der.explicit(3, bytes(1 << 20)))
    with pytest.raises(TooLarge, match=r"cms\.too-large"):
        cades.read(huge, b"x")
    with pytest.raises(Malformed, match=r"cms\.malformed"):
        cades.read(b"\x30\x80" * 5000, b"x")


def rebuilt(
    signer: Identity, attributes: list[bytes], more_certificates: bytes = b"", *, count: int = 1
) -> bytes:
    """A signature with other signed attributes than we would write, rightly signed."""
    signed = der.set_of(attributes)
    info = der.sequence(
        der.integer(1),
        signer.certificate.issuer_and_serial,
        der.sequence(der.oid(ECDSA_P256_SHA256.digest_oid)),
        b"\xa0" + signed[1:] if attributes else b"",
        ECDSA_P256_SHA256.signature_algorithm,
        der.octet_string(signer.key.sign(signed)),
    )
    return cms.signed_data(
        version=1,
        digest_algorithm=der.sequence(der.oid(ECDSA_P256_SHA256.digest_oid)),
        content_info=der.sequence(der.oid(cms.ID_DATA)),
        certificates=der.explicit(0, signer.certificate.der + more_certificates),
        signer_info=info * count,
    )


CONTENT_TYPE = cms.attribute(cms.ID_CONTENT_TYPE, der.oid(cms.ID_DATA))
DIGEST = der.octet_string(ECDSA_P256_SHA256.hash(b"x"))
MESSAGE_DIGEST = cms.attribute(cms.ID_MESSAGE_DIGEST, DIGEST)


def test_plain_cms_is_read_as_such(signer: Identity) -> None:
    (evidence,) = cades.read(rebuilt(signer, [CONTENT_TYPE, MESSAGE_DIGEST]), b"x")

    assert verifies(evidence)
    assert evidence.format is SignatureFormat.CMS
    assert evidence.level is SignatureLevel.BASIC


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ([CONTENT_TYPE], "cms.attributes"),
        ([MESSAGE_DIGEST], "cms.attributes"),
        ([], "cms.attributes"),
        ([CONTENT_TYPE, MESSAGE_DIGEST, MESSAGE_DIGEST], "cms.attributes"),
        ([CONTENT_TYPE, cms.attribute(cms.ID_MESSAGE_DIGEST, DIGEST, DIGEST)], "cms.attributes"),
        ([CONTENT_TYPE, cms.attribute(cms.ID_MESSAGE_DIGEST)], "cms.attributes"),
        ([CONTENT_TYPE, cms.attribute(cms.ID_MESSAGE_DIGEST, der.integer(1))], "cms.malformed"),
        (
            [cms.attribute(cms.ID_CONTENT_TYPE, der.oid(cms.ID_TST_INFO)), MESSAGE_DIGEST],
            "cms.content-type",
        ),
        (
            [CONTENT_TYPE, MESSAGE_DIGEST, cms.attribute(cms.ID_SIGNING_TIME, der.integer(1))],
            "cms.attributes",
        ),
        (
            [
                CONTENT_TYPE,
                MESSAGE_DIGEST,
                cms.attribute(cms.ID_SIGNING_CERTIFICATE_V2, der.integer(1)),
            ],
            "cms.attributes",
        ),
    ],
)
def test_wrong_signed_attributes_are_refused(
    signer: Identity, attributes: list[bytes], code: str
) -> None:
    with pytest.raises(Malformed) as refusal:
        cades.read(rebuilt(signer, attributes), b"x")

    assert refusal.value.code == code


def test_counts_are_limited(signer: Identity) -> None:
    good = [CONTENT_TYPE, MESSAGE_DIGEST]

    assert len(cades.read(rebuilt(signer, good, count=64), b"x")) == 64
    for signature in (
        rebuilt(signer, good, count=65),
        rebuilt(signer, good, signer.certificate.der * 128),
    ):
        with pytest.raises(Malformed, match=r"cms\.too-many"):
            cades.read(signature, b"x")
    with pytest.raises(Malformed, match=r"cms\.no-signature"):
        cades.read(rebuilt(signer, good, count=0), b"x")


def test_certificates_of_other_kinds_are_tolerated(signer: Identity) -> None:
    other = der.explicit(3, der.oid("1.2.3"))
    signature = rebuilt(signer, [CONTENT_TYPE, MESSAGE_DIGEST], other)

    (evidence,) = cades.read(signature, b"x")

    assert verifies(evidence)
    assert "left aside" in evidence.observations[0]


def test_a_broken_timestamp_is_told_and_proves_nothing(
    signer: Identity, timestamper: LocalTimestamper
) -> None:
    class Broken:
        def stamp(self, imprint: bytes, digest: str) -> bytes:
            return der.sequence(der.oid("1.2.3"))

    signed = cades.sign(
        b"x", signer.key, signer.certificate, signer.certificate.not_before, timestamper=Broken()
    )

    (evidence,) = cades.read(cades.add_signature_timestamp(signed, timestamper), b"x")

    assert len(evidence.timestamps) == 1
    assert "cannot be read" in evidence.observations[0]


def test_a_timestamp_over_another_signature_is_not_intact(
    signer: Identity, timestamper: LocalTimestamper
) -> None:
    token = timestamper.stamp(ECDSA_P256_SHA256.hash(b"another signature"), "sha256")

    class Moved:
        def stamp(self, imprint: bytes, digest: str) -> bytes:
            return token

    signed = cades.sign(
        b"x", signer.key, signer.certificate, signer.certificate.not_before, timestamper=Moved()
    )

    (evidence,) = cades.read(signed, b"x")

    assert not evidence.timestamps[0].imprint.intact
