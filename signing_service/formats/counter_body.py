"""What a counter-signature in the making carries along: the signed message, and which signature of
it is signed upon.

    SEQUENCE { signer INTEGER, signed OCTET STRING }
"""

from kernel.asn1 import der
from kernel.refusals import Malformed


def encode(signer: int, signed: bytes) -> bytes:
    return der.sequence(der.integer(signer), der.octet_string(signed))


def read(body: bytes) -> tuple[int, bytes]:
    """Signer and message. Raises Malformed `prepared.malformed`."""
    try:
        number, octets = der.children(body, der.read_only(body, der.SEQUENCE))
    except ValueError:
        raise Malformed("prepared.malformed", "not a counter-signature") from None
    signer = int.from_bytes(body[number.content : number.end], "big")
    return signer, body[octets.content : octets.end]
