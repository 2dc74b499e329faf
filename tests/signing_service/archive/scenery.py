"""An archive in a directory, with a timestamp authority, on a clock that a test moves."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kernel.algorithms import ECDSA_P256_SHA256, AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.clock import FixedClock
from kernel.entropy import SystemEntropy
from policies.validation import ValidationPolicy, load_validation_policy
from records.database import Database, new_id
from records.journal import Journal
from signing_service.archive.accepted import AcceptedSignature, Part, PartRole
from signing_service.archive.files import FileStore
from signing_service.archive.keeping import Archive
from signing_service.evidence_records.records import EvidenceRecords
from signing_service.evidence_records.stamping import Stamping, StampingPlan
from signing_service.timestamping.authority import TimestampAuthority
from signing_service.timestamping.client import LocalTimestamper
from tests.software_keys import SoftwareKey

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
YEAR = timedelta(days=365)
POLICY = "1.3.6.1.4.1.32473.2.1"


class StampingWorld:
    """One root; as many timestamp authorities under it as a test needs; one archive."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.clock = FixedClock(START)
        self.database = database
        self.store = FileStore(directory / "archive", reserve_bytes=0)
        self.journal = Journal(self.clock)
        self.archive = Archive(database, self.store, self.journal, self.clock)
        self.evidence = EvidenceRecords(database, self.archive)
        self.policy = load_validation_policy()
        self.root_key = SoftwareKey.generate()
        self.root = self._certify(self.root_key, "Root", None, START - YEAR, START + 40 * YEAR)
        self.stamped: list[tuple[bytes, str]] = []
        self.new_authority(years=2)

    def new_authority(
        self, years: float, suite: AlgorithmSuite = ECDSA_P256_SHA256
    ) -> TimestampAuthority:
        """The timestamp authority gets a new key, certified from now on."""
        key, now = SoftwareKey.generate(suite), self.clock.now()
        certificate = self._certify(key, "TSA", self.root_key, now, now + years * YEAR)
        self.authority = TimestampAuthority(
            key, certificate, (), POLICY, self.clock, SystemEntropy()
        )
        return self.authority

    def stamp(self, imprint: bytes, digest: str) -> bytes:
        """The world is a timestamper that remembers what it was asked for."""
        self.stamped.append((imprint, digest))
        return LocalTimestamper(self.authority).stamp(imprint, digest)

    def stamping(self, policy: ValidationPolicy | None = None, **plan: object) -> Stamping:
        return Stamping(
            database=self.database,
            archive=self.archive,
            evidence=self.evidence,
            timestamper=self,
            complete=lambda token: token,
            policy=policy or self.policy,
            journal=self.journal,
            clock=self.clock,
            plan=StampingPlan(**plan),  # type: ignore[arg-type]
        )

    def accept(self, *objects: bytes, card: str = "card-1") -> str:
        """Archive a signature that consists of these objects; its identifier."""
        roles = (PartRole.DOCUMENT, PartRole.SIGNATURE, *[PartRole.CERTIFICATE] * len(objects))
        parts = [Part(role, data) for role, data in zip(roles, objects, strict=False)]
        stored = self.archive.store_parts(parts)
        accepted = accepted_signature(self.clock.now(), *objects, card=card)
        with self.database.transaction() as connection:
            self.archive.keep(connection, accepted, stored)
        return accepted.id

    def _certify(
        self,
        key: SoftwareKey,
        name: str,
        issuer: SoftwareKey | None,
        start: datetime,
        end: datetime,
    ) -> Certificate:
        public = key.private_key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name("Root"))
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .public_key(public)
            .add_extension(x509.BasicConstraints(issuer is None, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        if issuer is not None:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
            builder = builder.add_extension(purpose, critical=True)
        signed = builder.sign((issuer or key).private_key, hashes.SHA256())
        return Certificate.parse(signed.public_bytes(serialization.Encoding.DER))


def accepted_signature(
    at: datetime, document: bytes, signature: bytes = b"", *_: bytes, card: str = "card-1"
) -> AcceptedSignature:
    return AcceptedSignature(
        id=new_id(),
        accepted_at=at,
        format="CAdES",
        level="B-T",
        kind="import-declaration",
        card=card,
        subject="op-1",
        enterprise=None,
        rights=("declare-import",),
        certificate_fingerprint="0" * 64,
        document_sha256=hashlib.sha256(document).hexdigest(),
        signature_sha256=hashlib.sha256(signature).hexdigest(),
        keep_until=at + 7 * YEAR,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
