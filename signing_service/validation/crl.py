"""What CRLs say of one certificate (RFC 5280, 5 and 6.3.3): complete, partitioned by distribution
point or reason, indirect, and delta CRLs on top of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from kernel.algorithms import (
    SUITES,
    SUITES_BY_SIGNATURE_ALGORITHM,
    AlgorithmSuite,
    Padding,
)
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal
from signing_service.ports import CertificateStatus, StatusAnswer
from signing_service.validation import distribution_points
from signing_service.validation.distribution_points import ALL_REASONS, Point
from signing_service.validation.names import NameKey, name_key

MAX_CRL_BYTES = 32 * 1024 * 1024
_SKEW = timedelta(minutes=5)
_UNDERSTOOD = {
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.CRL_NUMBER,
    ExtensionOID.DELTA_CRL_INDICATOR,
    ExtensionOID.ISSUING_DISTRIBUTION_POINT,
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    ExtensionOID.FRESHEST_CRL,
}
_ENTRY_UNDERSTOOD = {
    CRLEntryExtensionOID.CERTIFICATE_ISSUER,
    CRLEntryExtensionOID.CRL_REASON,
    CRLEntryExtensionOID.INVALIDITY_DATE,
}
_WITHOUT_NULL = {
    der.sequence(der.oid(suite.signature_oid)): suite
    for suite in SUITES.values()
    if suite.padding is Padding.PKCS1V15
}
"""RSA's parameters are NULL (RFC 4055, 5), and some leave them out."""
_REMOVED = "removeFromCRL"
_UNREADABLE = (
    ValueError, TypeError, UnsupportedAlgorithm,
    x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType,
)  # fmt: skip
"""What pyca raises for a list, or for a part of it when that is first looked at."""
ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)


@dataclass(frozen=True)
class Crl:
    """A CRL, parsed and not yet believed."""

    der: bytes
    parsed: x509.CertificateRevocationList

    @classmethod
    def parse(cls, der: bytes) -> "Crl | None":
        """None: not a CRL, or one whose critical extensions nobody here understands."""
        if len(der) > MAX_CRL_BYTES:
            return None
        try:
            parsed = x509.load_der_x509_crl(der)
            _ = parsed.issuer, parsed.last_update_utc, parsed.next_update_utc
            extensions = list(parsed.extensions)
        except _UNREADABLE:
            return None
        if any(e.critical and e.oid not in _UNDERSTOOD for e in extensions):
            return None
        return cls(der, parsed)

    @cached_property
    def issuer(self) -> NameKey | bytes:
        return name_key(self.issuer_der)

    @cached_property
    def issuer_der(self) -> bytes:
        return self.parsed.issuer.public_bytes()

    @cached_property
    def point(self) -> x509.IssuingDistributionPoint | None:
        return self._extension(x509.IssuingDistributionPoint)

    @cached_property
    def is_indirect(self) -> bool:
        return self.point is not None and self.point.indirect_crl

    @cached_property
    def number(self) -> int | None:
        number = self._extension(x509.CRLNumber)
        return None if number is None else number.crl_number

    @cached_property
    def base(self) -> int | None:
        """BaseCRLNumber: this is a delta CRL."""
        delta = self._extension(x509.DeltaCRLIndicator)
        return None if delta is None else delta.crl_number

    @cached_property
    def key_identifier(self) -> bytes | None:
        identifier = self._extension(x509.AuthorityKeyIdentifier)
        return None if identifier is None else identifier.key_identifier

    @cached_property
    def suite(self) -> AlgorithmSuite | None:
        return suite_of(self.der)

    @property
    def this_update(self) -> datetime:
        return self.parsed.last_update_utc

    def is_signed_by(self, signer: Certificate) -> bool:
        """Whether `signer` may sign CRLs of this issuer, and its key did sign this one."""
        if name_key(signer.subject_der) != self.issuer or self.suite is None:
            return False
        if signer.has_key_usage and "cRLSign" not in signer.key_usage:
            return False
        signature, signed = self.parsed.signature, self.parsed.tbs_certlist_bytes
        try:
            return signer.public_key.verify(self.suite, signature, signed)
        except Refusal:
            return False

    def entry(self, serial: int, issuer: NameKey | bytes) -> x509.RevokedCertificate | None:
        """The entry for that certificate of that issuer."""
        if not self.is_indirect:
            return self.parsed.get_revoked_certificate_by_serial_number(serial)
        current = self.issuer  # stands for the entries that follow (RFC 5280, 5.3.3)
        for entry in self.parsed:
            current = _entry_issuer(entry) or current
            if entry.serial_number == serial and current == issuer:
                return entry
        return None

    def _extension(self, kind: type[ExtensionT]) -> ExtensionT | None:
        try:
            return self.parsed.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None


Believed = Callable[[Crl], bool]
"""Whether a CRL is genuine, by a signer whom the certificate's authority stands behind."""


def crl_answer(
    der: bytes, certificate: Certificate, issuer: Certificate, at: datetime
) -> StatusAnswer | None:
    """One CRL's answer, signed by the issuer's own key; None when it does not speak for the
    certificate or cannot be believed."""
    crl = Crl.parse(der)
    if crl is None:
        return None
    return crls_answer([crl], certificate, at, lambda one: one.is_signed_by(issuer))


def crls_answer(
    crls: Sequence[Crl], certificate: Certificate, at: datetime, believed: Believed
) -> StatusAnswer | None:
    """What several CRLs together say (6.3.3); None unless they cover every reason, and where an
    entry cannot be read."""
    try:
        return _crls_answer(crls, certificate, at, believed)
    except _UNREADABLE:
        return None


