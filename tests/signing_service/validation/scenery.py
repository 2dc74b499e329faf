"""A small world for verdicts: authorities, cards, a status book, signatures and timestamps.

Evidence is made directly, without a format: the engine must not care which format it came from.
"""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from kernel.algorithms import ECDSA_P256_SHA256, AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock, FixedClock
from kernel.entropy import SystemEntropy
from policies.rights import RightsCatalogue
from policies.validation import ValidationPolicy, load_validation_policy
from signing_service.ports import (
    CertificateStatus,
    Holder,
    HolderKind,
    StatusAnswer,
)
from signing_service.timestamping.authority import TimestampAuthority
from signing_service.timestamping.client import LocalTimestamper
from signing_service.trust import TrustAnchors, TrustedAuthority
from signing_service.validation.engine import SignatureValidation, ValidationEngine
from signing_service.validation.evidence import (
    CertificateReference,
    DigestReference,
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    TimestampEvidence,
    TimestampKind,
)
from signing_service.verification import Verification
from tests.software_keys import SoftwareKey

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)
CARD_POLICY = "1.3.6.1.4.1.32473.1.3"
DOCUMENT = "报关单 declaration".encode()
_USAGES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
}


@dataclass(frozen=True)
class Card:
    """A key with its certificate."""

    key: SoftwareKey
    certificate: Certificate


@dataclass
class Ca:
    """An authority that issues whatever a test asks for."""

    name: str
    key: SoftwareKey
    certificate: Certificate
    _serial: int = 100

    @classmethod
    def root(cls, name: str, start: datetime = START - YEAR, years: int = 20) -> "Ca":
        key = SoftwareKey.generate()
        certificate = _certify(name, key, name, key, 1, start, start + years * YEAR, ca=True)
        return cls(name, key, certificate)

    def sub(
        self,
        name: str,
        start: datetime = START - YEAR,
        years: float = 10,
        path_length: int | None = None,
        usage: tuple[str, ...] = ("keyCertSign", "cRLSign"),
        is_ca: bool = True,
        critical: tuple[x509.ExtensionType, ...] = (),
    ) -> "Ca":
        key = SoftwareKey.generate()
        self._serial += 1
        certificate = _certify(
            self.name, self.key, name, key, self._serial, start, start + years * YEAR,
            ca=is_ca, path_length=path_length, usage=usage, critical=critical,
        )  # fmt: skip
        return Ca(name, key, certificate)

    def card(
        self,
        name: str = "张三",
        *,
        suite: AlgorithmSuite = ECDSA_P256_SHA256,
        start: datetime = START - DAY,
        end: datetime = START + 2 * YEAR,
        usage: tuple[str, ...] = ("digitalSignature", "nonRepudiation"),
        purposes: tuple[ObjectIdentifier, ...] = (),
        policies: tuple[str, ...] = (CARD_POLICY,),
        critical: tuple[x509.ExtensionType, ...] = (),
        alternative_names: tuple[x509.GeneralName, ...] = (),
        key: SoftwareKey | None = None,
    ) -> Card:
        key = key or SoftwareKey.generate(suite)
        self._serial += 1
        if alternative_names:
            critical = (*critical, x509.SubjectAlternativeName(alternative_names))
        certificate = _certify(
            self.name, self.key, name, key, self._serial, start, end,
            usage=usage, purposes=purposes, policies=policies, critical=critical,
        )  # fmt: skip
        return Card(key, certificate)

    def tsa(self, name: str = "TSA", end: datetime = START + 10 * YEAR) -> Card:
        purpose = ExtendedKeyUsageOID.TIME_STAMPING
        return self.card(
            name, end=end, usage=("digitalSignature",), purposes=(purpose,), policies=()
        )


@dataclass
class StatusBook:
    """The status of every certificate of the authorities it knows."""

    clock: Clock
    issuers: set[str] = field(default_factory=set)
    revoked: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def status(self, certificate: Certificate, issuer: Certificate) -> StatusAnswer | None:
        if issuer.fingerprint not in self.issuers:
            return None
        at, reason = self.revoked.get(certificate.fingerprint, (None, None))
        status = CertificateStatus.REVOKED if at else CertificateStatus.GOOD
        if certificate.fingerprint in self.unknown:
            status = CertificateStatus.UNKNOWN
        now = self.clock.now()
        return StatusAnswer(status, now, at, reason, "the authority's own records")


@dataclass
class Registry:
    """Holders by certificate."""

    holders: dict[str, Holder] = field(default_factory=dict)

    def by_certificate(self, certificate: Certificate, at: datetime) -> Holder | None:
        return self.holders.get(certificate.fingerprint)

    def enrol(self, card: Card, **changes: Any) -> Holder:
        holder = Holder(
            HolderKind.OPERATOR, "op-1", "张三", "card-1", "active",
            "上海示例报关有限公司", "91310115MA1K3XY208", "3122980003", ("declare-import",),
            key_witness="李审核, 2026-03-01, ePass 0001",
        )  # fmt: skip
        holder = replace(holder, **changes)
        self.holders[card.certificate.fingerprint] = holder
        return holder


