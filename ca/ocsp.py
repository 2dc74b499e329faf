"""The OCSP responder (RFC 6960, 5019, 9654) of one authority, with a delegated key.

A serial that the authority never issued is answered `revoked` in the extended sense (RFC 6960,
2.2), never `good`: docs/decisions/0014-ocsp-for-unissued-serials.md says why.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from ca import inventory
from ca.inventory import CertificateState, RevocationReason
from ca.ocsp_cache import CacheKey, OcspAnswer, OcspCache
from ca.ocsp_messages import (
    GOOD,
    NEVER_ISSUED,
    UNKNOWN,
    CertId,
    OcspRequest,
    ResponseStatus,
    SingleStatus,
    error_response,
    read_request,
    response_data,
    revoked,
    single_response,
    successful_response,
)
from ca.status_watch import POLL_SECONDS, StatusWatch
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import Serial
from kernel.keys import KeyHandle
from kernel.refusals import Malformed, Refusal, Unavailable
from records.database import Database

_MALFORMED = OcspAnswer(error_response(ResponseStatus.MALFORMED_REQUEST))
_TRY_LATER = OcspAnswer(error_response(ResponseStatus.TRY_LATER))
_UNAUTHORIZED = OcspAnswer(error_response(ResponseStatus.UNAUTHORIZED))
_INTERNAL_ERROR = OcspAnswer(error_response(ResponseStatus.INTERNAL_ERROR))
_MARGIN = timedelta(seconds=30)
"""An answer is made anew this long before its nextUpdate."""


class OcspResponder:
    """Answers for the certificates of one authority. Safe for threads; one per process."""

    def __init__(
        self,
        authority: str,
        issuer: Certificate,
        key: KeyHandle,
        certificate: Certificate,
        database: Database,
        clock: Clock,
        *,
        lifetime: timedelta = timedelta(minutes=10),
        http_max_age: timedelta = timedelta(seconds=0),
        cache_capacity: int = 50_000,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`lifetime`: thisUpdate to nextUpdate. `http_max_age`: how long a shared HTTP cache may
        answer in our place; every second of it delays a revocation that much, hence none.

        Raises Unavailable `ocsp.wrong-key` when the key is not the responder certificate's, or
        the certificate was not issued by `issuer` for OCSP signing (RFC 6960, 4.2.2.2).
        """
        if certificate.spki != key.public_key.spki or not certificate.is_signed_by(issuer):
            raise Unavailable("ocsp.wrong-key", "key, responder certificate and issuer differ")
        self._authority = authority
        self._key = key
        self._certificate = certificate
        self._database = database
        self._clock = clock
        self._lifetime = lifetime
        self._cache_control = (
            f"max-age={int(http_max_age.total_seconds())}, public, no-transform, must-revalidate"
        )
        self._own_key_hash = hashlib.sha1(_key_bits(certificate), usedforsecurity=False).digest()
        self._issuer_hashes = {
            name: (
                hashlib.new(name, issuer.subject_der, usedforsecurity=False).digest(),
                hashlib.new(name, _key_bits(issuer), usedforsecurity=False).digest(),
            )
            for name in ("sha1", "sha256")
        }
        self._cache = OcspCache(cache_capacity)
        self._watch = StatusWatch(database, authority, self._cache.forget, poll_seconds)

    def cached(self, key: CacheKey) -> OcspAnswer | None:
        """The answer kept under `key`, if it is still true."""
        self._watch.look()
        answer = self._cache.get(key)
        if answer is None or answer.fresh_until is None or not self._watch.is_up:
            return None
        return answer if self._clock.now() < answer.fresh_until else None

    def answer(self, request: bytes, key: CacheKey | None = None) -> OcspAnswer:
        """Answer a DER request; keep the answer under `key` where it may be kept.

        Never raises: what cannot be answered is told in OCSP's own words.
        """
        generation = self._cache.generation
        try:
            parsed = read_request(request)
            answer = self._answer(parsed)
        except Malformed:
            return _MALFORMED
        except Unavailable:
            return _TRY_LATER
        except Refusal:
            return _INTERNAL_ERROR
        if key is not None and answer.fresh_until is not None:
            self._cache.put(key, answer, generation)
        return answer

    def _answer(self, request: OcspRequest) -> OcspAnswer:
        ours = [certificate for certificate in request.certificates if self._is_ours(certificate)]
        if not ours:
            return _UNAUTHORIZED
        now = self._clock.now().replace(microsecond=0)
        if not self._certificate.not_before <= now < self._certificate.not_after:
            return _TRY_LATER
        statuses = self._statuses([certificate.serial for certificate in ours])
        told = [
            statuses[certificate.serial] if self._is_ours(certificate) else UNKNOWN
            for certificate in request.certificates
        ]
        # What was never issued may be issued the next moment: no nextUpdate, kept by nobody.
        stable = all(status is not UNKNOWN and not status.never_issued for status in told)
        next_update = min(now + self._lifetime, self._certificate.not_after) if stable else None
        singles = [
            single_response(certificate, status, now, next_update)
            for certificate, status in zip(request.certificates, told, strict=True)
        ]
        extended = any(status.never_issued for status in told)
        body = self._signed(
            response_data(self._own_key_hash, now, singles, request.nonce, extended)
        )
        if next_update is None or request.nonce is not None:
            return OcspAnswer(body, now, next_update)
        return self._kept(body, now, next_update, ours)

    def _kept(
        self, body: bytes, now: datetime, next_update: datetime, ours: Sequence[CertId]
    ) -> OcspAnswer:
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        headers = [
            ("Content-Type", "application/ocsp-response"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", self._cache_control),
            ("Last-Modified", http_date(now)),
            ("Expires", http_date(next_update)),
            ("ETag", etag),
        ]
        serials = tuple(Serial(certificate.serial) for certificate in ours)
        fresh_until = next_update - min(_MARGIN, self._lifetime / 2)
        return OcspAnswer(body, now, next_update, fresh_until, serials, headers, etag)

    def _signed(self, data: bytes) -> bytes:
        suite = self._key.suite
        signature = self._key.sign(data)
        if not self._key.public_key.verify(suite, signature, data):
            raise Unavailable("token.wrong-key", "a signature of the token does not verify")
        return successful_response(data, suite, signature, self._certificate.der)

    def _is_ours(self, certificate: CertId) -> bool:
        hashes = self._issuer_hashes.get(certificate.digest or "")
        return hashes == (certificate.name_hash, certificate.key_hash)

    def _statuses(self, serials: Sequence[int]) -> dict[int, SingleStatus]:
        with self._database.reading() as connection:
            rows = inventory.statuses(connection, self._authority, serials)
        found: dict[int, SingleStatus] = dict.fromkeys(serials, NEVER_ISSUED)
        for row in rows:
            if row.state is CertificateState.ISSUED:
                found[row.serial] = GOOD
            elif row.revoked_at is not None:
                found[row.serial] = revoked(
                    row.revoked_at, row.reason or RevocationReason.UNSPECIFIED
                )
        return found


def http_date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC), usegmt=True)


def _key_bits(certificate: Certificate) -> bytes:
    """The subjectPublicKey's octets, without tag, length and unused bits (RFC 6960, 4.1.1)."""
    spki = certificate.spki
    _, bits = der.children(spki, der.read(spki))
    return spki[bits.content + 1 : bits.end]
