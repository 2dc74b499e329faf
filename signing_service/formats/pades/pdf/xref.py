"""Cross-reference sections (ISO 32000-2, 7.5.4 to 7.5.8) and how they follow each other.

A broken table is refused, not repaired: two readers that repair differently see two documents.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from signing_service.formats.pades.pdf.filters import MAX_ROWS, decode
from signing_service.formats.pades.pdf.syntax import Name, Scanner, Stream, malformed

MAX_SECTIONS = 1000
MAX_ENTRIES = MAX_ROWS
_START = re.compile(rb"startxref[\0\t\n\f\r ]+(\d{1,12})[\0\t\n\f\r ]+%%EOF[\0\t\n\f\r ]*\Z")
_TAIL_BYTES = 2048
_SUBSECTION = re.compile(rb"[\0\t\n\f\r ]*(\d{1,10}) (\d{1,10})[ \t]*(?:\r\n|\r|\n)")
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])(?: \r| \n|\r\n)")
_ENTRY_BYTES = 20


class InFile(NamedTuple):
    """An object in use at an octet offset."""

    offset: int
    generation: int


class InStream(NamedTuple):
    """An object inside an object stream."""

    stream: int
    position: int


Entry = InFile | InStream | None
"""None: free."""


@dataclass(frozen=True, slots=True)
class Section:
    """One cross-reference section with its trailer."""

    offset: int
    entries: dict[int, Entry]
    trailer: dict[str, Any]
    is_stream: bool
    number: int | None = None
    """The object number of a cross-reference stream."""


class StreamAt(NamedTuple):
    """A stream object found at an offset."""

    number: int
    stream: Stream


def last_startxref(data: bytes, end: int) -> int:
    """The offset that the `startxref` at the end of `data[:end]` names.

    Raises Malformed `pdf.malformed` when a file does not end there as it should.
    """
    tail = data[max(0, end - _TAIL_BYTES) : end]
    match = _START.search(tail)
    if match is None:
        raise malformed("no startxref with its %%EOF at the end", end)
    return int(match[1])


def read_chain(
    data: bytes, offset: int, stream_at: Callable[[int], StreamAt]
) -> tuple[Section, ...]:
    """The section at `offset` and those before it, newest first.

    `stream_at` reads the stream object at an offset. Raises Malformed `pdf.malformed`.
    """
    sections: list[Section] = []
    seen: set[int] = set()
    total = 0
    following: int | None = offset
    while following is not None:
        if following in seen or len(seen) >= MAX_SECTIONS:
            raise malformed("cross-reference sections go round in a circle", following)
        seen.add(following)
        section = _read_section(data, following, stream_at)
        sections.append(section)
        hybrid = section.trailer.get("XRefStm")
        if isinstance(hybrid, int) and not section.is_stream:
            # 7.5.8.4: what the table of a hybrid file hides as free, its stream shows.
            extra = _read_stream(hybrid, stream_at)
            for number, entry in extra.entries.items():
                if section.entries.get(number) is None:
                    section.entries[number] = entry
        total += len(section.entries)
        if total > MAX_ENTRIES:
            raise malformed(f"more than {MAX_ENTRIES} cross-reference entries")
        following = section.trailer.get("Prev")
        if following is not None and (type(following) is not int or following < 0):
            raise malformed("a Prev that is no offset")
    return tuple(sections)


def _read_section(data: bytes, offset: int, stream_at: Callable[[int], StreamAt]) -> Section:
    if not 0 < offset < len(data):
        raise malformed("a cross-reference section outside the file", offset)
    if not data.startswith(b"xref", offset):
        return _read_stream(offset, stream_at)
    entries, position = _read_table(data, offset + 4)
    scanner = Scanner(data, position)
    if scanner.keyword() != b"trailer":
        raise malformed("a cross-reference table without its trailer", position)
    trailer = scanner.value()
    if not isinstance(trailer, dict):
        raise malformed("a trailer that is no dictionary", position)
    return Section(offset, entries, trailer, is_stream=False)


def _read_table(data: bytes, position: int) -> tuple[dict[int, Entry], int]:
    entries: dict[int, Entry] = {}
    while match := _SUBSECTION.match(data, position):
        first, count = int(match[1]), int(match[2])
        position = match.end()
        if count + len(entries) > MAX_ENTRIES:
            raise malformed(f"more than {MAX_ENTRIES} cross-reference entries", position)
        rows = _ENTRY.findall(data[position : position + count * _ENTRY_BYTES])
        if len(rows) != count:
            raise malformed("a cross-reference entry is not twenty octets", position)
        for number, (offset, generation, kind) in enumerate(rows, first):
            if number in entries:
                raise malformed("an object is listed twice in one section", position)
            entries[number] = InFile(int(offset), int(generation)) if kind == b"n" else None
        position += count * _ENTRY_BYTES
    return entries, position


def _read_stream(offset: int, stream_at: Callable[[int], StreamAt]) -> Section:
    found = stream_at(offset)
    dictionary = found.stream.dictionary
    widths, size = dictionary.get("W"), dictionary.get("Size")
    if dictionary.get("Type") != Name("XRef") or type(size) is not int:
        raise malformed("no cross-reference section where one belongs", offset)
    if (
        not isinstance(widths, list)
        or len(widths) != 3
        or not all(type(width) is int and 0 <= width <= 8 for width in widths)
    ):
        raise malformed("a cross-reference stream without its widths", offset)
    index = dictionary.get("Index", [0, size])
    if not isinstance(index, list) or not all(type(n) is int and n >= 0 for n in index):
        raise malformed("a cross-reference stream without its index", offset)
    count, width = sum(index[1::2]), sum(widths)
    if count > MAX_ENTRIES or width == 0:
        raise malformed(f"more than {MAX_ENTRIES} cross-reference entries", offset)
    rows = decode(found.stream, MAX_ENTRIES * 24, predicted=MAX_ENTRIES * 24)
    if len(rows) != count * width:
        raise malformed("a cross-reference stream of another length", offset)
    entries: dict[int, Entry] = {}
    row = 0
    for first, length in zip(index[::2], index[1::2], strict=False):
        for number in range(first, first + length):
            if number in entries:
                raise malformed("an object is listed twice in one section", offset)
            entries[number] = _entry(rows, row, widths)
            row += width
    return Section(offset, entries, dictionary, is_stream=True, number=found.number)


def _entry(rows: bytes, at: int, widths: list[int]) -> Entry:
    first, second, third = widths
    middle, last = at + first + second, at + first + second + third
    kind = int.from_bytes(rows[at : at + first], "big") if first else 1
    a = int.from_bytes(rows[at + first : middle], "big")
    b = int.from_bytes(rows[middle:last], "big")
    if kind == 1:
        return InFile(a, b)
    if kind == 2:
        return InStream(a, b)
    return None
