"""OCSP requests read strictly and responses put together from ready DER (RFC 6960, 4)."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from ca.inventory import RevocationReason
from kernel.algorithms import DIGEST_OIDS, AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed

MAX_REQUEST_BYTES = 8 * 1024
MAX_CERTIFICATES = 20
"""In one request."""
LONGEST_PLAIN = 512
"""Octets of a request whose answer is kept."""
LONGEST_NONCE = 128
"""Octets (RFC 9654, 2.1)."""

_NONCE = der.oid("1.3.6.1.5.5.7.48.1.2")
_ARCHIVE_CUTOFF = der.oid("1.3.6.1.5.5.7.48.1.6")
_EXTENDED_REVOKE = der.oid("1.3.6.1.5.5.7.48.1.9")
_BASIC = der.oid("1.3.6.1.5.5.7.48.1.1")
_DIGESTS = {der.oid(DIGEST_OIDS[name]): name for name in ("sha1", "sha256")}
_EXTENDED_REVOKE_EXTENSION = der.sequence(_EXTENDED_REVOKE, der.octet_string(der.NULL))
_GOOD = der.implicit(0, b"")
_UNKNOWN = der.implicit(2, b"")
# RFC 6960, 2.2: how a serial that was never issued is told, beside the extended-revoke extension.
_NEVER_ISSUED = der.explicit(
    1, b"\x18\x0f19700101000000Z" + der.explicit(0, der.tlv(0x0A, b"\x06"))
)


class ResponseStatus(IntEnum):
    """OCSPResponseStatus (RFC 6960, 4.2.1)."""

    SUCCESSFUL = 0
    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    UNAUTHORIZED = 6


@dataclass(frozen=True)
class CertId:
    """Which certificate is asked about."""

    der: bytes
    """As it stood in the request: it is repeated in the response."""
    digest: str | None
    """`sha1` or `sha256`; None: another, which names no issuer of ours."""
    name_hash: bytes
    key_hash: bytes
    serial: int


@dataclass(frozen=True)
class OcspRequest:
    certificates: tuple[CertId, ...]
    nonce: bytes | None
    """The nonce extension's value (an OCTET STRING, DER), to be echoed."""
    is_plain: bool = False
    """It is short and says nothing but which certificates are asked about, in the one encoding of
    that: with a name, a signature or an extension anybody could ask the same in endless ways."""


@dataclass(frozen=True)
class SingleStatus:
    """One certificate's status, encoded."""

    der: bytes
    never_issued: bool = False


GOOD = SingleStatus(_GOOD)
UNKNOWN = SingleStatus(_UNKNOWN)
NEVER_ISSUED = SingleStatus(_NEVER_ISSUED, never_issued=True)


def revoked(at: datetime, reason: RevocationReason) -> SingleStatus:
    """RevokedInfo (RFC 6960, 4.2.1)."""
    told = b""
    if reason is not RevocationReason.UNSPECIFIED:
        told = der.explicit(0, der.tlv(0x0A, bytes((reason.number,))))
    return SingleStatus(der.explicit(1, der.generalized_time(at.replace(microsecond=0)) + told))


def single_request(serial: int, issuer: Certificate) -> bytes:
    """An OCSPRequest for one certificate, DER, its CertID under SHA-256 (RFC 6960, 4.1.1)."""
    _, bits = der.children(issuer.spki, der.read(issuer.spki))
    key = issuer.spki[bits.content + 1 : bits.end]
    certificate = der.sequence(
        der.sequence(der.oid(DIGEST_OIDS["sha256"])),
        der.octet_string(hashlib.sha256(issuer.subject_der).digest()),
        der.octet_string(hashlib.sha256(key).digest()),
        der.integer(serial),
    )
    return der.sequence(der.sequence(der.sequence(der.sequence(certificate))))


def read_request(data: bytes) -> OcspRequest:
    """Read an OCSPRequest; a signature on it is not asked for and not looked at.

    Raises Malformed `ocsp.malformed`, also for a nonce of other than 1 to 128 octets (RFC 9654,
    2.1), more than 20 certificates, or a critical extension that is not known.
    """
    try:
        return _read_request(data)
    except (ValueError, Malformed):
        raise Malformed("ocsp.malformed", "not an OCSP request") from None


def _read_request(data: bytes) -> OcspRequest:
    body, *signature = der.children(data, der.read_only(data, der.SEQUENCE))
    _require(body.tag == der.SEQUENCE)
    _require(len(signature) <= 1 and all(element.tag == 0xA0 for element in signature))
    fields = list(der.children(data, body))
    if fields and fields[0].tag == 0xA0:
        version = fields.pop(0)
        _require(data[version.content : version.end] == b"\x02\x01\x00")
    if fields and fields[0].tag == 0xA1:
        fields.pop(0)  # requestorName
    _require(bool(fields) and fields[0].tag == der.SEQUENCE)
    requests = list(der.children(data, fields.pop(0)))
    _require(1 <= len(requests) <= MAX_CERTIFICATES)
    nonce = None
    if fields:
        nonce = _read_extensions(data, fields.pop(0), 0xA2)
    _require(not fields)
    certificates = tuple(_read_single(data, each) for each in requests)
    is_plain = len(data) <= LONGEST_PLAIN and data == _plain(certificates)
    return OcspRequest(certificates, nonce, is_plain)


def _plain(certificates: Sequence[CertId]) -> bytes:
    requests = der.sequence(*(der.sequence(each.der) for each in certificates))
    return der.sequence(der.sequence(requests))


