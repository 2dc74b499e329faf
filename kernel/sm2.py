"""SM2 public keys and signature values (GB/T 32918, GM/T 0009, GM/T 0015), read strictly.

What arrives is held to one encoding before the library sees it: uncompressed points, DER with
the shortest integers, r and s in [1, n-1].
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from kernel.asn1 import der
from kernel.refusals import Malformed

CURVE: Final = "sm2p256v1"
CURVE_OID: Final = "1.2.156.10197.1.301"
DEFAULT_USER: Final = b"1234567812345678"
"""The user identifier that certificates and messages are signed for (GM/T 0009, 10)."""
ORDER: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
"""n, of the base point (GB/T 32918.5)."""
POINT_BYTES: Final = 65

_CURVE_DER = der.oid(CURVE_OID)
_KEY_ALGORITHMS = frozenset(
    der.sequence(*parts)
    for parts in (
        (der.oid("1.2.840.10045.2.1"), _CURVE_DER),  # id-ecPublicKey: what is issued today
        (_CURVE_DER,),
        (_CURVE_DER, der.NULL),
    )
)


def point_in(spki: bytes) -> bytes | None:
    """The point of a SubjectPublicKeyInfo, 04 || x || y, not yet known to be on the curve; None
    where the key is of another kind.

    Raises Malformed `public-key.malformed`: no such structure, compressed, hybrid, of another
    length.
    """
    if _CURVE_DER not in spki:
        return None
    try:
        algorithm, key = der.children(spki, der.read_only(spki, der.SEQUENCE))
    except (Malformed, ValueError):
        raise Malformed("public-key.malformed", "not a SubjectPublicKeyInfo") from None
    if spki[algorithm.start : algorithm.end] not in _KEY_ALGORITHMS:
        return None
    octets = spki[key.content : key.end]
    # Of the BIT STRING: no unused bits, and the mark of an uncompressed point (SEC 1, 2.3.4).
    if key.tag != 0x03 or len(octets) != POINT_BYTES + 1 or octets[:2] != b"\0\x04":
        raise Malformed("public-key.malformed", "an SM2 key is an uncompressed point")
    return octets[1:]


def is_strict(signature: bytes) -> bool:
    """Whether it is SEQUENCE { r, s }, DER, with both in range (GM/T 0009, 7.3)."""
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        return False
    in_range = 0 < r < ORDER and 0 < s < ORDER
    return in_range and encode_dss_signature(r, s) == signature
