"""Reading PDF files: strict, bounded, and the same whatever producer wrote them."""

import io
import re
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pyhanko.pdf_utils.generic import Reference
from pyhanko.pdf_utils.reader import PdfFileReader

from kernel.refusals import Malformed, Unprocessable
from signing_service.formats.pades.pdf.document import PdfFile
from signing_service.formats.pades.pdf.filters import decode, inflate
from signing_service.formats.pades.pdf.syntax import (
    MAX_DEPTH,
    Name,
    Ref,
    Scanner,
    Stream,
    read_text,
    text_string,
    write,
)
from signing_service.formats.pades.pdf.update import Update
from tests.signing_service.formats.pades.pdf.samples import (
    SamplePdf,
    object_in,
    sample,
    stream,
    updated,
)


def value(notation: bytes) -> object:
    return Scanner(notation).value()


@pytest.mark.parametrize(
    ("notation", "expected"),
    [
        (b"null", None),
        (b"true", True),
        (b" % a comment\n -17 ", -17),
        (b"+.5", 0.5),
        (b"4.", 4.0),
        (b"/A#20B#2f", Name("A B/")),
        (b"(a(b)c\\)\\053\\n\\\r\nd\\x)", b"a(b)c)+\ndx"),
        (b"(a\r\nb\rc)", b"a\nb\nc"),
        (b"<48 65\n6C6c 7>", b"Hellp"),
        (b"[1 0 R 2 0]", [Ref(1, 0), 2, 0]),
        (b"[12 % gap\n 0\tR]", [Ref(12, 0)]),
        (b"<</A[/B<</C()>>]/D 1>>", {"A": [Name("B"), {"C": b""}], "D": 1}),
    ],
)
def test_notations(notation: bytes, expected: object) -> None:
    assert value(notation) == expected


@pytest.mark.parametrize(
    "notation",
    [
        b"", b"(", b"(a\\", b"<4", b"<4x>", b"[1", b"<</A 1", b"<</A>>", b"<<1 2>>", b"]", b">>",
        b"[1>>", b"<</A 1]", b"endobj", b"truely", b"--1", b"1.2.3", b"12-3", b"<</A 1 /A 2>>",
        b"<</A 1 /#41 2>>", b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), b"[" * 100_000,
        b"<</A" * 100_000, b"(" * 100_000, b"9" * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_notation(notation: bytes) -> None:
    with pytest.raises(Malformed, match=r"pdf.malformed"):
        Scanner(notation).value()


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.binary(max_size=20)
    | st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=9).map(Name)
    | st.builds(Ref, st.integers(0, 10**9), st.integers(0, 65535)),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=5), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@given(_values)
def test_what_is_written_is_read(written: object) -> None:
    assert value(write(written)) == written


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_texts(text: str) -> None:
    assert read_text(text_string(text)) == text


@settings(max_examples=300)
@given(st.binary(max_size=200), st.booleans())
def test_rubbish_is_refused_and_nothing_else_happens(rubbish: bytes, as_streams: bool) -> None:
    pdf = sample(as_streams=as_streams)
    middle = len(pdf) // 2
    for attempt in (b"%PDF-1.7" + rubbish, pdf[:middle] + rubbish + pdf[middle:]):
        try:
            file = PdfFile(attempt)
            list(file.current.pages())
        except (Malformed, Unprocessable):
            continue


@pytest.mark.parametrize("as_streams", [False, True], ids=["table", "streams"])
def test_every_object_is_what_pyhanko_reads(as_streams: bool) -> None:
    pdf = sample(20, as_streams=as_streams)
    ours = PdfFile(pdf).current
    theirs: Any = PdfFileReader(io.BytesIO(pdf))

    pages = list(ours.pages())

    assert len(pages) == 20
    for reference in pages:
        page = theirs.get_object(_reference(theirs, reference))
        assert sorted(page) == sorted(f"/{key}" for key in ours.dictionary(reference))
    content = ours.stream(ours.dictionary(pages[6])["Contents"])
    assert b"page 7" in content.data


@pytest.mark.parametrize("as_streams", [False, True], ids=["table", "streams"])
def test_an_update_is_read_by_us_and_by_pyhanko(as_streams: bool) -> None:
    pdf = sample(as_streams=as_streams)
    update = Update(PdfFile(pdf).current)
    added = update.add({"Hello": text_string("世界")})
    update.put(Ref(1), {**PdfFile(pdf).current.catalog, "Added": added})
    grown = pdf + update.to_bytes()

    file = PdfFile(grown)

    assert read_text(file.current.dictionary(file.current.catalog["Added"])["Hello"]) == "世界"
    assert file.revision(len(pdf)).catalog == PdfFile(pdf).current.catalog
    assert PdfFileReader(io.BytesIO(grown)).root["/Added"]["/Hello"] == "世界"


