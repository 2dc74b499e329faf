"""One entry of a revocation list, as ready DER: written once, joined many times."""

from datetime import datetime

from ca.inventory import RevocationReason
from kernel.asn1 import der
from kernel.identifiers import Serial

_REASON_CODE = der.oid("2.5.29.21")


def crl_entry(serial: Serial, at: datetime, reason: RevocationReason) -> bytes:
    """revokedCertificates' element (RFC 5280, 5.1.2.6); silence is `unspecified` (5.3.1)."""
    parts = [der.integer(serial), der.time(at)]
    if reason is not RevocationReason.UNSPECIFIED:
        enumerated = der.tlv(0x0A, bytes((reason.number,)))
        extension = der.sequence(_REASON_CODE, der.octet_string(enumerated))
        parts.append(der.sequence(extension))
    return der.sequence(*parts)
