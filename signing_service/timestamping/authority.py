"""A timestamp authority (RFC 3161 updated by RFC 5816; EN 319 422).

What does not change from token to token is encoded once (`response.py`).
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from kernel.asn1 import der, tsp
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.keys import KeyHandle
from kernel.refusals import Unavailable, Unprocessable
from signing_service.formats.cms.signed_data import DIGEST_ALGORITHMS
from signing_service.timestamping.response import ResponseMould

MAX_REQUEST_BYTES = 8 * 1024
MAX_NONCE_BITS = 512
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
_EXTENDED_KEY_USAGE = "2.5.29.37"
_ACCEPTED_DIGESTS = {"sha256": 32, "sha384": 48, "sha512": 64}
_IMPRINT_SIZES = {
    algorithm: _ACCEPTED_DIGESTS[name]
    for algorithm, name in DIGEST_ALGORITHMS.items()
    if name in _ACCEPTED_DIGESTS
}
"""Octets of a hashed message, by AlgorithmIdentifier, DER."""

_SERIAL_OCTETS = 16
_SERIAL_HEAD = bytes((0x02, _SERIAL_OCTETS))
_MICROSECOND = timedelta(microseconds=1)
_LEAD = 10
"""The part of the accuracy, one in so many, by which ordered times may run ahead of the clock."""

_log = logging.getLogger(__name__)


class Failure(IntEnum):
    """PKIFailureInfo bits (RFC 3161, 2.4.2)."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    SYSTEM_FAILURE = 25


