"""TBSCertList (RFC 5280, 5.1.2) joined from ready DER: complete, partitioned and delta lists."""

from dataclasses import dataclass
from datetime import datetime

from ca.crl.entries import Joined
from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Unavailable

_VERSION_2 = der.integer(1)
_CRL_NUMBER = der.oid("2.5.29.20")
_DELTA_CRL_INDICATOR = der.oid("2.5.29.27")
_ISSUING_DISTRIBUTION_POINT = der.oid("2.5.29.28")
_AUTHORITY_KEY_IDENTIFIER = der.oid("2.5.29.35")
_FRESHEST_CRL = der.oid("2.5.29.46")


@dataclass(frozen=True)
class ListFrame:
    """Everything in a list but its entries."""

    number: int
    """CRLNumber."""
    this_update: datetime
    next_update: datetime
    distribution_point: str | None = None
    """Address of the part that this list is; None: it covers everything."""
    base_number: int | None = None
    """The complete list that a delta list starts from; None: not a delta list."""
    freshest: str | None = None
    """Where the delta lists to this one are found."""


def tbs_cert_list(
    issuer: Certificate, suite: AlgorithmSuite, frame: ListFrame, entries: Joined
) -> bytes:
    """The bytes to be signed, version 2. Raises Unavailable `issuer.key-identifier`."""
    parts = [
        _VERSION_2,
        suite.signature_algorithm,
        issuer.subject_der,
        der.time(frame.this_update),
        der.time(frame.next_update),
    ]
    if entries.count:  # absent when there is none (5.1.2.6)
        parts += [_sequence_header(len(entries.der)), entries.der]
    parts.append(der.explicit(0, _extensions(issuer, frame)))
    return joined_sequence(*parts)


def joined_sequence(*parts: bytes) -> bytes:
    """As `der.sequence`, with one copy of parts that may be many megabytes."""
    return b"".join((_sequence_header(sum(map(len, parts))), *parts))


def _sequence_header(size: int) -> bytes:
    if size < 0x80:
        return bytes((der.SEQUENCE, size))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((der.SEQUENCE, 0x80 | len(octets))) + octets


def _extensions(issuer: Certificate, frame: ListFrame) -> bytes:
    """RFC 5280, 5.2; a relying party that does not know the critical ones must not use the list."""
    identifier = issuer.subject_key_identifier
    if identifier is None:
        raise Unavailable("issuer.key-identifier", "the issuer has no key identifier")
    extensions = [
        _extension(_AUTHORITY_KEY_IDENTIFIER, der.sequence(der.implicit(0, identifier))),
        _extension(_CRL_NUMBER, der.integer(frame.number)),
    ]
    if frame.base_number is not None:
        base = der.integer(frame.base_number)
        extensions.append(_extension(_DELTA_CRL_INDICATOR, base, critical=True))
    if frame.distribution_point is not None:
        point = der.sequence(_full_name(frame.distribution_point))
        extensions.append(_extension(_ISSUING_DISTRIBUTION_POINT, point, critical=True))
    if frame.freshest is not None:
        points = der.sequence(der.sequence(_full_name(frame.freshest)))
        extensions.append(_extension(_FRESHEST_CRL, points))
    return der.sequence(*extensions)


def _full_name(address: str) -> bytes:
    """distributionPoint [0] with a fullName [0] of one uniformResourceIdentifier [6]."""
    return der.explicit(0, der.explicit(0, der.implicit(6, address.encode("ascii"))))


def _extension(kind: bytes, value: bytes, critical: bool = False) -> bytes:
    return der.sequence(kind, *([der.TRUE] if critical else []), der.octet_string(value))
