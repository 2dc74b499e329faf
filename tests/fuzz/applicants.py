"""What applicants and branches bring: scanned papers and spreadsheets."""

import io
import zipfile
from contextlib import suppress

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from kernel.refusals import Refusal
from policies.rights import load_rights
from ra_portal.imports.columns import ImportKind, columns_of, find_columns, read_row
from ra_portal.papers import pdf_reader
from ra_portal.papers.documents import SMALLEST_LICENCE, read_licence
from ra_portal.papers.page_pictures import REFUSALS
from ra_portal.spreadsheets import reading, writing
from ra_portal.spreadsheets.writing import SheetFormat
from tests.fuzz.checksums import mended_png
from tests.fuzz.target import Target
from tests.ra_portal import samples

_COLUMNS = [columns_of(kind, load_rights()) for kind in ImportKind]
_SHEET = "xl/worksheets/sheet1.xml"
_ROWS = (
    ("姓名", "工号", "证件号码", "权限"),
    ("张三", "7", samples.identity_number(), "declare-import"),
    ("李四", "A-8", "", ""),
)


def _paper(data: bytes) -> object:
    """As it is, and with a PNG's checksums made right. A PDF goes to its own target: here it
    would be read in a process of its own, which is not watched."""
    if data.startswith(b"%PDF"):
        return None
    with suppress(Refusal):
        read_licence(mended_png(data), "scan")
    return read_licence(data, "scan")


def _paper_pdf(data: bytes) -> object:
    """What that process does. It may say no; in the service it may even die."""
    try:
        return pdf_reader.read(data)
    except pdf_reader.Said as said:
        raise REFUSALS[str(said)] from None


def _spreadsheet(data: bytes) -> object:
    """The rows, and every cell as an import reads it."""
    (_, heading), *rows = reading.read(data)
    for columns in _COLUMNS:
        with suppress(Refusal):
            places = find_columns(heading, columns)
            for _, row in rows:
                cells = {name: row[at] for name, at in places.items() if at < len(row)}
                read_row(cells, columns)
    return heading


def _worksheet(data: bytes) -> object:
    """A sheet of a workbook whose archive is sound."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as changed:
        for name, content in _PARTS.items():
            changed.writestr(name, data if name == _SHEET else content)
    return _spreadsheet(made.getvalue())


def _small_png() -> bytes:
    """As few octets as a scan may have."""
    made, told = io.BytesIO(), PngInfo()
    told.add_text("Comment", "x" * SMALLEST_LICENCE)
    Image.new("L", (400, 400), 200).save(made, "PNG", pnginfo=told)
    return made.getvalue()


def _sheets() -> list[bytes]:
    return [writing.write(_ROWS, wanted) for wanted in SheetFormat]


def _parts() -> dict[str, bytes]:
    workbook = writing.write(_ROWS, SheetFormat.XLSX)
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


_PARTS = _parts()

TARGETS = {
    "paper": Target(_paper, lambda: [_small_png(), samples.jpeg()], 300),
    "paper-pdf": Target(_paper_pdf, lambda: [samples.pdf(), samples.pdf(pages=2)], 15),
    "spreadsheet": Target(_spreadsheet, _sheets, 800),
    "worksheet": Target(_worksheet, lambda: [_PARTS[_SHEET]], 100),
}
