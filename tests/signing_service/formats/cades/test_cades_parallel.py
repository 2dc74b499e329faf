"""Several signers of one document, counter-signatures, what signers claim, and huge documents."""

import hashlib
import io
import os
import resource
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from kernel.asn1 import cms, der
from kernel.refusals import Conflict, Malformed, TooLarge, Unprocessable
from signing_service.formats.cades import whole as cades
from signing_service.formats.claims import NO_CLAIMS, PROOF_OF_APPROVAL, Claims, PolicyReference
from signing_service.formats.cms import signed_data
from signing_service.formats.cms.signed_data_parts import Parts
from signing_service.formats.document import StreamedDocument
from signing_service.formats.prepared import PreparedSignature
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
    TimestampKind,
)
from tests.signing_service.formats.material import material_for
from tests.software_keys import SIGNING_SUITES, Identity, SoftwareAuthority, write_pem

DOCUMENT = "报关单".encode()


def verifies(evidence: SignatureEvidence) -> bool:
    certificate, suite = evidence.signing_certificate, evidence.suite
    return (
        certificate is not None
        and suite is not None
        and certificate.public_key.verify(suite, evidence.signature_value, evidence.signed_bytes)
        and all(reference.intact for reference in evidence.references)
    )


def openssl_verifies(directory: Path, signed: bytes, authority: SoftwareAuthority) -> bool:
    (directory / "s.p7s").write_bytes(signed)
    (directory / "document").write_bytes(DOCUMENT)
    root = write_pem(directory / "root.pem", [authority.root.certificate])
    command = ["openssl", "cms", "-verify", "-cades", "-inform", "DER", "-in", "s.p7s", "-binary"]
    command += ["-content", "document", "-CAfile", str(root), "-purpose", "any", "-out", "out"]
    return subprocess.run(command, cwd=directory, capture_output=True).returncode == 0


def sign(signer: Identity, authority: SoftwareAuthority, document: bytes = DOCUMENT) -> bytes:
    return cades.sign(document, signer.key, signer.certificate, authority.now, chain=signer.chain)


def countersigned(
    signed: bytes, officer: Identity, authority: SoftwareAuthority, claims: Claims = NO_CLAIMS
) -> bytes:
    prepared = cades.prepare_counter_signature(
        signed, officer.certificate, authority.now, chain=officer.chain, claims=claims
    )
    again = PreparedSignature.from_bytes(prepared.to_bytes())
    return cades.assemble_counter_signature(again, officer.key.sign(again.to_be_signed))


