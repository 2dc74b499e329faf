"""The OCSP responder (RFC 6960, 5019, 9654) of one authority, with a delegated key.

A serial that the authority never issued is answered `revoked` in the extended sense (RFC 6960,
2.2), never `good`: docs/decisions/0014-ocsp-for-unissued-serials.md says why.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from ca import inventory
from ca.inventory import CertificateState, RevocationReason
from ca.ocsp import store as ocsp_store
from ca.ocsp.cache import CacheKey, OcspAnswer, OcspCache
from ca.ocsp.messages import (
    GOOD,
    NEVER_ISSUED,
    UNKNOWN,
    CertId,
    IssuerHashes,
    OcspRequest,
    ResponseStatus,
    SingleStatus,
    archive_cutoff,
    certificate_id,
    error_response,
    read_request,
    response_data,
    revoked,
    single_response,
)
from ca.ocsp.signer import OcspSigner, key_bits
from ca.ocsp.store import Ready
from ca.status_watch import POLL_SECONDS, StatusWatch
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import Serial, serial_text
from kernel.keys import KeyHandle
from kernel.refusals import Malformed, Refusal, Unavailable
from policies.lints.framework import Finding
from records.database import Database
from records.lookup import Lookup

MALFORMED = OcspAnswer(error_response(ResponseStatus.MALFORMED_REQUEST))
UNAUTHORIZED = OcspAnswer(error_response(ResponseStatus.UNAUTHORIZED))
_TRY_LATER = OcspAnswer(error_response(ResponseStatus.TRY_LATER))
_INTERNAL_ERROR = OcspAnswer(error_response(ResponseStatus.INTERNAL_ERROR))
_MARGIN = timedelta(seconds=30)
"""An answer is made anew this long before its nextUpdate."""
_RENEWAL_POLL_SECONDS = 30.0
_SERIAL_LIMIT = 1 << 159
_STATE = "SELECT state FROM ca_certificates WHERE serial = ? AND authority = ?"


@dataclass(frozen=True)
class AnswerPlan:
    """How long answers live and who makes them."""

    lifetime: timedelta = timedelta(minutes=10)
    """thisUpdate to nextUpdate of what is signed on demand."""
    http_max_age: timedelta = timedelta(seconds=0)
    """How long a shared HTTP cache may answer in our place; every second of it delays a
    revocation that much, hence none."""
    ahead: bool = False
    """Look for answers that were made ahead, and note what is asked for."""


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
        plan: AnswerPlan = AnswerPlan(),
        renewal: Callable[[], OcspSigner | None] | None = None,
        refused: Callable[[Sequence[Finding]], None] = lambda findings: None,
        cache_bytes: int = 64 << 20,
        poll_seconds: float = POLL_SECONDS,
        renewal_poll_seconds: float = _RENEWAL_POLL_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`renewal` gives the newest generation of the responder's key, or None to keep the one
        in use; it is asked now and then. `refused` is told what the lints stopped.

        Raises Unavailable `ocsp.wrong-key` when the key is not the responder certificate's, or
        the certificate was not issued by `issuer` for OCSP signing (RFC 6960, 4.2.2.2).
        """
        self.authority = authority
        self._ends = issuer.not_after
        self._signer = OcspSigner(issuer, key, certificate, refused)
        self._renewal = renewal
        self._renewal_poll_seconds = renewal_poll_seconds
        self._monotonic = monotonic
        self._next_renewal = float("-inf")
        self._renewing = threading.Lock()
        self._database = database
        self._clock = clock
        self._plan = plan
        self._cache_control = (
            f"max-age={int(plan.http_max_age.total_seconds())}, "
            "public, no-transform, must-revalidate"
        )
        bits = key_bits(issuer)
        self.key_hashes = {
            name: hashlib.new(name, bits, usedforsecurity=False).digest()
            for name in ("sha1", "sha256")
        }
        """SHA-1 and SHA-256 of the issuer's key, as requests name it."""
        self._issuer_hashes = {
            name: (hashlib.new(name, issuer.subject_der, usedforsecurity=False).digest(), known)
            for name, known in self.key_hashes.items()
        }
        self._plain_names = IssuerHashes.of("sha1", issuer.subject_der, bits)
        self._extensions = archive_cutoff(issuer.not_before)
        self._cache = OcspCache(cache_bytes)
        self._watch = StatusWatch(database, authority, self._cache.forget, poll_seconds, monotonic)
        self._state = Lookup(database, _STATE)
        self._demand = ocsp_store.Demand(database, authority, clock) if plan.ahead else None

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
        try:
            parsed = read_request(request)
        except Malformed:
            return MALFORMED
        return self.reply(parsed, key)

    def reply(self, request: OcspRequest, key: CacheKey | None = None) -> OcspAnswer:
        """As `answer`, to a request that was read before."""
        generation = self._cache.generation
        try:
            answer = self._answer(request)
        except Unavailable:
            return _TRY_LATER
        except Refusal:
            return _INTERNAL_ERROR
        if key is not None and request.is_plain and answer.fresh_until is not None:
            self._cache.put(key, answer, generation)
        return answer

    @property
    def has_ended(self) -> bool:
        """With its authority's certificate: from then on nobody can answer."""
        return self._clock.now() >= self._ends

    def make_ahead(self, serials: Sequence[Serial], lifetime: timedelta) -> list[Ready]:
        """Answers to plain requests (one certificate, SHA-1, no nonce), to be stored.

        Serials that were never issued are left out. Raises Unavailable.
        """
        with self._database.reading() as connection:
            # Before the statuses: an answer counts as made under the older version.
            version = inventory.status_version(connection, self.authority)
            statuses = self._statuses(serials)
        signer, now = self._usable_signer(), self._clock.now().replace(microsecond=0)
        if signer is None:
            raise Unavailable("ocsp.expired", "the responder's certificate is not valid now")
        next_update = min(now + lifetime, signer.certificate.not_after)
        this, following = der.generalized_time(now), der.generalized_time(next_update)
        made = []
        for serial in serials:
            status = statuses[serial]
            if not status.never_issued:
                asked = CertId(certificate_id(self._plain_names, serial), "sha1", b"", b"", serial)
                single = single_response(asked, status, this, following, self._extensions)
                data = response_data(signer.key_hash, this, [single], None, False)
                body = signer.response(data, kept=True)
                made.append(Ready(serial, version, now, next_update, body))
        return made

    def _answer(self, request: OcspRequest) -> OcspAnswer:
        ours = [certificate for certificate in request.certificates if self._is_ours(certificate)]
        if not ours:
            return UNAUTHORIZED
        stored = self._made_ahead(request)
        if stored is not None:
            return self._kept(stored.der, stored.this_update, stored.next_update, ours)
        now = self._clock.now().replace(microsecond=0)
        signer = self._usable_signer()
        if signer is None:
            return _TRY_LATER
        statuses = self._statuses([certificate.serial for certificate in ours])
        told = [
            statuses[certificate.serial] if self._is_ours(certificate) else UNKNOWN
            for certificate in request.certificates
        ]
        # What was never issued may be issued the next moment: no nextUpdate, kept by nobody.
        stable = all(status is not UNKNOWN and not status.never_issued for status in told)
        next_update = None
        if stable:
            next_update = min(now + self._plan.lifetime, signer.certificate.not_after)
        this = der.generalized_time(now)
        following = None if next_update is None else der.generalized_time(next_update)
        singles = [
            single_response(
                certificate,
                status,
                this,
                following,
                b"" if status.never_issued or status is UNKNOWN else self._extensions,
            )
            for certificate, status in zip(request.certificates, told, strict=True)
        ]
        extended = any(status.never_issued for status in told)
        data = response_data(signer.key_hash, this, singles, request.nonce, extended)
        if next_update is None or request.nonce is not None:
            return OcspAnswer(signer.response(data, kept=False), now, next_update)
        return self._kept(signer.response(data, kept=True), now, next_update, ours)

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
        fresh_until = next_update - min(_MARGIN, self._plan.lifetime / 2)
        return OcspAnswer(body, now, next_update, fresh_until, serials, headers, etag)

    def _made_ahead(self, request: OcspRequest) -> Ready | None:
        """A stored answer to a plain request, still true and not about to end."""
        if self._demand is None or request.nonce is not None or len(request.certificates) != 1:
            return None
        asked = request.certificates[0]
        if not 0 < asked.serial < _SERIAL_LIMIT:
            return None
        if asked.der != certificate_id(self._plain_names, asked.serial):
            return None
        serial = Serial(asked.serial)
        with self._database.reading() as connection:
            ready = ocsp_store.find(connection, self.authority, serial)
        if ready is None or self._clock.now() >= ready.next_update - _MARGIN:
            self._demand.note(serial)
            return None
        return ready

    def _usable_signer(self) -> OcspSigner | None:
        """The newest generation of the key; None: none is valid now."""
        due = self._renewal is not None and self._monotonic() >= self._next_renewal
        if due and self._renewing.acquire(blocking=False):
            try:
                self._renew()
            finally:
                self._renewing.release()
        signer = self._signer
        return signer if signer.is_valid(self._clock.now()) else None

    def _renew(self) -> None:
        self._next_renewal = self._monotonic() + self._renewal_poll_seconds
        # While database or token are away the generation in use serves on.
        with suppress(Unavailable):
            if self._renewal is not None:
                self._signer = self._renewal() or self._signer

    def _is_ours(self, certificate: CertId) -> bool:
        hashes = self._issuer_hashes.get(certificate.digest or "")
        return hashes == (certificate.name_hash, certificate.key_hash)

    def _statuses(self, serials: Sequence[int]) -> dict[int, SingleStatus]:
        if len(serials) == 1 and self._is_good(serials[0]):
            return {serials[0]: GOOD}
        with self._database.reading() as connection:
            rows = inventory.statuses(connection, self.authority, serials)
        found: dict[int, SingleStatus] = dict.fromkeys(serials, NEVER_ISSUED)
        for row in rows:
            if row.state is CertificateState.ISSUED:
                found[row.serial] = GOOD
            elif row.revoked_at is not None:
                found[row.serial] = revoked(
                    row.revoked_at, row.reason or RevocationReason.UNSPECIFIED
                )
        return found

    def _is_good(self, serial: int) -> bool:
        """The common case, asked in the quickest way."""
        if not 0 < serial < _SERIAL_LIMIT:
            return False
        row = self._state.first(serial_text(Serial(serial)), self.authority)
        return row is not None and row[0] == CertificateState.ISSUED


def http_date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC), usegmt=True)