def test_a_hybrid_file_shows_what_its_stream_lists() -> None:
    """7.5.8.4, as office programs write it."""
    base = sample()
    extra = len(base)
    grown = base + b"90 0 obj\n(hidden from old readers)\nendobj\n"
    at = len(grown)
    rows = b"\x01" + extra.to_bytes(4, "big") + b"\0\0"
    grown += b"91 0 obj\n" + stream(rows, b"/Type /XRef /Size 92 /W [1 4 2] /Index [90 1]")
    grown += b"\nendobj\n"
    hybrid = updated(grown + base[base.rindex(b"startxref") :], {}, trailer=b"/XRefStm %d" % at)

    assert PdfFile(hybrid).current.get(Ref(90)) == b"hidden from old readers"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"%PDF-1.7", b"%PDF-3.0"),
        (b"/Root 1 0 R", b"/Root 3 0 R"),
        (b"/Kids [4 0 R]", b"/Kids [2 0 R]"),
        (b"/Length 51", b"/Length 53"),
        (b"/Length 51", b"/Length 5 0 R"),
        (b"5 0 obj", b"6 0 obj"),
        (b"xref\n0 6", b"xref\n0 7"),
        (b"xref\n0 6", b"xref\n0 99999999"),
        (b"00000 n\r\n", b"00000 n \n\n"),
        (b"trailer\n<<", b"trailer\n[["),
        (b"startxref\n408", b"startxref\n409"),
        (b"startxref\n408", b"startxref\n999999"),
    ],
)
def test_broken_structures_are_refused_not_repaired(old: bytes, new: bytes) -> None:
    broken = sample().replace(old, new, 1)
    assert broken != sample()

    with pytest.raises(Malformed, match=r"pdf.malformed"):
        _read_everything(broken)


def test_cross_references_that_go_round_in_a_circle() -> None:
    pdf = sample()
    start = pdf.rindex(b"xref\n0 ")
    looped = pdf.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % start)
    with pytest.raises(Malformed, match=r"circle"):
        PdfFile(looped)

    endless = pdf
    for _ in range(1100):
        endless = updated(endless, {})
    with pytest.raises(Malformed, match=r"circle"):
        PdfFile(endless)


def test_references_that_go_round_in_a_circle() -> None:
    pdf = updated(sample(), {90: b"91 0 R", 91: b"90 0 R"})

    with pytest.raises(Malformed, match=r"circle"):
        PdfFile(pdf).current.get(Ref(90))


def test_an_object_stream_that_holds_itself() -> None:
    sampled = SamplePdf(as_streams=True)
    sampled.add(b"<</Type /Catalog /Pages 2 0 R>>")
    sampled.add(b"<</Type /Pages /Kids [] /Count 0>>")
    pdf = re.sub(
        rb"/Filter /FlateDecode /Length \d+>>\nstream", b"/Length 1 0 R>>\nstream",
        sampled.to_bytes(), count=1,
    )  # fmt: skip

    with pytest.raises(Malformed):
        _read_everything(pdf)


