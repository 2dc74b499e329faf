"""OCSP responses and CRLs fetched from where a certificate says that they are.

What was fetched is kept until it is due to be renewed, and a failure for a short while, so that
one dead responder does not slow down every verification. What is fetched is believed no more
than what came with a signature.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.refusals import Unavailable
from signing_service.fetching import HttpFetcher
from signing_service.validation.crl import MAX_CRL_BYTES
from signing_service.validation.ocsp import MAX_OCSP_BYTES
from signing_service.validation.revocation import GivenEvidence

MAX_URLS = 2
"""Addresses tried for one certificate, of each kind."""


@dataclass(frozen=True)
class CacheLimits:
    entries: int = 4096
    octets: int = 64 * 1024 * 1024
    longest: timedelta = timedelta(hours=1)
    without_end: timedelta = timedelta(minutes=5)
    """For answers that do not say when they will be renewed."""
    failure: timedelta = timedelta(minutes=1)


@dataclass
class OnlineStatus:
    """A `StatusFetcher` over HTTP. Safe to use from many threads."""

    clock: Clock
    http: HttpFetcher = field(default_factory=HttpFetcher)
    limits: CacheLimits = field(default_factory=CacheLimits)
    _kept: OrderedDict[tuple[str, bytes], tuple[datetime, bytes | None]] = field(
        default_factory=OrderedDict
    )
    _octets: int = 0
    _lock: Lock = field(default_factory=Lock)

    def fetch(self, certificate: Certificate, issuer: Certificate) -> GivenEvidence | None:
        """An OCSP response, or else CRLs; None: nothing was to be had now."""
        request = _ocsp_request(certificate, issuer) if certificate.ocsp_urls else b""
        for url in certificate.ocsp_urls[:MAX_URLS]:
            response = self._answer(url, request)
            if response is not None:
                return GivenEvidence((), (response,))
        crls = [self._answer(url, b"") for url in certificate.crl_urls[:MAX_URLS]]
        found = [crl for crl in crls if crl is not None]
        if found:
            deltas = [self._answer(url, b"") for url in _freshest_urls(certificate)]
            return GivenEvidence((*found, *(delta for delta in deltas if delta is not None)))
        return None

    def _answer(self, url: str, request: bytes) -> bytes | None:
        now, key = self.clock.now(), (url, request)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and now < kept[0]:
                self._kept.move_to_end(key)
                return kept[1]
        answer, until = self._fetch(url, request, now)
        self._keep(key, until, answer)
        return answer

    def _fetch(self, url: str, request: bytes, now: datetime) -> tuple[bytes | None, datetime]:
        try:
            if request:
                body = self.http.post(url, request, "application/ocsp-request", MAX_OCSP_BYTES).body
                end = _end_of_response(body)
            else:
                body = self.http.get(url, MAX_CRL_BYTES).body
                end = x509.load_der_x509_crl(body).next_update_utc
        except (Unavailable, ValueError, x509.InvalidVersion):
            return None, now + self.limits.failure
        if end is None:
            return body, now + self.limits.without_end
        if end <= now:  # stale already: it may be replaced any moment
            return body, now + self.limits.failure
        return body, min(end, now + self.limits.longest)

    def _keep(self, key: tuple[str, bytes], until: datetime, answer: bytes | None) -> None:
        with self._lock:
            self._drop(key)
            self._kept[key] = until, answer
            self._octets += _size(key, answer)
            while len(self._kept) > self.limits.entries or self._octets > self.limits.octets:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[str, bytes]) -> None:
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._octets -= _size(key, dropped[1])


def _size(key: tuple[str, bytes], answer: bytes | None) -> int:
    return len(key[0]) + len(key[1]) + len(answer or b"")


def _ocsp_request(certificate: Certificate, issuer: Certificate) -> bytes:
    """RFC 6960, 4.1.1. SHA-1 only names the issuer here; every responder knows it (RFC 5019)."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(certificate.der),
        x509.load_der_x509_certificate(issuer.der),
        hashes.SHA1(),  # noqa: S303 - see above
    )
    return builder.build().public_bytes(serialization.Encoding.DER)


def _end_of_response(body: bytes) -> datetime | None:
    """Raises ValueError where it is no successful response."""
    response = ocsp.load_der_ocsp_response(body)
    ends = [single.next_update_utc for single in response.responses]
    return min((end for end in ends if end is not None), default=None)


def _freshest_urls(certificate: Certificate) -> list[str]:
    """Where delta CRLs are (RFC 5280, 4.2.1.15)."""
    parsed = x509.load_der_x509_certificate(certificate.der)
    try:
        points = parsed.extensions.get_extension_for_class(x509.FreshestCRL).value
    except x509.ExtensionNotFound:
        return []
    return [
        name.value
        for point in points
        for name in point.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier)
    ][:1]
