"""A minimal DER writer and reader (X.690), for structures put together from ready-made parts.

Declarative structures (`kernel.asn1.cms`, `kernel.asn1.tsp`) are for reading; here is what
writes a constant once and joins it with the few octets that change.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from cryptography.hazmat import asn1

from kernel.refusals import Malformed

NULL = b"\x05\x00"
TRUE = b"\x01\x01\xff"

SEQUENCE = 0x30
SET = 0x31
_MAX_LENGTH_OCTETS = 4
_YEAR_TO_SECOND = "%04d%02d%02d%02d%02d%02d"
"""Takes a third of strftime's time; every timestamp passes here."""


class Element(NamedTuple):
    """Where one TLV lies in a buffer: `start` of the tag, `content`, and `end` (exclusive)."""

    tag: int
    start: int
    content: int
    end: int


def tlv(tag: int, content: bytes) -> bytes:
    """One element with a single-octet tag and a definite, shortest length."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*parts: bytes) -> bytes:
    return tlv(SEQUENCE, b"".join(parts))


def set_of(parts: Iterable[bytes]) -> bytes:
    """SET OF, its elements in DER's order (X.690, 11.6)."""
    return tlv(SET, b"".join(sorted(parts)))


def explicit(number: int, content: bytes) -> bytes:
    """A constructed, context-specific tag around (EXPLICIT) or for (IMPLICIT) `content`."""
    return tlv(0xA0 | number, content)


def implicit(number: int, content: bytes) -> bytes:
    """A primitive, context-specific tag for `content`."""
    return tlv(0x80 | number, content)


def octet_string(content: bytes) -> bytes:
    return tlv(0x04, content)


def bit_string(content: bytes, unused_bits: int = 0) -> bytes:
    return tlv(0x03, bytes((unused_bits,)) + content)


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def utf8_string(text: str) -> bytes:
    return tlv(0x0C, text.encode())


@lru_cache(maxsize=1024)
def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER. Raises Malformed `oid.malformed`."""
    try:
        first, second, *rest = (int(arc) for arc in dotted.split("."))
    except ValueError:
        raise Malformed("oid.malformed", "not an object identifier") from None
    if not 0 <= first <= 2 or min(second, *rest, 0) < 0 or (first < 2 and second > 39):
        raise Malformed("oid.malformed", "not an object identifier")
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | (arc & 0x7F))
        content.extend(reversed(septets))
    return tlv(0x06, bytes(content))


def generalized_time(at: datetime) -> bytes:
    """GeneralizedTime, UTC, with fractions only where there are any (RFC 3161, 2.4.2)."""
    at = at.astimezone(UTC)
    text = _YEAR_TO_SECOND % (at.year, at.month, at.day, at.hour, at.minute, at.second)
    if at.microsecond:
        text += f".{at.microsecond:06d}".rstrip("0")
    return tlv(0x18, text.encode() + b"Z")


def time(at: datetime) -> bytes:
    """Time as RFC 5652, 11.3 wants it: UTCTime until 2049, whole seconds."""
    at = at.astimezone(UTC)
    if 1950 <= at.year < 2050:
        return tlv(0x17, at.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, at.strftime("%Y%m%d%H%M%SZ").encode())


def read(data: bytes, offset: int = 0, limit: int | None = None) -> Element:
    """The element at `offset`. Raises Malformed `der.malformed` on anything but strict DER."""
    end = len(data) if limit is None else limit
    if offset + 2 > end:
        raise Malformed("der.malformed", "the data ends inside an element")
    tag, size = data[offset], data[offset + 1]
    if tag & 0x1F == 0x1F:
        raise Malformed("der.malformed", "a tag of several octets")
    content = offset + 2
    if size & 0x80:
        count = size & 0x7F
        content += count
        if not 1 <= count <= _MAX_LENGTH_OCTETS or content > end:
            raise Malformed("der.malformed", "an indefinite or excessive length")
        size = int.from_bytes(data[offset + 2 : content], "big")
        if size < 0x80 or size >> (8 * (count - 1)) == 0:
            raise Malformed("der.malformed", "a length that is not the shortest")
    if content + size > end:
        raise Malformed("der.malformed", "an element longer than the data")
    return Element(tag, offset, content, content + size)


def read_only(data: bytes, tag: int) -> Element:
    """The one element that `data` consists of. Raises Malformed `der.malformed`."""
    element = read(data)
    if element.tag != tag or element.end != len(data):
        raise Malformed("der.malformed", "another type, or data after the element")
    return element


def children(data: bytes, parent: Element) -> Iterator[Element]:
    """The elements inside a constructed element. Raises Malformed `der.malformed`."""
    offset = parent.content
    while offset < parent.end:
        child = read(data, offset, parent.end)
        yield child
        offset = child.end


def elements(content: bytes) -> list[bytes]:
    """The encoded elements that a content consists of. Raises Malformed `der.malformed`."""
    size = len(content)
    if size > 1 and size == content[1] + 2 < 0x82 and content[0] & 0x1F != 0x1F:
        return [content]  # one short element: what most attributes have
    if (
        size > 259
        and content[1] == 0x82
        and (content[2] << 8 | content[3]) + 4 == size
        and content[0] & 0x1F != 0x1F
    ):
        return [content]  # one longer element: what most sets of signers have
    found = []
    offset = 0
    while offset < len(content):
        element = read(content, offset)
        found.append(content[offset : element.end])
        offset = element.end
    return found


def encoded(value: asn1.TLV) -> bytes:
    """The whole encoding of an element that a declarative structure left undecoded."""
    tag = value.tag_bytes
    return tlv(tag[0], bytes(value.data)) if len(tag) == 1 else _encoded_high_tag(value)


def _encoded_high_tag(value: asn1.TLV) -> bytes:
    return value.tag_bytes + tlv(0, bytes(value.data))[1:]
