"""Files that people bring are read as they meant them, or refused; nothing in them runs."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from kernel.refusals import Refusal
from ra_portal.spreadsheets import reading
from ra_portal.spreadsheets.writing import SheetFormat, write


def xlsx(*rows: tuple[object, ...]) -> bytes:
    book, written = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(written)
    return written.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_as_programs_of_the_trade_write_it(encoding: str, delimiter: str) -> None:
    text = f'姓名{delimiter}工号\r\n"张,三;"{delimiter}007\r\n\r\n'
    assert reading.read(text.encode(encoding)) == [(1, ["姓名", "工号"]), (2, ["张,三;", "007"])]


def test_xlsx_cells_are_text_and_formulas_are_nothing() -> None:
    content = xlsx(("姓名", "工号"), ("张三", 7), (None, None), ('=HYPERLINK("http://x")', 7.0))
    assert reading.read(content) == [(1, ["姓名", "工号"]), (2, ["张三", "7"]), (4, ["", "7"])]


def test_empty_rows_count_as_the_spreadsheet_program_counts() -> None:
    read = [(2, ["名", "值"]), (4, ["a b", "1"]), (6, ["b", "2"])]
    assert reading.read('\n名,值\n,\n"a\nb",1\n\nb,2\n'.encode()) == read
    book, written = Workbook(), io.BytesIO()
    for number, cells in read:
        for column, text in enumerate(cells, 1):
            book.active.cell(number, column, text)  # rows between are not in the file at all
    book.save(written)
    assert reading.read(written.getvalue()) == read


@pytest.mark.parametrize("wanted", list(SheetFormat))
def test_what_we_write_we_read(wanted: SheetFormat) -> None:
    rows = [["名", "值"], ["a,b", 'c"d'], ["", "x"]]
    assert reading.read(write(rows, wanted)) == list(enumerate(rows, 1))


def test_a_csv_of_a_chinese_spreadsheet_program_may_have_ten_thousand_rows() -> None:
    rows = [["姓名", "工号"], *(["欧阳翠花", f"E-{number}"] for number in range(10_000))]
    text = "\r\n".join(",".join(row) for row in rows)
    assert reading.read(text.encode("gbk")) == list(enumerate(rows, 1))


def bomb() -> bytes:
    """Small when packed, 40 MiB when not."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (40 << 20))
    return made.getvalue()


def with_macros() -> bytes:
    made = io.BytesIO(xlsx(("姓名",)))
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"Sub Auto_Open()")
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "sheet.empty"),
        (b"\n\n", "sheet.empty"),
        (b"a,b\n" * 10_002, "sheet.rows"),
        (b"x" * (5 * 1024 * 1024 + 1), "sheet.too-large"),
        (b"\x00\x01\x02", "sheet.type"),
        (b'"never closed', "sheet.damaged"),
        (b"PK\x03\x04 and nothing more", "sheet.damaged"),
        (bomb(), "sheet.too-large"),
        (write([["x"]] * 10_002, SheetFormat.XLSX), "sheet.rows"),
        (with_macros(), "sheet.macros"),
        (xlsx(("a",))[:-40], "sheet.damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_small_sheet_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        reading.read(content)
    assert refused.value.code == code


def test_an_entity_in_a_sheet_is_not_expanded() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx(("a",)))) as plain, zipfile.ZipFile(made, "w") as changed:
        for name in plain.namelist():
            content = plain.read(name)
            if name.endswith("sheet1.xml"):
                content = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
            changed.writestr(name, content)
    try:
        read = reading.read(made.getvalue())
    except Refusal as refusal:
        assert refusal.code in {"sheet.damaged", "sheet.empty"}  # noqa: PT017
    else:
        assert "root:" not in str(read)


@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", b"a,b\n"]))
def test_any_bytes_are_read_or_refused(rest: bytes, beginning: bytes) -> None:
    try:
        reading.read(beginning + rest)
    except Refusal:
        return
