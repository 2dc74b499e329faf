"""Spreadsheets that people bring: CSV in UTF-8 or GB 18030, XLSX; read strictly, within limits.

An XLSX is a ZIP archive of XML: how much it unpacks to is counted before anything is unpacked, and
nothing but its cells' stored values is read, formulas and links never.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from kernel.refusals import Malformed, TooLarge, Unprocessable

LARGEST_FILE = 5 * 1024 * 1024
"""Bytes."""
MOST_ROWS = 10_000
MOST_COLUMNS = 30
_LONGEST_CELL = 300
_MOST_UNPACKED = 30 * 1024 * 1024
_MOST_SCANNED = 4 * MOST_ROWS
"""Rows, empty ones included: they count for nothing, but cost."""
_MOST_MEMBERS = 100


Numbered = tuple[int, list[str]]
"""A row's number as the spreadsheet program counts, from 1, empty rows too; its cells."""


def read(content: bytes) -> list[Numbered]:
    """The rows of the first sheet, cells as text, empty rows left out but counted.

    Raises TooLarge `sheet.too-large`, `sheet.rows`, Malformed `sheet.damaged`, Unprocessable
    `sheet.type`, `sheet.empty`, `sheet.macros`.
    """
    if len(content) > LARGEST_FILE:
        raise TooLarge("sheet.too-large", "the file is larger than 5 MiB", largest=LARGEST_FILE)
    rows = _xlsx(content) if content.startswith(b"PK\x03\x04") else _csv(content)
    kept: list[Numbered] = []
    for number, row in enumerate(rows, 1):
        cells = [_text(cell) for cell in row[:MOST_COLUMNS]]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            kept.append((number, cells))
        if len(kept) > MOST_ROWS + 1:  # the heading is none
            raise TooLarge("sheet.rows", "the file has more than 10,000 rows", most=MOST_ROWS)
    if not kept:
        raise Unprocessable("sheet.empty", "the file holds no rows")
    return kept


def _csv(content: bytes) -> Iterator[list[Any]]:
    if b"\x00" in content:
        raise Unprocessable("sheet.type", "the file must be CSV or XLSX")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise Unprocessable("sheet.type", "the file must be CSV or XLSX")
    try:
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except csv.Error:
        raise _damaged() from None


def _xlsx(content: bytes) -> Iterator[list[Any]]:
    from openpyxl import load_workbook  # slow to load, and seldom needed

    _require_small(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        for number, row in enumerate(sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS)):
            if number > _MOST_SCANNED:
                raise TooLarge("sheet.rows", "the file has more than 10,000 rows", most=MOST_ROWS)
            yield list(row)
    except TooLarge:
        raise
    except Exception:  # noqa: BLE001 - whatever a foreign archive makes the reader raise
        raise _damaged() from None


def _require_small(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise _damaged() from None
    if len(members) > _MOST_MEMBERS or sum(each.file_size for each in members) > _MOST_UNPACKED:
        raise TooLarge("sheet.too-large", "the file unpacks to too much")
    if any(each.filename.casefold().endswith("vbaproject.bin") for each in members):
        raise Unprocessable("sheet.macros", "the workbook holds macros: save it as XLSX without")


def _text(cell: Any) -> str:
    """As a person sees it: whole numbers without a point, dates as dates."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, datetime):
        cell = cell.date()
    if isinstance(cell, date):
        cell = cell.isoformat()
    return " ".join(str(cell).split())[:_LONGEST_CELL]


def _damaged() -> Malformed:
    return Malformed("sheet.damaged", "the file is damaged or not wholly of its type")
