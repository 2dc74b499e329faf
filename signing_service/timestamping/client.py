"""Asking for timestamps: in process or over HTTP, through the same DER and the same checks."""

import http.client
import socket
import threading
import time
from contextlib import suppress
from typing import Protocol
from urllib.parse import urlsplit

from cryptography.hazmat import asn1

from kernel.algorithms import DIGEST_OIDS
from kernel.asn1 import der, tsp
from kernel.entropy import Entropy, SystemEntropy
from kernel.refusals import Malformed, Refusal, Unavailable, Unprocessable
from signing_service.formats.cms import signed_data
from signing_service.timestamping.authority import TIME_STAMPING, Failure, TimestampAuthority
from signing_service.timestamping.token import (
    MAX_TOKEN_BYTES,
    imprint_digest,
    read_timestamp,
    read_tst_info,
)
from signing_service.validation.evidence import TimestampKind

_CHUNK = 16 * 1024


class Timestamper(Protocol):
    """Gives timestamps over digests."""

    def stamp(self, imprint: bytes, digest: str) -> bytes:
        """A token (ContentInfo, DER) over `imprint`, made with hashlib's `digest`.

        The answer's status, imprint, nonce, policy and signature have been checked; whether the
        authority is trusted is for the verdict engine. Raises Unavailable `timestamp.refused`,
        `timestamp.unavailable`, `timestamp.bad-answer`.
        """
        ...


class LocalTimestamper:
    """Our own authority, in this process."""

    def __init__(self, authority: TimestampAuthority, entropy: Entropy | None = None) -> None:
        self._authority = authority
        self._entropy = entropy or SystemEntropy()

    def stamp(self, imprint: bytes, digest: str) -> bytes:
        nonce = _new_nonce(self._entropy)
        request = encode_request(imprint, digest, nonce=nonce)
        answer = self._authority.answer(request)
        return check_answer(answer, imprint, digest, nonce=nonce, policy=self._authority.policy)


