"""CRL distribution points: which CRL a certificate points at, and what a CRL is about
(RFC 5280, 4.2.1.13, 5.2.5 and 6.3.3 b)."""

from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509

from kernel.asn1.certificate import Certificate
from signing_service.validation.names import NameKey, name_key

ALL_REASONS = frozenset(x509.ReasonFlags) - {
    x509.ReasonFlags.unspecified,
    x509.ReasonFlags.remove_from_crl,
}
_MAX_POINTS = 16
_Name = NameKey | bytes | str


@dataclass(frozen=True)
class Point:
    """One distribution point of a certificate."""

    names: frozenset[_Name] | None
    """Where the CRL is; None: named by `issuers` alone."""
    issuers: frozenset[NameKey | bytes] | None
    """cRLIssuer, for indirect CRLs; None: the certificate's own issuer."""
    reasons: frozenset[x509.ReasonFlags]

    @classmethod
    def of_issuer(cls, certificate: Certificate) -> "Point":
        """The point that every certificate has: a complete CRL by its issuer (6.3.3)."""
        return cls(frozenset({name_key(certificate.issuer_der)}), None, ALL_REASONS)


@lru_cache(maxsize=1024)
def points_of(certificate: Certificate) -> tuple[Point, ...]:
    """The certificate's points, in order."""
    parsed = x509.load_der_x509_certificate(certificate.der)
    try:
        points = parsed.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return ()
    found = []
    for point in list(points)[:_MAX_POINTS]:
        issuers = [n.value for n in point.crl_issuer or () if isinstance(n, x509.DirectoryName)]
        base = issuers[0] if issuers else parsed.issuer
        found.append(
            Point(
                _names(point.full_name, point.relative_name, base),
                frozenset(name_key(n.public_bytes()) for n in issuers) if issuers else None,
                ALL_REASONS & point.reasons if point.reasons else ALL_REASONS,
            )
        )
    return tuple(found)


def reasons_in_scope(
    scope: x509.IssuingDistributionPoint | None, crl_issuer: x509.Name, point: Point, *, is_ca: bool
) -> frozenset[x509.ReasonFlags]:
    """The reasons of which a CRL with that issuing distribution point speaks for a certificate
    at `point`; empty: it does not speak for it."""
    if scope is None:
        return point.reasons
    if scope.only_contains_attribute_certs:
        return frozenset()
    if (scope.only_contains_user_certs and is_ca) or (scope.only_contains_ca_certs and not is_ca):
        return frozenset()
    names = _names(scope.full_name, scope.relative_name, crl_issuer)
    wanted: frozenset[_Name] = (
        point.names if point.names is not None else frozenset(point.issuers or ())
    )
    if names is not None and not names & wanted:
        return frozenset()
    some = scope.only_some_reasons
    return point.reasons & some if some else point.reasons


def _names(
    full: list[x509.GeneralName] | None,
    relative: x509.RelativeDistinguishedName | None,
    issuer: x509.Name,
) -> frozenset[_Name] | None:
    if full is not None:
        return frozenset(_general(name) for name in full)
    if relative is not None:
        return frozenset({name_key(x509.Name([*issuer.rdns, relative]).public_bytes())})
    return None


def _general(name: x509.GeneralName) -> _Name:
    if isinstance(name, x509.DirectoryName):
        return name_key(name.value.public_bytes())
    return f"{type(name).__name__}:{name.value}"
