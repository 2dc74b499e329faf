"""Small PDF files made for the tests, and incremental updates as an attacker would write them."""

import zlib
from dataclasses import dataclass, field

CONTENT = b"BT /F1 24 Tf 72 700 Td (Pay 100 yuan, page %d) Tj ET"


@dataclass
class SamplePdf:
    """Objects by number, written with a table or as streams (PDF 1.5)."""

    objects: dict[int, bytes] = field(default_factory=dict)
    as_streams: bool = False

    def add(self, body: bytes) -> int:
        number = len(self.objects) + 1
        self.objects[number] = body
        return number

    def to_bytes(self) -> bytes:
        return self._with_streams() if self.as_streams else self._with_table()

    def _with_table(self) -> bytes:
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        rows = [b"0000000000 65535 f\r\n"]
        for number, body in self.objects.items():
            rows.append(b"%010d 00000 n\r\n" % len(out))
            out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
        start = len(out)
        size = len(self.objects) + 1
        out += b"xref\n0 %d\n" % size + b"".join(rows)
        out += b"trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
        return bytes(out)

    def _with_streams(self) -> bytes:
        """Streams stand alone; all else lies in one object stream."""
        out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        rows = {0: (0, 0, 65535)}
        inside: list[tuple[int, bytes]] = []
        holder, table = len(self.objects) + 1, len(self.objects) + 2
        for number, body in self.objects.items():
            if b"stream" in body:
                rows[number] = (1, len(out), 0)
                out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
            else:
                rows[number] = (2, holder, len(inside))
                inside.append((number, body))
        head, packed = b"", b""
        for number, body in inside:
            head += b"%d %d " % (number, len(packed))
            packed += body + b" "
        compressed = zlib.compress(head + packed)
        rows[holder] = (1, len(out), 0)
        out += b"%d 0 obj\n<</Type /ObjStm /N %d /First %d /Filter /FlateDecode /Length %d>>" % (
            holder, len(inside), len(head), len(compressed),
        )  # fmt: skip
        out += b"\nstream\n" + compressed + b"\nendstream\nendobj\n"
        rows[table] = (1, len(out), 0)
        # Predictor 12 (PNG, Up), as most producers write it.
        plain = [
            bytes((rows[n][0],)) + rows[n][1].to_bytes(4, "big") + rows[n][2].to_bytes(2, "big")
            for n in sorted(rows)
        ]
        above, predicted = bytes(7), b""
        for row in plain:
            predicted += b"\x02" + bytes((a - b) % 256 for a, b in zip(row, above, strict=True))
            above = row
        compressed = zlib.compress(predicted)
        out += (
            b"%d 0 obj\n<</Type /XRef /Size %d /W [1 4 2] /Root 1 0 R /Filter /FlateDecode"
            b" /DecodeParms <</Predictor 12 /Columns 7>> /Length %d>>"
            % (table, len(rows), len(compressed))
        )
        start = rows[table][1]
        out += b"\nstream\n" + compressed + b"\nendstream\nendobj\n"
        return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def stream(data: bytes, extra: bytes = b"") -> bytes:
    return b"<<%s /Length %d>>\nstream\n%s\nendstream" % (extra, len(data), data)


def sample(
    pages: int = 1,
    *,
    as_streams: bool = False,
    fields: tuple[bytes, ...] = (),
    catalog: bytes = b"",
    annotations: bytes = b"",
) -> bytes:
    """Catalog 1, page tree 2, font 3, then page and content in turns (4 and 5, ...), then each
    of the `fields`, which are merged field and widget dictionaries without their braces."""
    pdf = SamplePdf(as_streams=as_streams)
    first_field = 4 + 2 * pages
    numbers = range(first_field, first_field + len(fields))
    references = b" ".join(b"%d 0 R" % number for number in numbers)
    form = b"/AcroForm <</Fields [%s] /DR <</Font <</F1 3 0 R>>>> /DA (/F1 0 Tf)>>" % references
    pdf.add(b"<</Type /Catalog /Pages 2 0 R %s %s>>" % (form if fields else b"", catalog))
    kids = b" ".join(b"%d 0 R" % (4 + 2 * index) for index in range(pages))
    pdf.add(b"<</Type /Pages /Kids [%s] /Count %d>>" % (kids, pages))
    pdf.add(b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>")
    for index in range(pages):
        of_page = references if index == 0 else b""
        annots = b"/Annots [%s %s]" % (of_page, annotations) if of_page or annotations else b""
        pdf.add(
            b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
            b" /Resources <</Font <</F1 3 0 R>>>> %s>>" % (5 + 2 * index, annots)
        )
        pdf.add(stream(CONTENT % (index + 1)))
    for body in fields:
        pdf.add(b"<</Type /Annot /Subtype /Widget /P 4 0 R /F 4 %s>>" % body)
    return pdf.to_bytes()


TEXT_FIELD = b"/FT /Tx /T (amount) /Rect [72 600 200 620] /V (100)"
EMPTY_SIGNATURE_FIELD = b"/FT /Sig /T (approval) /Rect [300 600 450 660]"


def updated(pdf: bytes, objects: dict[int, bytes], *, trailer: bytes = b"", root: int = 1) -> bytes:
    """The file with an incremental update that adds or replaces objects, with a table."""
    start = int(pdf[: pdf.rindex(b"%%EOF")].rsplit(b"startxref", 1)[1])
    out = bytearray(pdf)
    rows = []
    for number, body in sorted(objects.items()):
        rows.append(b"%d 1\n%010d 00000 n\r\n" % (number, len(out)))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    position = len(out)
    out += b"xref\n" + b"".join(rows)
    out += b"trailer\n<</Size %d /Root %d 0 R /Prev %d %s>>\nstartxref\n%d\n%%%%EOF\n" % (
        max(objects, default=0) + 1000, root, start, trailer, position,
    )  # fmt: skip
    return bytes(out)


def object_in(pdf: bytes, number: int) -> bytes:
    """The last notation of an object that stands in the open."""
    start = pdf.rindex(b"\n%d 0 obj\n" % number) + len(b"\n%d 0 obj\n" % number)
    return pdf[start : pdf.index(b"\nendobj", start)]