class HttpTimestamper:
    """An authority at a URL (RFC 3161, 3.4). Redirects are not followed."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 5.0,
        max_bytes: int = MAX_TOKEN_BYTES,
        policy: str | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        """`timeout` is in seconds, for the whole exchange; `max_bytes` limits the answer.

        Raises Unprocessable `timestamp.url`.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise Unprocessable("timestamp.url", "an http or https address is needed")
        self._host, self._port, self._secure = parts.hostname, parts.port, parts.scheme == "https"
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._policy = policy
        self._entropy = entropy or SystemEntropy()

    def stamp(self, imprint: bytes, digest: str) -> bytes:
        nonce = _new_nonce(self._entropy)
        request = encode_request(imprint, digest, nonce=nonce, policy=self._policy)
        try:
            answer = self._exchange(request)
        except (OSError, http.client.HTTPException):
            raise Unavailable(
                "timestamp.unavailable", "the timestamp authority does not answer"
            ) from None
        return check_answer(answer, imprint, digest, nonce=nonce, policy=self._policy)

    def _exchange(self, request: bytes) -> bytes:
        deadline = time.monotonic() + self._timeout
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout)
        # The socket's own timeout is for each piece; this one is for all of it.
        alarm = threading.Timer(self._timeout, _shut, (connection,))
        alarm.daemon = True
        alarm.start()
        try:
            headers = {"Content-Type": "application/timestamp-query"}
            connection.request("POST", self._path, request, headers)
            with connection.getresponse() as response:
                if response.status != 200:
                    raise Unavailable(
                        "timestamp.unavailable", "no success status", status=response.status
                    )
                return self._read(response, deadline)
        finally:
            alarm.cancel()
            connection.close()

    def _read(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        body = bytearray()
        # read1 returns what has arrived, so that a trickle cannot outlast the deadline.
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > self._max_bytes:
                raise Unavailable("timestamp.bad-answer", "the answer is too large")
            if time.monotonic() > deadline:
                break
        if time.monotonic() > deadline:
            raise TimeoutError  # at its end, too: the alarm ends the body early
        return bytes(body)


def _shut(connection: http.client.HTTPConnection) -> None:
    """End a conversation from outside: whoever reads sees its end."""
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def encode_request(
    imprint: bytes, digest: str, *, nonce: int | None, policy: str | None = None
) -> bytes:
    """TimeStampReq, DER, asking for the certificate. Raises Unprocessable `algorithm.unknown`."""
    if digest not in DIGEST_OIDS:
        raise Unprocessable("algorithm.unknown", "no such digest", name=digest)
    algorithm = der.sequence(der.oid(DIGEST_OIDS[digest]))
    return der.sequence(
        der.integer(1),
        der.sequence(algorithm, der.octet_string(imprint)),
        b"" if policy is None else der.oid(policy),
        b"" if nonce is None else der.integer(nonce),
        der.TRUE,
    )


def check_answer(
    answer: bytes, imprint: bytes, digest: str, *, nonce: int | None, policy: str | None
) -> bytes:
    """The token in a TimeStampResp that is the answer to what was asked (RFC 3161, 2.4.2).

    Raises Unavailable `timestamp.refused` (the authority said no), `timestamp.bad-answer`.
    """
    try:
        response = asn1.decode_der(tsp.TimeStampResp, answer)
    except ValueError:
        raise Unavailable("timestamp.bad-answer", "not a TimeStampResp") from None
    status = response.status
    if status.status not in {tsp.GRANTED, tsp.GRANTED_WITH_MODS} or response.token is None:
        raise Unavailable(
            "timestamp.refused",
            "the timestamp authority refused",
            status=status.status,
            failure=_failure_name(status.fail_info),
        )
    outer = der.read(answer)
    _, token = der.children(answer, outer)
    encoded = answer[token.start : token.end]
    try:
        _check_token(encoded, imprint, digest, nonce, policy)
    except Refusal as refusal:
        raise Unavailable("timestamp.bad-answer", refusal.detail) from None
    return encoded


def _check_token(
    token: bytes, imprint: bytes, digest: str, nonce: int | None, policy: str | None
) -> None:
    evidence = read_timestamp(token, TimestampKind.SIGNATURE, None)
    content = signed_data.read(token).content
    assert content is not None  # read_timestamp refuses a token without content
    info = read_tst_info(content)
    if info.nonce != nonce:
        raise Malformed("timestamp.malformed", "another nonce than asked")
    if imprint_digest(info.message_imprint) != digest or evidence.imprint.expected != imprint:
        raise Malformed("timestamp.malformed", "another imprint than asked")
    if policy is not None and evidence.policy != policy:
        raise Malformed("timestamp.malformed", "another policy than asked")
    signature = evidence.signature
    certificate, reference = signature.signing_certificate, signature.certificate_reference
    if certificate is None or reference is None or not reference.matches:
        raise Malformed("timestamp.malformed", "the signing certificate is missing or another")
    if TIME_STAMPING not in certificate.extended_key_usage:
        raise Malformed("timestamp.malformed", "the certificate is not for time stamping")
    if (
        signature.suite is None
        or not all(r.intact for r in signature.references)
        or not certificate.public_key.verify(
            signature.suite, signature.signature_value, signature.signed_bytes
        )
    ):
        raise Malformed("timestamp.malformed", "the token's signature does not verify")


def _failure_name(bits: asn1.BitString | None) -> str:
    if bits is None:
        return "none given"
    octets = bits.as_bytes()
    names = [
        failure.name.lower().replace("_", "-")
        for failure in Failure
        if failure // 8 < len(octets) and octets[failure // 8] & (0x80 >> failure % 8)
    ]
    return ", ".join(names) or "unknown"


def _new_nonce(entropy: Entropy) -> int:
    return int.from_bytes(entropy.token(8), "big")
