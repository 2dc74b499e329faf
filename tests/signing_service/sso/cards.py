"""Cards, an authority for them, and what the portal and the authority know, for these tests."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from kernel.asn1.certificate import Certificate
from kernel.clock import Clock, FixedClock
from kernel.entropy import SystemEntropy
from kernel.keys import KeyHandle
from kernel.refusals import Refusal, Unauthenticated
from records.database import Database
from signing_service.ports import (
    CertificateStatus,
    Holder,
    HolderKind,
    RightPeriod,
    StatusAnswer,
)
from signing_service.sso.authentication_token import make_authentication_token
from signing_service.sso.challenges import Challenges
from signing_service.sso.settings import SsoSettings
from tests.software_keys import SoftwareKey

ORIGIN = "http://localhost"
CARD_POLICY = "1.3.6.1.4.1.99999.1.1"
FILE_POLICY = "1.3.6.1.4.1.99999.1.2"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
EMAIL = "1.3.6.1.5.5.7.3.4"
GRANTED_FROM = datetime(2026, 1, 4, 16, 30, tzinfo=UTC)
GRANTED_UNTIL = datetime(2099, 12, 31, 16, tzinfo=UTC)
"""Of the holders' one right."""
ALL_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def settings(origin: str = ORIGIN, **changes: object) -> SsoSettings:
    return replace(
        SsoSettings(
            origin=origin,
            accepted_policies=frozenset({CARD_POLICY, FILE_POLICY}),
            hardware_policies=frozenset({CARD_POLICY}),
        ),
        **changes,  # type: ignore[arg-type]
    )


class CardAuthority:
    """Issues certificates for cards, right ones and wrong ones."""

    def __init__(self, now: datetime, name: str = "Card CA") -> None:
        self.now = now
        self._name = name
        self._key = SoftwareKey.generate()
        self._serial = 4096
        self.certificate = self.issue(
            self._key, name, usages=("key_cert_sign", "crl_sign"), ca=True, purposes=()
        )

    def issue(
        self,
        key: KeyHandle,
        name: str = "Operator Li",
        *,
        usages: Iterable[str] = ("digital_signature",),
        purposes: Iterable[str] = (CLIENT_AUTH,),
        policies: Iterable[str] = (CARD_POLICY,),
        ca: bool = False,
        starts: timedelta = timedelta(days=-1),
        ends: timedelta = timedelta(days=365),
        critical: str | None = None,
    ) -> Certificate:
        self._serial += 1
        used = set(usages)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self._name))
            .serial_number(self._serial)
            .not_valid_before(self.now + starts)
            .not_valid_after(self.now + ends)
            .public_key(key.public_key.pyca)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.KeyUsage(**{u: u in used for u in ALL_USAGES}), critical=True)
        )
        if purposes := tuple(purposes):
            listed = x509.ExtendedKeyUsage([x509.ObjectIdentifier(p) for p in purposes])
            builder = builder.add_extension(listed, critical=False)
        if policies := tuple(policies):
            information = [x509.PolicyInformation(x509.ObjectIdentifier(p), None) for p in policies]
            builder = builder.add_extension(x509.CertificatePolicies(information), critical=False)
        if critical is not None:
            unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(critical), b"\x05\x00")
            builder = builder.add_extension(unknown, critical=True)
        made = builder.sign(self._key.private_key, hashes.SHA256())
        return Certificate.parse(made.public_bytes(serialization.Encoding.DER))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Registry:
    """What the portal knows of holders and the authority of certificates; changes at a word."""

    clock: Clock
    holders: dict[str, Holder] = field(default_factory=dict)
    statuses: dict[str, CertificateStatus] = field(default_factory=dict)
    revoked: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    """Since when, and for what reason."""
    silent: bool = False
    failing: Refusal | None = None
    age: timedelta = timedelta(0)
    asked: int = 0

    def register(
        self, certificate: Certificate, card: str = "card-1", name: str = "李四"
    ) -> Holder:
        holder = Holder(
            kind=HolderKind.OPERATOR,
            subject=f"operator-of-{card}",
            name=name,
            card=card,
            card_state="active",
            enterprise_name="宁波样例进出口有限公司",
            enterprise_uscc="91330200MA2AF0LT3J",
            customs_code="3302123456",
            rights=("declare-import",),
            right_periods=(RightPeriod("declare-import", GRANTED_FROM, GRANTED_UNTIL),),
            employee_number="E-001",
            key_witness="李审核, 2026-03-01, ePass 0001",
        )
        self.holders[certificate.fingerprint] = holder
        self.statuses[certificate.fingerprint] = CertificateStatus.GOOD
        return holder

    def set_state(
        self, certificate: Certificate, state: str, since: datetime | None = None
    ) -> None:
        known = self.holders[certificate.fingerprint]
        moved = replace(known, card_state=state, card_state_since=since)
        self.holders[certificate.fingerprint] = moved

    def revoke(self, certificate: Certificate, reason: str = "keyCompromise") -> None:
        self.statuses[certificate.fingerprint] = CertificateStatus.REVOKED
        self.revoked[certificate.fingerprint] = (self.clock.now(), reason)

    def by_certificate(self, certificate: Certificate, at: datetime) -> Holder | None:
        return self.holders.get(certificate.fingerprint)

    def status(self, certificate: Certificate, issuer: Certificate) -> StatusAnswer | None:
        self.asked += 1
        if self.failing is not None:
            raise self.failing
        if self.silent:
            return None
        known = self.statuses.get(certificate.fingerprint, CertificateStatus.UNKNOWN)
        since, reason = self.revoked.get(certificate.fingerprint, (None, None))
        return StatusAnswer(known, self.clock.now() - self.age, since, reason)


@dataclass(frozen=True)
class Card:
    """A key in a token, its certificate, and the holder who answers challenges with it."""

    key: KeyHandle
    certificate: Certificate
    holder: Holder

    def answer(
        self, nonce: str, origin: str = ORIGIN, confirmed: str | None = None
    ) -> dict[str, str]:
        """`confirmed`: digest of the acts that the holder was shown."""
        return make_authentication_token(
            self.key, self.certificate.der, origin, nonce, "portseal/0.1", confirmed
        )


def take_many(url: str, browser: str, nonces: list[str], at: datetime) -> list[str]:
    """In a process of its own: take every challenge that is still there."""
    database = Database(url)
    challenges = Challenges(database, FixedClock(at), SystemEntropy(), settings())
    taken = []
    for nonce in nonces:
        with suppress(Unauthenticated):
            taken.append(challenges.take(browser, nonce).nonce)
    database.dispose()
    return taken
