"""Decoding of the streams that hold a file's structure: Flate with predictors (7.4.4).

Only cross-reference and object streams, and what a document security store holds, are ever
decoded. Page content stays as it is: it is signed, not looked at.
"""

import zlib

from signing_service.formats.pades.pdf.syntax import Name, Stream, Value, malformed

MAX_DECODED_BYTES = 16 * 1024 * 1024
_MAX_FILTERS = 4
_PNG_FIRST = 10


def decode(stream: Stream, limit: int = MAX_DECODED_BYTES) -> bytes:
    """The stream's octets; never more than `limit`. Raises Malformed `pdf.malformed`."""
    filters = _as_list(stream.dictionary.get("Filter"))
    parameters = _as_list(stream.dictionary.get("DecodeParms"))
    data = stream.data
    if len(filters) > _MAX_FILTERS:
        raise malformed("a stream with too many filters")
    for index, name in enumerate(filters):
        if name != Name("FlateDecode"):
            raise malformed(f"a structure behind another filter than FlateDecode: {name!s:.40}")
        given = parameters[index] if index < len(parameters) else None
        data = _predicted(inflate(data, limit), given if isinstance(given, dict) else {})
    if len(data) > limit:
        raise malformed("a stream is larger than is read here")
    return data


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


def _predicted(data: bytes, parameters: dict[str, Value]) -> bytes:
    predictor = parameters.get("Predictor", 1)
    if predictor == 1:
        return data
    columns, colours = parameters.get("Columns", 1), parameters.get("Colors", 1)
    bits = parameters.get("BitsPerComponent", 8)
    plain = isinstance(columns, int) and 0 < columns <= 65536 and colours == 1 and bits == 8
    if not isinstance(predictor, int) or predictor < _PNG_FIRST or not plain:
        raise malformed("a predictor that no structure needs")
    return _without_png_prediction(data, columns)


def _without_png_prediction(data: bytes, columns: int) -> bytes:
    if len(data) % (columns + 1):
        raise malformed("predicted rows of unequal length")
    rows = []
    above = bytes(columns)
    for start in range(0, len(data), columns + 1):
        row = bytearray(data[start + 1 : start + 1 + columns])
        kind = data[start]
        if kind == 2:  # Up: what every producer uses for cross-reference streams
            row = bytearray([(a + b) & 0xFF for a, b in zip(row, above, strict=True)])
        elif kind != 0:
            _unfilter(kind, row, above)
        above = bytes(row)
        rows.append(above)
    return b"".join(rows)


def _unfilter(kind: int, row: bytearray, above: bytes) -> None:
    """PNG's Sub, Average and Paeth for one octet a pixel (ISO/IEC 15948, 9)."""
    left = upper_left = 0
    for index, value in enumerate(row):
        up = above[index]
        if kind == 1:
            predicted = left
        elif kind == 3:
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