def _crls_answer(
    crls: Sequence[Crl], certificate: Certificate, at: datetime, believed: Believed
) -> StatusAnswer | None:
    usable = sorted(
        (crl for crl in crls if crl.this_update <= at + _SKEW),
        key=lambda crl: crl.this_update,
        reverse=True,
    )
    complete = [crl for crl in usable if crl.base is None]
    covered: frozenset[x509.ReasonFlags] = frozenset()
    used: list[Crl] = []
    for crl, reasons in _in_scope(complete, certificate):
        if reasons <= covered or not believed(crl):
            continue
        delta = _delta(usable, crl, believed)
        latest = crl if delta is None else delta
        entry = _entry(delta, crl, certificate)
        if entry is not None:
            return _revoked(entry, latest, crl)
        used += [crl] if delta is None else [delta, crl]
        covered |= reasons
        if covered >= ALL_REASONS:
            return _good(used)
    return None


def _in_scope(
    complete: Sequence[Crl], certificate: Certificate
) -> Iterator[tuple[Crl, frozenset[x509.ReasonFlags]]]:
    """6.3.3, b: CRLs that speak for the certificate, by its distribution points and then by
    its issuer's name, with the reasons that they speak of."""
    issuer = name_key(certificate.issuer_der)
    for point in (*distribution_points.points_of(certificate), Point.of_issuer(certificate)):
        for crl in complete:
            if point.issuers is None:
                fits = crl.issuer == issuer
            else:
                fits = crl.issuer in point.issuers and crl.is_indirect
            if fits:
                reasons = distribution_points.reasons_in_scope(
                    crl.point, crl.parsed.issuer, point, is_ca=certificate.is_ca
                )
                if reasons:
                    yield crl, reasons


def _delta(usable: Sequence[Crl], base: Crl, believed: Believed) -> Crl | None:
    """6.3.3, c: the newest delta CRL that may be combined with `base`."""
    if base.number is None:
        return None
    for crl in usable:
        if (
            crl.base is not None
            and crl.number is not None
            and crl.base <= base.number < crl.number
            and crl.issuer == base.issuer
            and crl.point == base.point
            and crl.key_identifier == base.key_identifier
            and believed(crl)
        ):
            return crl
    return None


def _entry(
    delta: Crl | None, base: Crl, certificate: Certificate
) -> x509.RevokedCertificate | None:
    """6.3.3, i and j: the delta's word comes first; it may take an entry away."""
    issuer = name_key(certificate.issuer_der)
    if delta is not None:
        entry = delta.entry(certificate.serial, issuer)
        if entry is not None:
            return None if _reason(entry) == _REMOVED else entry
    return base.entry(certificate.serial, issuer)


def _revoked(entry: x509.RevokedCertificate, latest: Crl, base: Crl) -> StatusAnswer:
    unknown = any(e.critical and e.oid not in _ENTRY_UNDERSTOOD for e in entry.extensions)
    return StatusAnswer(
        CertificateStatus.REVOKED,
        latest.this_update,
        revoked_at=entry.revocation_date_utc,
        reason=None if unknown else _reason(entry),
        source=_source(latest),
        evidence=latest.der,
        next_update=latest.parsed.next_update_utc,
        suite=latest.suite.name if latest.suite else None,
        further_evidence=() if latest is base else (base.der,),
    )


def _good(used: list[Crl]) -> StatusAnswer:
    """The oldest of what was needed tells how fresh the answer is; a delta renews its base."""
    bases = {position + 1 for position, crl in enumerate(used) if crl.base is not None}
    fresh = [crl for position, crl in enumerate(used) if position not in bases]
    oldest = min(fresh, key=lambda crl: crl.this_update)
    ends = [crl.parsed.next_update_utc for crl in fresh if crl.parsed.next_update_utc]
    return StatusAnswer(
        CertificateStatus.GOOD,
        oldest.this_update,
        source=_source(oldest),
        evidence=oldest.der,
        next_update=min(ends, default=None),
        suite=oldest.suite.name if oldest.suite else None,
        further_evidence=tuple(crl.der for crl in used if crl is not oldest),
    )


def suite_of(signed: bytes) -> AlgorithmSuite | None:
    """Our row for the algorithm with which `signed`, a CertificateList or a BasicOCSPResponse, DER,
    is signed, parameters and all; SHA-1 is never good enough. None also for what is no such thing.
    """
    try:
        _, algorithm, *_ = der.children(signed, der.read_only(signed, 0x30))
    except (Malformed, ValueError):
        return None
    identifier = signed[algorithm.start : algorithm.end]
    suite = SUITES_BY_SIGNATURE_ALGORITHM.get(identifier) or _WITHOUT_NULL.get(identifier)
    return None if suite is None or suite.digest == "sha1" else suite


def _source(crl: Crl) -> str:
    kind = "delta CRL" if crl.base is not None else "CRL"
    return kind if crl.number is None else f"{kind} {crl.number}"


def _entry_issuer(entry: x509.RevokedCertificate) -> NameKey | bytes | None:
    try:
        extension = entry.extensions.get_extension_for_class(x509.CertificateIssuer)
    except (x509.ExtensionNotFound, ValueError):
        return None
    names = extension.value.get_values_for_type(x509.DirectoryName)
    return name_key(names[0].public_bytes()) if names else None


def _reason(entry: x509.RevokedCertificate) -> str | None:
    try:
        extension = entry.extensions.get_extension_for_oid(CRLEntryExtensionOID.CRL_REASON)
    except (x509.ExtensionNotFound, ValueError):
        return None
    value = extension.value
    return value.reason.value if isinstance(value, x509.CRLReason) else None
