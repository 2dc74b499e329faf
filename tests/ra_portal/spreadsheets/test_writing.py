"""What people take away calculates nothing."""

import io

import pytest
from openpyxl import load_workbook

from ra_portal.spreadsheets.writing import SheetFormat, write

HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", '=HYPERLINK("http://x","y")']


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_is_a_formula(text: str) -> None:
    csv = write([[text]], SheetFormat.CSV).decode("utf-8-sig")
    assert csv.startswith("\"'")
    book = load_workbook(io.BytesIO(write([[text]], SheetFormat.XLSX)))
    cell = book.active["A1"]
    assert cell.data_type == "s"
    assert str(cell.value).startswith("'")


def test_plain_text_stays_as_it_is() -> None:
    book = load_workbook(io.BytesIO(write([["宁波", "12-3", "a=b"]], SheetFormat.XLSX)))
    assert [cell.value for cell in book.active[1]] == ["宁波", "12-3", "a=b"]
