"""Certification paths: found and checked as RFC 5280, clause 6, asks, but for time and status.

What is checked here never changes for the same certificates: names, signatures, CA flags, key
usage, path lengths, name constraints, unknown critical extensions. So a search is remembered,
and a caller asks of a found path what does change: validity at a time, revocation, algorithms,
policies.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from threading import Lock

from kernel.asn1.certificate import Certificate
from kernel.refusals import Unavailable
from signing_service.trust import TrustAnchors, TrustedAuthority
from signing_service.validation import name_constraints
from signing_service.validation.name_constraints import names_are_permitted
from signing_service.validation.names import is_self_issued, name_key
from signing_service.validation.policy_graph import PROCESSED, process_policies

MAX_PATH_CERTIFICATES = 8
MAX_SIGNATURE_CHECKS = 48
MAX_PATHS = 4
MAX_EMBEDDED = 32
_REMEMBERED = 4096


@dataclass(frozen=True)
class CertificatePath:
    """A path, the end entity's certificate first and the trust anchor last."""

    certificates: tuple[Certificate, ...]
    authority: TrustedAuthority
    windows: dict[int, tuple[tuple[datetime, datetime] | None, object]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """For the certificate validator: when nothing but its status can stand against the path, by
    the `id` of what is expected of it, which is kept alive beside."""

    @property
    def anchor(self) -> Certificate:
        return self.certificates[-1]

    @property
    def intermediates(self) -> tuple[Certificate, ...]:
        return self.certificates[1:-1]

    def issued(self) -> Iterator[tuple[Certificate, Certificate]]:
        """Each certificate below the anchor, with its issuer, from the end entity up."""
        return iter(self._issued)

    @cached_property
    def _issued(self) -> tuple[tuple[Certificate, Certificate], ...]:
        return tuple(zip(self.certificates, self.certificates[1:], strict=False))

    def policies(self) -> frozenset[str] | None:
        """Certificate policies valid for the whole path (RFC 5280, 6.1), as its authority calls
        them; None: any policy. The anchor's own policies do not count (6.1.1 d)."""
        return self._policies

    @cached_property
    def _policies(self) -> frozenset[str] | None:
        return process_policies(self.certificates[-2::-1] or self.certificates).policies


@dataclass(frozen=True)
class PathFault:
    """Why no path was found: a reason of `words.py`, and the certificate it is about."""

    reason: str
    subject: str


@dataclass(frozen=True)
class PathSearch:
    """All the paths found, the most direct first; `fault` tells why when there are none."""

    paths: tuple[CertificatePath, ...]
    fault: PathFault | None
    lasts: bool = True
    """False where a signature could not be checked now, which may be possible later."""


class PathBuilder:
    """Finds paths to the trust anchors. Safe to use from many threads."""

    def __init__(self, anchors: TrustAnchors) -> None:
        self._anchors = anchors
        self._remembered: OrderedDict[tuple[str, tuple[str, ...]], PathSearch] = OrderedDict()
        self._lock = Lock()

    @property
    def anchors(self) -> TrustAnchors:
        return self._anchors

    def is_configured(self, certificate: Certificate) -> bool:
        return self._anchors.is_configured(certificate)

    def search(
        self, certificate: Certificate, embedded: tuple[Certificate, ...] = ()
    ) -> PathSearch:
        """Paths from `certificate` to an anchor; `embedded` certificates may help on the way."""
        helpers = embedded[:MAX_EMBEDDED]
        key = certificate.fingerprint, tuple(other.fingerprint for other in helpers)
        with self._lock:
            known = self._remembered.get(key)
            if known is not None:
                self._remembered.move_to_end(key)
                return known
        found = self.search_anew(certificate, helpers)
        if not found.lasts:
            return found
        with self._lock:
            self._remembered[key] = found
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return found

    def search_anew(
        self, certificate: Certificate, embedded: tuple[Certificate, ...] = ()
    ) -> PathSearch:
        """The same, with nothing remembered."""
        return _Search(self._anchors, embedded[:MAX_EMBEDDED]).run(certificate)


@dataclass
class _Search:
    anchors: TrustAnchors
    embedded: tuple[Certificate, ...]
    checks: int = 0
    paths: list[CertificatePath] = field(default_factory=list)
    fault: PathFault | None = None
    lasts: bool = True

    def run(self, certificate: Certificate) -> PathSearch:
        self._extend((certificate,))
        if self.paths:
            return PathSearch(tuple(self.paths), None, self.lasts)
        fault = self.fault or PathFault("path.none", certificate.issuer_text())
        return PathSearch((), fault, self.lasts)

    def _extend(self, climbed: tuple[Certificate, ...]) -> None:
        top = climbed[-1]
        authorities = self.anchors.authorities_of(top)
        if authorities:
            self._arrive(climbed, authorities)
            return
        if len(climbed) >= MAX_PATH_CERTIFICATES:
            self.fault = PathFault("path.too-long", top.subject_text())
            return
        for issuer in self.anchors.issuer_candidates(top, self.embedded):
            if len(self.paths) >= MAX_PATHS:
                return
            # The same name with the same key twice is a loop, whatever the certificate.
            if any(_same_entity(issuer, below) for below in climbed):
                continue
            if self.checks >= MAX_SIGNATURE_CHECKS:
                self.fault = PathFault("path.search-exhausted", top.subject_text())
                return
            self.checks += 1
            try:
                genuine = top.has_signature_of(issuer)
            except Unavailable:
                self.lasts = False
                self.fault = PathFault("path.library-missing", top.subject_text())
                continue
            if not genuine:
                self.fault = self.fault or PathFault("path.bad-signature", top.subject_text())
                continue
            self._extend((*climbed, issuer))

    def _arrive(
        self, climbed: tuple[Certificate, ...], authorities: tuple[TrustedAuthority, ...]
    ) -> None:
        fault = _structural_fault(climbed)
        if fault is not None:
            self.fault = fault
            return
        self.paths += [CertificatePath(climbed, authority) for authority in authorities]


def _same_entity(one: Certificate, other: Certificate) -> bool:
    return one.spki == other.spki and name_key(one.subject_der) == name_key(other.subject_der)


def _structural_fault(path: tuple[Certificate, ...]) -> PathFault | None:
    """RFC 5280, 6.1, for every certificate but a lone anchor."""
    below = 0  # CA certificates below that are not self-issued, for the path length
    for position, certificate in enumerate(path):
        is_anchor = position == len(path) - 1
        unknown = certificate.critical_unknown_extensions
        processed = PROCESSED | ({name_constraints.OID} if certificate.is_ca else frozenset())
        if not is_anchor and unknown - processed:
            return PathFault("path.unknown-critical-extension", certificate.subject_text())
        if position == 0:
            continue
        if not names_are_permitted(certificate, path[:position]):
            return PathFault("path.name-not-permitted", certificate.subject_text())
        if not certificate.is_ca:
            return PathFault("path.issuer-is-no-ca", certificate.subject_text())
        if certificate.has_key_usage and "keyCertSign" not in certificate.key_usage:
            return PathFault("path.issuer-may-not-sign", certificate.subject_text())
        if certificate.path_length is not None and below > certificate.path_length:
            return PathFault("path.length-exceeded", certificate.subject_text())
        if not is_self_issued(certificate):
            below += 1
    if len(path) > 1 and not process_policies(path[-2::-1]).holds:
        return PathFault("path.policy-required", path[0].subject_text())
    return None