def test_decompression_bombs_are_stopped() -> None:
    bomb = zlib.compress(bytes(64 * 1024 * 1024), 9)
    tracemalloc.start()
    with pytest.raises(Malformed, match=r"larger than is read"):
        decode(Stream({"Filter": Name("FlateDecode")}, bomb), 1024 * 1024)
    with pytest.raises(Malformed, match=r"more than one filter"):
        decode(Stream({"Filter": [Name("FlateDecode")] * 2}, zlib.compress(bomb, 9)), 1024 * 1024)
    with pytest.raises(Malformed, match=r"larger than is read"):
        inflate(bomb, 0)
    with pytest.raises(Malformed, match=r"ends early"):
        inflate(zlib.compress(b"x" * 100)[:-6], 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024, "more was inflated than is read"

    packed = (
        b"<</Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d>>\nstream\n%s\nendstream"
    )
    pdf = updated(sample(), {90: packed % (len(bomb), bomb)})
    rows = b"\x02" + (90).to_bytes(4, "big") + b"\0\0"
    at = len(pdf)
    pdf += b"95 0 obj\n" + stream(
        rows, b"/Type /XRef /Size 96 /Root 1 0 R /W [1 4 2] /Index [91 1] /Prev %d"
        % int(pdf.rsplit(b"startxref", 1)[1].split()[0]),
    ) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % at  # fmt: skip
    with pytest.raises(Malformed, match=r"larger than is read"):
        PdfFile(pdf).current.get(Ref(91))


def _predicted(rows: bytes, columns: int) -> Stream:
    parameters = {"Predictor": 15, "Columns": columns}
    dictionary = {"Filter": Name("FlateDecode"), "DecodeParms": parameters}
    return Stream(dictionary, zlib.compress(rows))


@given(
    st.integers(3, 9).flatmap(
        lambda columns: st.lists(
            st.tuples(st.integers(0, 4), st.binary(min_size=columns, max_size=columns)), min_size=1
        )
    )
)
def test_every_predictor_is_undone_as_in_a_png(rows: list[tuple[int, bytes]]) -> None:
    octets, columns = b"".join(bytes((kind,)) + row for kind, row in rows), len(rows[0][1])

    ours = decode(_predicted(octets, columns), predicted=len(octets))

    head = columns.to_bytes(4, "big") + len(rows).to_bytes(4, "big") + bytes((8, 0, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", head), (b"IDAT", zlib.compress(octets)), (b"IEND", b"")):
        check = zlib.crc32(name + data).to_bytes(4, "big")
        png += len(data).to_bytes(4, "big") + name + data + check
    assert ours == Image.open(io.BytesIO(png)).tobytes()


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (b"\0a" * 100, 1),
        (b"\0ab" * 100, 2),
        (b"\0abc" * 250_001, 3),
        (b"\3" + bytes(1024) + (b"\4" + bytes(1024)) * 256, 1024),
        (bytes(2 * 1024 * 1024), 1023),
    ],
    ids=["one-column", "two-columns", "rows", "octet-by-octet", "before-prediction"],
)
def test_predictors_that_cost_more_than_a_structure_needs(rows: bytes, columns: int) -> None:
    with pytest.raises(Malformed, match=r"predict|larger than is read"):
        decode(_predicted(rows, columns), predicted=2 * 1024 * 1024 - 1)


def test_predicted_object_streams_of_one_file_together() -> None:
    content = b"90 0 <<>>".ljust(1023 * 1000)  # five of them count 80 MiB
    rows = b"".join(b"\0" + content[at : at + 1023] for at in range(0, 1023 * 1000, 1023))
    packed = zlib.compress(rows)
    holder = (
        b"<</Type /ObjStm /N 1 /First 5 /Filter /FlateDecode /Length %d"
        b" /DecodeParms <</Predictor 12 /Columns 1023>>>>\nstream\n%s\nendstream"
    )
    numbers = range(80, 85)
    pdf = updated(sample(), {number: holder % (len(packed), packed) for number in numbers})
    entries = b"".join(b"\x02" + number.to_bytes(4, "big") + b"\0\0" for number in numbers)
    at = len(pdf)
    pdf += b"95 0 obj\n" + stream(
        entries, b"/Type /XRef /Size 96 /Root 1 0 R /W [1 4 2] /Index [90 5] /Prev %d"
        % int(pdf.rsplit(b"startxref", 1)[1].split()[0]),
    ) + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % at  # fmt: skip
    revision = PdfFile(pdf).current

    assert revision.get(Ref(90)) == {}
    for number in range(91, 94):
        with pytest.raises(Malformed, match=r"another object"):
            revision.get(Ref(number))
    with pytest.raises(Malformed, match=r"larger than is read"):
        revision.get(Ref(94))


def test_encryption_is_refused_by_name() -> None:
    pdf = sample().replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt 9 0 R")

    with pytest.raises(Unprocessable, match=r"pdf.encrypted"):
        PdfFile(pdf)


def test_every_reference_is_seen_whatever_is_between_its_parts() -> None:
    pdf = updated(
        sample(), {90: b"[(%) 91 0 R 92\n0\tR 93 %x\r0 %y\n R 0094 0 R 95 1 R % 96 0 R\n]"}
    )

    assert PdfFile(pdf).current.references() == {2, 3, 4, 5, 91, 92, 93, 94, 95}
    assert PdfFile(sample(as_streams=True)).current.references() == {2, 3, 4, 5, 1}


def _read_everything(pdf: bytes) -> None:
    file = PdfFile(pdf)
    for number in range(1, 6):
        file.current.get(Ref(number))
    list(file.current.pages())
    _ = file.current.catalog
    object_in(pdf, 1)


def _reference(reader: PdfFileReader, reference: Ref) -> object:
    return Reference(reference.number, reference.generation, reader)
