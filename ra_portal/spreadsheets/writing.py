"""Spreadsheets that people take away. No cell of them is ever a formula (CWE-1236)."""

import csv
import io
from collections.abc import Iterable, Sequence
from enum import StrEnum
from tempfile import SpooledTemporaryFile
from typing import IO, TextIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet program calculate, full-width forms included."""
_BOM = "\ufeff"
"""Without it a well-known program reads Chinese as something else."""


_IN_MEMORY = 1 << 20
"""Octets."""


class SheetFormat(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        if self is SheetFormat.CSV:
            return "text/csv; charset=utf-8"
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def write(rows: Iterable[Sequence[str]], wanted: SheetFormat) -> bytes:
    """The rows, the first of which are the headings."""
    defused = ([defuse(cell) for cell in row] for row in rows)
    return _csv(defused) if wanted is SheetFormat.CSV else _xlsx(defused)


def spool_csv(rows: Iterable[Sequence[str]]) -> tuple[IO[bytes], int]:
    """The rows, the first of which are the headings, in a file that lies in memory while it is
    small and then on disk, at its beginning; and how many rows follow the headings. The caller
    closes it; nothing is left of it when `rows` raises."""
    file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - who sends it closes it
    try:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        count = _write_csv(text, ([defuse(cell) for cell in row] for row in rows)) - 1
        text.detach()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, count


def defuse(text: str) -> str:
    """The text as text: an apostrophe goes before what a program would calculate."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    written = io.StringIO(newline="")
    _write_csv(written, rows)
    return written.getvalue().encode()


def _write_csv(file: TextIO, rows: Iterable[Sequence[str]]) -> int:
    file.write(_BOM)
    writer, count = csv.writer(file, quoting=csv.QUOTE_ALL), 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count


def _xlsx(rows: Iterable[Sequence[str]]) -> bytes:
    from openpyxl import Workbook  # slow to load, and seldom needed
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        cells = []
        for text in row:
            cell = WriteOnlyCell(sheet, value=_printable(text))
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _printable(text: str) -> str:
    """XML knows no control characters."""
    return "".join(c for c in text if c >= " " or c in "\n\t")