def test_parallel_signatures_keep_their_order_and_openssl_verifies_all(
    tmp_path: Path, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    signers = [
        software_authority.signer(f"signer {suite.name}", suite) for suite in SIGNING_SUITES[:3]
    ]
    signed = sign(signers[0], software_authority)
    for signer in signers[1:]:
        signed = cades.merge(signed, sign(signer, software_authority))
    signed = cades.add_signature_timestamp(signed, timestamper, signer=1)
    signed = cades.add_validation_material(
        signed, material_for(software_authority, signers[1].certificate)
    )
    signed = cades.add_archive_timestamp(signed, timestamper, document=DOCUMENT, signer=1)

    evidence = cades.read(signed, DOCUMENT)

    assert [each.signing_certificate for each in evidence] == [s.certificate for s in signers]
    assert [each.level for each in evidence] == [
        SignatureLevel.B_B, SignatureLevel.B_LTA, SignatureLevel.B_B,
    ]  # fmt: skip
    assert all(map(verifies, evidence))
    assert evidence[1].timestamps[1].imprint.intact
    assert openssl_verifies(tmp_path, signed, software_authority)


def test_a_signer_may_join_an_archived_signature(
    software_authority: SoftwareAuthority, signer: Identity, timestamper: LocalTimestamper
) -> None:
    stamped = cades.add_signature_timestamp(sign(signer, software_authority), timestamper)
    archived = cades.add_archive_timestamp(stamped, timestamper, document=DOCUMENT)
    joined = cades.merge(archived, sign(software_authority.signer("other"), software_authority))

    first, second = cades.read(joined, DOCUMENT)

    assert all(timestamp.imprint.intact for timestamp in first.timestamps)
    assert verifies(second)


def test_signatures_over_different_documents_are_not_merged(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    with pytest.raises(Unprocessable, match=r"document\.other"):
        cades.merge(sign(signer, software_authority), sign(signer, software_authority, b"other"))


def test_a_counter_signature_is_made_read_and_archived(
    tmp_path: Path, software_authority: SoftwareAuthority, signer: Identity,
    timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    officer = software_authority.signer("officer")
    signed = countersigned(
        sign(signer, software_authority), officer, software_authority, Claims(roles=("officer",))
    )
    archived = cades.add_archive_timestamp(
        cades.add_signature_timestamp(signed, timestamper), timestamper, document=DOCUMENT
    )

    (evidence,) = cades.read(archived, DOCUMENT)
    (counter,) = evidence.counter_signatures

    assert verifies(evidence)
    assert verifies(counter)
    assert counter.format is SignatureFormat.CADES
    assert counter.signing_certificate == officer.certificate
    assert counter.roles == ("officer",)
    assert counter.references[0].name == "countersigned signature"
    covers = evidence.timestamps[-1].covers
    assert hashlib.sha256(counter.signature_value).digest() in covers
    assert openssl_verifies(tmp_path, archived, software_authority)
    with pytest.raises(Conflict, match=r"cades\.archived"):
        cades.prepare_counter_signature(archived, officer.certificate, software_authority.now)


def test_a_counter_signature_upon_another_signature_is_not_intact(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    one = countersigned(sign(signer, software_authority), signer, software_authority)
    moved = Parts.read(one).signers[0].unsigned[0]
    other = Parts.read(sign(signer, software_authority, b"another"))
    forged = other.with_signer(0, other.signer(0).with_attribute(moved)).encode()

    (counter,) = cades.read(forged, b"another")[0].counter_signatures

    assert not counter.references[0].intact


def test_a_broken_counter_signature_is_told(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    parts = Parts.read(sign(signer, software_authority))
    for broken in (der.integer(1), der.sequence(der.integer(1))):
        attribute = cms.attribute(cms.ID_COUNTER_SIGNATURE, broken)
        changed = parts.with_signer(0, parts.signer(0).with_attribute(attribute)).encode()

        (evidence,) = cades.read(changed, DOCUMENT)

        assert evidence.counter_signatures == ()
        assert "counter-signature cannot be read" in evidence.observations[0]


def test_counter_signatures_are_limited_in_number(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    parts = Parts.read(countersigned(sign(signer, software_authority), signer, software_authority))
    (attribute,) = parts.signer(0).unsigned
    signer_info = parts.signer(0)
    for _ in range(16):
        signer_info = signer_info.with_attribute(attribute)

    with pytest.raises(Malformed, match=r"cms\.too-many"):
        cades.read(parts.with_signer(0, signer_info).encode(), DOCUMENT)


def test_claims_are_signed_read_and_tolerated_by_openssl(
    tmp_path: Path, software_authority: SoftwareAuthority, signer: Identity,
    timestamper: LocalTimestamper,
) -> None:  # fmt: skip
    policy = PolicyReference("1.3.6.1.4.1.99999.2.1", "sha256", hashlib.sha256(b"p").digest())
    claims = Claims(PROOF_OF_APPROVAL, ("报关员", "manager"), policy, "application/xml")
    prepared = cades.prepare(
        DOCUMENT, signer.certificate, software_authority.now, chain=signer.chain, claims=claims,
        content_timestamper=timestamper,
    )  # fmt: skip
    signed = cades.assemble(prepared, signer.key.sign(prepared.to_be_signed))

    (evidence,) = cades.read(signed, DOCUMENT)

    assert verifies(evidence)
    assert evidence.commitment == PROOF_OF_APPROVAL
    assert evidence.roles == claims.roles
    assert evidence.policy == policy.identifier
    assert evidence.policy_digest == (policy.digest, policy.value)
    assert evidence.content_type == "application/xml"
    (stamp,) = evidence.timestamps
    assert stamp.kind is TimestampKind.CONTENT
    assert stamp.imprint.intact
    assert not cades.read(signed, b"other")[0].timestamps[0].imprint.intact
    assert openssl_verifies(tmp_path, signed, software_authority)


def test_claims_that_cannot_be_are_refused() -> None:
    for wrong in (("",), ("x" * 257,), ("a\nb",), ("x",) * 17):
        with pytest.raises(Unprocessable, match=r"claims\."):
            Claims(roles=wrong)
    with pytest.raises(Unprocessable, match=r"algorithm\.unknown"):
        PolicyReference("1.2.3", "md4", b"")


def test_broken_attributes_are_refused(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    """Signed by the signer all the same: it is the structure that is refused."""
    prepared = cades.prepare(DOCUMENT, signer.certificate, software_authority.now)
    whole = der.read_only(prepared.to_be_signed, der.SET)
    attributes = der.elements(prepared.to_be_signed[whole.content :])
    for kind in (cms.ID_SIGNER_ATTRIBUTES_V2, cms.ID_SIGNATURE_POLICY):
        for value in (der.integer(1), der.sequence(der.explicit(0, b"\x30"))):
            signed_attributes = der.set_of((*attributes, cms.attribute(kind, value)))
            broken = PreparedSignature(
                prepared.format, prepared.packaging, prepared.suite, prepared.certificate, (),
                signed_attributes, b"",
            )  # fmt: skip
            signed = cades.assemble(broken, signer.key.sign(signed_attributes))
            with pytest.raises(Malformed):
                cades.read(signed, DOCUMENT)


class Endless(io.RawIOBase):
    """A document of any size that takes no room."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        assert whence == os.SEEK_SET
        self._at = offset
        return offset

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        count = min(len(buffer), self._size - self._at)
        self._at += count
        return count


@pytest.mark.parametrize("suite", SIGNING_SUITES[:1] + SIGNING_SUITES[3:], ids=lambda s: s.name)
def test_a_document_of_one_gibibyte_is_signed_and_verified_in_little_memory(
    suite: object, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    signer = software_authority.signer(suite=next(s for s in SIGNING_SUITES if s is suite))
    size = 1 << 30
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    document = StreamedDocument(Endless(size))  # type: ignore[arg-type]
    signed = cades.sign(document, signer.key, signer.certificate, software_authority.now)
    signed = cades.add_archive_timestamp(
        signed, timestamper, document=document, digest=signer.key.suite.digest
    )
    (evidence,) = cades.read(signed, document)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert verifies(evidence)
    assert evidence.timestamps[0].imprint.intact
    assert peak < 16 << 20
    assert grown < 64 << 10
    shorter = StreamedDocument(Endless(1 << 20))  # type: ignore[arg-type]
    assert not cades.read(signed, shorter)[0].references[0].intact


def test_a_streamed_document_has_a_limit_and_is_not_enveloped(
    software_authority: SoftwareAuthority, signer: Identity
) -> None:
    document = StreamedDocument(io.BytesIO(bytes(100)), max_bytes=99)

    with pytest.raises(TooLarge):
        cades.sign(document, signer.key, signer.certificate, software_authority.now)
    with pytest.raises(Unprocessable, match=r"packaging\.unfit"):
        cades.sign(
            StreamedDocument(io.BytesIO(b"x")), signer.key, signer.certificate,
            software_authority.now, packaging=Packaging.ENVELOPING,
        )  # fmt: skip
    assert signed_data.digest_of("md4", StreamedDocument(io.BytesIO(b"x"))) is None