def _read_single(data: bytes, request: der.Element) -> CertId:
    _require(request.tag == der.SEQUENCE)
    certificate, *extensions = der.children(data, request)
    for element in extensions:
        _read_extensions(data, element, 0xA0)
    algorithm, name_hash, key_hash, serial = der.children(data, certificate)
    _require(
        (certificate.tag, algorithm.tag, name_hash.tag, key_hash.tag, serial.tag)
        == (0x30, 0x30, 0x04, 0x04, 0x02)
    )
    _require(1 <= serial.end - serial.content <= 64)
    kind, *parameters = (data[each.start : each.end] for each in der.children(data, algorithm))
    _require(kind[0] == 0x06 and parameters in ([], [der.NULL]))
    number = int.from_bytes(data[serial.content : serial.end], "big", signed=True)
    _require(data[serial.start : serial.end] == der.integer(number))
    return CertId(
        der=data[certificate.start : certificate.end],
        digest=_DIGESTS.get(kind),
        name_hash=data[name_hash.content : name_hash.end],
        key_hash=data[key_hash.content : key_hash.end],
        serial=number,
    )


def _read_extensions(data: bytes, wrapper: der.Element, tag: int) -> bytes | None:
    """The nonce extension's value, where there is one."""
    _require(wrapper.tag == tag)
    (listed,) = der.children(data, wrapper)
    nonce = None
    for kind, critical, value in _extensions(data, listed):
        if kind == _NONCE:
            _require(nonce is None)
            inner = der.read_only(value, 0x04)
            _require(1 <= inner.end - inner.content <= LONGEST_NONCE)
            nonce = value
        else:
            _require(not critical)
    return nonce


def _extensions(data: bytes, listed: der.Element) -> Iterator[tuple[bytes, bool, bytes]]:
    for extension in der.children(data, listed):
        kind, *flag, value = der.children(data, extension)
        _require(kind.tag == 0x06 and value.tag == 0x04 and len(flag) <= 1)
        critical = any(data[each.start : each.end] == der.TRUE for each in flag)
        yield data[kind.start : kind.end], critical, data[value.content : value.end]


def _require(condition: bool) -> None:
    if not condition:
        raise Malformed("ocsp.malformed", "not an OCSP request")


def single_response(
    certificate: CertId,
    status: SingleStatus,
    this_update: bytes,
    next_update: bytes | None,
    extensions: bytes = b"",
) -> bytes:
    """SingleResponse; the times are GeneralizedTime, `extensions` singleExtensions, ready DER."""
    following = b"" if next_update is None else der.explicit(0, next_update)
    return der.sequence(certificate.der, status.der, this_update, following, extensions)


def archive_cutoff(since: datetime) -> bytes:
    """singleExtensions: the status is kept since then, also of certificates that expired
    (RFC 6960, 4.4.4)."""
    value = der.octet_string(der.generalized_time(since))
    return der.explicit(1, der.sequence(der.sequence(_ARCHIVE_CUTOFF, value)))


def certificate_id(issuer: "IssuerHashes", serial: int) -> bytes:
    """CertID under SHA-1, as clients of RFC 5019 write it (2.1.1)."""
    number = der.integer(serial)
    return der.sequence(issuer.algorithm, issuer.name_octets, issuer.key_octets, number)


@dataclass(frozen=True)
class IssuerHashes:
    """How requests name an issuer under one digest."""

    algorithm: bytes
    name_octets: bytes
    key_octets: bytes

    @classmethod
    def of(cls, digest: str, name: bytes, key_bits: bytes) -> "IssuerHashes":
        """`name`: the issuer's Name, DER; `key_bits`: its subjectPublicKey's octets."""
        algorithm = der.sequence(der.oid(DIGEST_OIDS[digest]), der.NULL)
        hashed = (hashlib.new(digest, each, usedforsecurity=False) for each in (name, key_bits))
        return cls(algorithm, *(der.octet_string(each.digest()) for each in hashed))


def response_data(
    responder_key_hash: bytes,
    produced_at: bytes,
    singles: Sequence[bytes],
    nonce: bytes | None,
    extended_revoke: bool,
) -> bytes:
    """ResponseData: the bytes to be signed. `responder_key_hash` is SHA-1 of the key's bits,
    `produced_at` a GeneralizedTime."""
    parts = [
        der.explicit(2, der.octet_string(responder_key_hash)),
        produced_at,
        der.sequence(*singles),
    ]
    extensions = []
    if nonce is not None:
        extensions.append(der.sequence(_NONCE, der.octet_string(nonce)))
    if extended_revoke:
        extensions.append(_EXTENDED_REVOKE_EXTENSION)
    if extensions:
        parts.append(der.explicit(1, der.sequence(*extensions)))
    return der.sequence(*parts)


def successful_response(
    data: bytes, suite: AlgorithmSuite, signature: bytes, responder_certificate: bytes
) -> bytes:
    """OCSPResponse around signed ResponseData, with the responder's certificate."""
    basic = der.sequence(
        data,
        suite.signature_algorithm,
        der.bit_string(signature),
        der.explicit(0, der.sequence(responder_certificate)),
    )
    return _response(
        ResponseStatus.SUCCESSFUL,
        der.explicit(0, der.sequence(_BASIC, der.octet_string(basic))),
    )


def error_response(status: ResponseStatus) -> bytes:
    """OCSPResponse that tells a failure; it is not signed (RFC 6960, 2.3)."""
    return _response(status, b"")


def _response(status: ResponseStatus, body: bytes) -> bytes:
    return der.sequence(der.tlv(0x0A, bytes((status,))), body)