class World:
    """One trusted authority (root, issuing CA, card, TSA), its status book and a clock."""

    def __init__(self) -> None:
        self.clock = FixedClock(START)
        self.root = Ca.root("Root CA")
        self.issuing = self.root.sub("Issuing CA")
        self.card = self.issuing.card()
        self.tsa = self.issuing.tsa()
        self.book = StatusBook(self.clock)
        self.book.issuers = {
            self.root.certificate.fingerprint,
            self.issuing.certificate.fingerprint,
        }
        self.registry = Registry()
        self.policy = load_validation_policy()
        self.authority = TrustedAuthority(
            "本机构", (self.root.certificate,), token_policies=frozenset({CARD_POLICY})
        )

    def anchors(self) -> TrustAnchors:
        return TrustAnchors((self.authority,), (self.issuing.certificate,))

    def engine(self, policy: ValidationPolicy | None = None) -> ValidationEngine:
        return ValidationEngine(self.anchors(), (self.book,), policy or self.policy)

    def timestamper(self, tsa: Card | None = None) -> LocalTimestamper:
        """Our real timestamp authority in this process, on the world's clock."""
        card = tsa or self.tsa
        chain = (self.issuing.certificate,)
        authority = TimestampAuthority(
            card.key, card.certificate, chain, "1.3.6.1.4.1.32473.2", self.clock, SystemEntropy()
        )
        return LocalTimestamper(authority)

    def verification(self, rights: RightsCatalogue | None = None) -> Verification:
        return Verification(
            self.anchors(), (self.book,), self.registry, self.policy, self.clock, rights
        )

    def judge(
        self, evidence: SignatureEvidence, after: timedelta = timedelta()
    ) -> SignatureValidation:
        """The verdict `after` so long from now; the clock moves."""
        self.clock.advance(after)
        return self.engine().validate(evidence, self.clock.now())

    def signed(self, card: Card | None = None, **changes: Any) -> SignatureEvidence:
        """B-B evidence by `card`, now."""
        return sign(card or self.card, self.clock.now(), **changes)

    def stamped(
        self, evidence: SignatureEvidence | None = None, tsa: Card | None = None
    ) -> SignatureEvidence:
        """The same with a signature timestamp, now."""
        evidence = evidence or self.signed()
        token = stamp(tsa or self.tsa, evidence.signature_value, self.clock.now())
        return evidence._replace(timestamps=(*evidence.timestamps, token))

    def revoke(self, card: Card | Ca, reason: str = "keyCompromise") -> None:
        self.book.revoked[card.certificate.fingerprint] = (self.clock.now(), reason)


def sign(card: Card, at: datetime, document: bytes = DOCUMENT, **changes: Any) -> SignatureEvidence:
    suite = card.key.suite
    digest = hashlib.new(suite.digest, document).digest()
    signed_bytes = b"signed attributes:" + digest
    evidence = SignatureEvidence(
        SignatureFormat.CADES,
        Packaging.DETACHED,
        suite,
        suite.name,
        signed_bytes,
        card.key.sign(signed_bytes),
        (DigestReference("document", suite.digest, digest, digest),),
        True,
        card.certificate,
        CertificateReference("sha256", card.certificate.digest("sha256"), True),
        claimed_signing_time=at,
    )
    return evidence._replace(**changes)


def stamp(
    tsa: Card,
    covered: bytes,
    at: datetime,
    kind: TimestampKind = TimestampKind.SIGNATURE,
    **changes: Any,
) -> TimestampEvidence:
    imprint = hashlib.sha256(covered).digest()
    signature = sign(tsa, at, b"TSTInfo", format=SignatureFormat.CMS)
    evidence = TimestampEvidence(
        kind, b"token", at, 1.0, 42, "1.2.3",
        DigestReference("signature value", "sha256", imprint, imprint), signature,
    )  # fmt: skip
    return evidence._replace(**changes)


def _certify(
    issuer: str,
    issuer_key: SoftwareKey,
    subject: str,
    key: SoftwareKey,
    serial: int,
    start: datetime,
    end: datetime,
    *,
    ca: bool = False,
    path_length: int | None = None,
    usage: tuple[str, ...] | None = None,
    purposes: tuple[ObjectIdentifier, ...] = (),
    policies: tuple[str, ...] = (),
    critical: tuple[x509.ExtensionType, ...] = (),
) -> Certificate:
    chosen = usage if usage is not None else ("keyCertSign", "cRLSign")
    bits = {attribute: name in chosen for name, attribute in _USAGES.items()}
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca, path_length if ca else None), True),
        (
            x509.KeyUsage(
                **bits, data_encipherment=False, key_agreement=False,
                encipher_only=False, decipher_only=False,
            ),
            True,
        ),
        (x509.SubjectKeyIdentifier.from_public_key(key.private_key.public_key()), False),
        (
            x509.AuthorityKeyIdentifier.from_issuer_public_key(
                issuer_key.private_key.public_key()
            ),
            False,
        ),
    ]  # fmt: skip
    if purposes:
        extensions.append((x509.ExtendedKeyUsage(purposes), True))
    if policies:
        information = [x509.PolicyInformation(ObjectIdentifier(p), None) for p in policies]
        extensions.append((x509.CertificatePolicies(information), False))
    elif ca:
        any_policy = x509.PolicyInformation(ObjectIdentifier("2.5.29.32.0"), None)
        extensions.append((x509.CertificatePolicies([any_policy]), False))
    extensions += [(extension, True) for extension in critical]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(end)
        .public_key(key.private_key.public_key())
    )
    for value, is_critical in extensions:
        builder = builder.add_extension(value, is_critical)
    made = builder.sign(issuer_key.private_key, hashes.SHA256())
    return Certificate.parse(made.public_bytes(serialization.Encoding.DER))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
