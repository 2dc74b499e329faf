"""Foreign BER turned into definite lengths, so that one strict reader serves all (X.690, 8).

CMS may come in BER (RFC 5652, 2), as streaming producers write it: indefinite lengths, content
in pieces. Here lengths become definite and pieces are joined; nothing else is touched, so what
was DER before, such as certificates and signed attributes, keeps its octets.
"""

from kernel.asn1 import der
from kernel.refusals import Malformed

MAX_DEPTH = 24
MAX_ELEMENTS = 200_000
_OCTET_STRING = 0x04
_CONSTRUCTED_OCTET_STRING = 0x24
_END_OF_CONTENTS = b"\x00\x00"


def to_definite(data: bytes) -> bytes:
    """Rewrite one BER element. Raises Malformed `ber.malformed`, `ber.too-complex`."""
    normaliser = _Normaliser(data)
    encoded, end = normaliser.element(0, len(data), 0)
    if end != len(data):
        raise Malformed("ber.malformed", "data after the end")
    return encoded


class _Normaliser:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._elements = 0

    def element(self, offset: int, limit: int, depth: int) -> tuple[bytes, int]:
        """The element at `offset`, rewritten, and where the next one starts."""
        self._elements += 1
        if depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise Malformed("ber.too-complex", "too many or too deeply nested elements")
        tag, content, end = self._header(offset, limit)
        if not tag & 0x20:
            if end is None:
                raise Malformed("ber.malformed", "a primitive element of indefinite length")
            return der.tlv(tag, self._data[content:end]), end
        parts, end = self._children(content, end, limit, depth)
        if tag == _CONSTRUCTED_OCTET_STRING:
            return der.octet_string(b"".join(_piece(part) for part in parts)), end
        return der.tlv(tag, b"".join(parts)), end

    def _children(
        self, offset: int, end: int | None, limit: int, depth: int
    ) -> tuple[list[bytes], int]:
        parts: list[bytes] = []
        while end is None or offset < end:
            if end is None and self._data[offset : offset + 2] == _END_OF_CONTENTS:
                return parts, offset + 2
            part, offset = self.element(offset, limit if end is None else end, depth + 1)
            parts.append(part)
        return parts, offset

    def _header(self, offset: int, limit: int) -> tuple[int, int, int | None]:
        """Tag, start of the content, and its end (None: indefinite)."""
        if offset + 2 > limit:
            raise Malformed("ber.malformed", "the data ends inside an element")
        tag, size = self._data[offset], self._data[offset + 1]
        if tag == 0 or tag & 0x1F == 0x1F:
            raise Malformed("ber.malformed", "a tag that no CMS structure has")
        content = offset + 2
        if size == 0x80:
            return tag, content, None
        if size & 0x80:
            count = size & 0x7F
            content += count
            if count > 8 or content > limit:
                raise Malformed("ber.malformed", "an excessive length")
            size = int.from_bytes(self._data[offset + 2 : content], "big")
        if content + size > limit:
            raise Malformed("ber.malformed", "an element longer than the data")
        return tag, content, content + size


def _piece(part: bytes) -> bytes:
    element = der.read_only(part, _OCTET_STRING)
    return part[element.content : element.end]
