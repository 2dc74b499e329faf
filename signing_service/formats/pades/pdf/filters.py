"""Decoding of the streams that hold a file's structure: Flate with predictors (7.4.4).

Only cross-reference and object streams, and what a document security store holds, are ever
decoded. Page content stays as it is: it is signed, not looked at.
"""

import zlib
from itertools import accumulate

from signing_service.formats.pades.pdf.syntax import Name, Stream, Value, malformed

MAX_DECODED_BYTES = 16 * 1024 * 1024
MAX_ROWS = 250_000
"""Rows of one predicted stream: as many as a cross-reference stream may have."""
_FEWEST_COLUMNS = 3
"""A kind, an offset and a generation: no cross-reference stream has narrower rows."""
_MAX_SLOW_BYTES = 256 * 1024
"""Of one stream in rows that are undone octet by octet. No producer of structures writes them."""
_PNG_FIRST = 10


def decode(stream: Stream, limit: int = MAX_DECODED_BYTES, *, predicted: int = 0) -> bytes:
    """The stream's octets; never more than `limit`, nor, before a predictor is undone, than
    `predicted`: what that costs is bounded by the caller. Raises Malformed `pdf.malformed`."""
    filters = _as_list(stream.dictionary.get("Filter"))
    if len(filters) > 1:
        raise malformed("a structure behind more than one filter")
    if not filters:
        data = stream.data
    elif filters != [Name("FlateDecode")]:
        raise malformed(f"a structure behind another filter than FlateDecode: {filters[0]!s:.40}")
    elif is_predicted(stream):
        columns = _columns(_parameters(stream))
        data = _without_png_prediction(inflate(stream.data, min(limit, predicted)), columns)
    else:
        data = inflate(stream.data, limit)
    if len(data) > limit:
        raise malformed("a stream is larger than is read here")
    return data


def is_predicted(stream: Stream) -> bool:
    """Whether a predictor has to be undone, which costs much more than inflating alone."""
    return bool(_parameters(stream).get("Predictor", 1) != 1)


def inflate(data: bytes, limit: int) -> bytes:
    """Raises Malformed `pdf.malformed`, also for more than `limit` octets."""
    if limit < 1:  # for zlib no limit at all
        raise malformed("a stream is larger than is read here")
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(data, limit)
        if inflater.unconsumed_tail or (not inflater.eof and inflater.decompress(b"", 1)):
            raise malformed("a stream is larger than is read here")
    except zlib.error:
        raise malformed("a stream cannot be inflated") from None
    if not inflater.eof:
        raise malformed("a compressed stream ends early")
    return inflated


def _as_list(value: Value) -> list[Value]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _parameters(stream: Stream) -> dict[str, Value]:
    given = _as_list(stream.dictionary.get("DecodeParms"))
    return given[0] if given and isinstance(given[0], dict) else {}


def _columns(parameters: dict[str, Value]) -> int:
    predictor = parameters.get("Predictor", 1)
    columns, colours = parameters.get("Columns", 1), parameters.get("Colors", 1)
    bits = parameters.get("BitsPerComponent", 8)
    if (
        not isinstance(predictor, int)
        or predictor < _PNG_FIRST
        or not isinstance(columns, int)
        or not _FEWEST_COLUMNS <= columns <= 65536
        or (colours, bits) != (1, 8)
    ):
        raise malformed("a predictor that no structure needs")
    return columns


def _without_png_prediction(data: bytes, columns: int) -> bytes:
    if len(data) % (columns + 1):
        raise malformed("predicted rows of unequal length")
    if len(data) > MAX_ROWS * (columns + 1):
        raise malformed(f"more than {MAX_ROWS} predicted rows")
    rows = []
    above = bytes(columns)
    slow = 0
    for start in range(0, len(data), columns + 1):
        kind, row = data[start], data[start + 1 : start + 1 + columns]
        if kind == 2:  # Up: what every producer uses for cross-reference streams
            row = bytes([(a + b) & 0xFF for a, b in zip(row, above, strict=True)])
        elif kind == 1:  # Sub
            row = bytes([each & 0xFF for each in accumulate(row)])
        elif kind != 0:
            slow += columns
            if slow > _MAX_SLOW_BYTES:
                raise malformed("a predictor that no structure needs")
            row = _unfiltered(kind, row, above)
        rows.append(row)
        above = row
    return b"".join(rows)


def _unfiltered(kind: int, given: bytes, above: bytes) -> bytes:
    """PNG's Average and Paeth for one octet a pixel (ISO/IEC 15948, 9)."""
    row = bytearray(given)
    left = upper_left = 0
    for index, value in enumerate(row):
        up = above[index]
        if kind == 3:
            predicted = (left + up) // 2
        elif kind == 4:
            estimate = left + up - upper_left
            nearest = min(
                (abs(estimate - left), 0), (abs(estimate - up), 1), (abs(estimate - upper_left), 2)
            )[1]
            predicted = (left, up, upper_left)[nearest]
        else:
            raise malformed("an unknown predictor")
        left, upper_left = (value + predicted) & 0xFF, up
        row[index] = left
    return bytes(row)