class _Refused(Exception):
    def __init__(self, failure: Failure, text: str) -> None:
        super().__init__(text)
        self.failure = failure
        self.text = text


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far genTime may be from UTC."""

    seconds: int = 1
    milliseconds: int = 0

    @classmethod
    def of_milliseconds(cls, milliseconds: int) -> "Accuracy":
        return cls(*divmod(milliseconds, 1000))

    def to_der(self) -> bytes:
        seconds = der.integer(self.seconds) if self.seconds else b""
        milliseconds = b""
        if self.milliseconds:
            milliseconds = der.implicit(0, der.integer(self.milliseconds)[2:])
        return der.sequence(seconds, milliseconds)

    @property
    def span(self) -> timedelta:
        return timedelta(seconds=self.seconds, milliseconds=self.milliseconds)


def _always_healthy() -> bool:
    return True


class TimestampAuthority:
    """Answers time-stamp requests with one key, under its policies. Thread-safe if the key is."""

    def __init__(
        self,
        key: KeyHandle,
        certificate: Certificate,
        chain: Sequence[Certificate],
        policy: str,
        clock: Clock,
        entropy: Entropy,
        accuracy: Accuracy = Accuracy(),
        clock_health: Callable[[], bool] = _always_healthy,
        *,
        further_policies: Sequence[str] = (),
        ordering: bool = False,
    ) -> None:
        """`policy` is the TSAPolicyId, dotted, for those who ask for none; `further_policies` are
        granted on request. `clock_health` says whether time can be trusted. `ordering` promises
        that tokens can be ordered by their times alone (RFC 3161, 2.4.2): only for a key that one
        process uses. Their times are then told in microseconds, and where the clock stands still
        or was set back by more than a small part of the accuracy, none is told.

        Raises Unprocessable `timestamp.certificate-unfit` where the certificate is not for time
        stamping alone, critically (RFC 3161, 2.3), or not the key's.
        """
        if (
            certificate.extended_key_usage != {TIME_STAMPING}
            or _EXTENDED_KEY_USAGE not in certificate.critical_extensions
            or certificate.spki != key.public_key.spki
        ):
            raise Unprocessable(
                "timestamp.certificate-unfit", "not this key's certificate for time stamping alone"
            )
        self.certificate = certificate
        self.policy = policy
        self._key = key
        self._clock = clock
        self._entropy = entropy
        self._clock_health = clock_health
        suite = key.suite
        self._hash = getattr(hashlib, suite.digest)
        self._default_policy = ObjectIdentifier(policy)
        self._info_heads = {
            ObjectIdentifier(each): der.integer(1) + der.oid(each)
            for each in (policy, *further_policies)
        }
        self._ordering = der.TRUE if ordering else b""
        self._last = datetime.min.replace(tzinfo=UTC)
        self._last_lock = threading.Lock()
        self._accuracy = accuracy.to_der()
        self._most_ahead = accuracy.span / _LEAD
        self._response = ResponseMould(suite, certificate, chain, self._hash().digest_size)

    def answer(self, request: bytes) -> bytes:
        """TimeStampReq to TimeStampResp, both DER. Refuses inside the answer; never raises."""
        try:
            return self._granted(self._read(request))
        except _Refused as refused:
            return _refusal(refused.failure, refused.text)
        except Unavailable as unavailable:
            _log.warning("no timestamp: %s", unavailable.code)
            if unavailable.code == "clock.apart":
                return _refusal(Failure.TIME_NOT_AVAILABLE, "the clock cannot be trusted now")
            return _refusal(Failure.SYSTEM_FAILURE, "the signing key is not available")

    def _read(self, request: bytes) -> tsp.TimeStampReq:
        if len(request) > MAX_REQUEST_BYTES:
            raise _Refused(Failure.BAD_REQUEST, "the request is too large")
        try:
            read = asn1.decode_der(tsp.TimeStampReq, request)
        except ValueError:
            raise _Refused(Failure.BAD_DATA_FORMAT, "not a TimeStampReq in DER") from None
        if read.version != 1:
            raise _Refused(Failure.BAD_REQUEST, "only version 1 is known")
        if read.policy is not None and read.policy not in self._info_heads:
            known = ", ".join(each.dotted_string for each in self._info_heads)
            raise _Refused(Failure.UNACCEPTED_POLICY, f"policies here: {known}")
        if read.extensions:
            raise _Refused(Failure.UNACCEPTED_EXTENSION, "no extension is accepted")
        if read.nonce is not None and read.nonce.bit_length() > MAX_NONCE_BITS:
            raise _Refused(Failure.BAD_REQUEST, "the nonce is too long")
        return read

    def _granted(self, request: tsp.TimeStampReq) -> bytes:
        imprint = _imprint(request.message_imprint)
        if not self._clock_health():
            raise _Refused(Failure.TIME_NOT_AVAILABLE, "the clock cannot be trusted now")
        info = self._info(request, imprint, self._time())
        digest = self._hash(info).digest()
        signature = self._key.sign(self._response.to_be_signed(digest))
        return self._response.fill(info, digest, signature, certificates=request.cert_req)

    def _time(self) -> datetime:
        """Now, in milliseconds; where order is promised in microseconds, and later than any time
        told before."""
        now = self._clock.now().astimezone(UTC)
        if not self._ordering:
            return now.replace(microsecond=now.microsecond // 1000 * 1000)
        with self._last_lock:
            told = max(now, self._last + _MICROSECOND)
            if told - now > self._most_ahead:  # an order of false times is worth nothing
                raise _Refused(Failure.TIME_NOT_AVAILABLE, "the clock is behind what was told")
            self._last = told
            return told

    def _info(self, request: tsp.TimeStampReq, imprint: bytes, at: datetime) -> bytes:
        return der.sequence(
            self._info_heads[request.policy or self._default_policy],
            imprint,
            _serial(self._entropy.token(_SERIAL_OCTETS)),
            der.generalized_time(at),
            self._accuracy,
            self._ordering,
            b"" if request.nonce is None else der.integer(request.nonce),
        )


def _serial(octets: bytes) -> bytes:
    """A positive INTEGER, DER, of always as many octets (RFC 3161, 2.4.2: up to 160 bits)."""
    return _SERIAL_HEAD + bytes((octets[0] & 0x3F | 0x40,)) + octets[1:]


def _imprint(given: asn1.TLV) -> bytes:
    """The MessageImprint, DER, of a digest that is accepted."""
    content = bytes(given.data)
    size = _IMPRINT_SIZES.get(content[: content[1] + 2]) if len(content) > 1 else None
    if given.tag_bytes != b"\x30" or content[:1] != b"\x30":
        raise _Refused(Failure.BAD_DATA_FORMAT, "not a TimeStampReq in DER")
    if size is None:
        raise _Refused(Failure.BAD_ALG, "imprints are SHA-256, SHA-384 or SHA-512")
    hashed = content[content[1] + 2 :]
    if len(hashed) != size + 2 or hashed[:2] != bytes((0x04, size)):
        raise _Refused(Failure.BAD_DATA_FORMAT, "the imprint has another length")
    return der.sequence(content)


def _refusal(failure: Failure, text: str) -> bytes:
    octets = bytearray(failure // 8 + 1)
    octets[-1] = 0x80 >> failure % 8
    status = der.sequence(
        der.integer(tsp.REJECTION),
        der.sequence(der.utf8_string(text)),
        der.bit_string(bytes(octets), unused_bits=7 - failure % 8),
    )
    return der.sequence(status)
