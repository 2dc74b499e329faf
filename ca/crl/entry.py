"""One entry of a revocation list, as ready DER: written once, joined many times."""

from datetime import datetime

from ca.inventory import RevocationReason
from kernel.asn1 import der
from kernel.identifiers import Serial

_REASON_CODE = der.oid("2.5.29.21")
_REMOVE_FROM_CRL = der.sequence(der.sequence(_REASON_CODE, der.octet_string(b"\x0a\x01\x08")))


def crl_entry(serial: Serial, at: datetime, reason: RevocationReason) -> bytes:
    """revokedCertificates' element (RFC 5280, 5.1.2.6); silence is `unspecified` (5.3.1)."""
    parts = [der.integer(serial), der.time(at)]
    if reason is not RevocationReason.UNSPECIFIED:
        enumerated = der.tlv(0x0A, bytes((reason.number,)))
        extension = der.sequence(_REASON_CODE, der.octet_string(enumerated))
        parts.append(der.sequence(extension))
    return der.sequence(*parts)


def removal_entry(serial: Serial, at: datetime) -> bytes:
    """An element of a delta list: no longer on hold (removeFromCRL, RFC 5280, 5.2.4)."""
    return der.sequence(der.integer(serial), der.time(at), _REMOVE_FROM_CRL)
