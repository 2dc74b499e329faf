"""A PDF file and its revisions: objects found through cross-references, nothing guessed."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.formats.pades.pdf.filters import MAX_DECODED_BYTES, decode, is_predicted
from signing_service.formats.pades.pdf.syntax import Name, Ref, Scanner, Stream, Value, malformed
from signing_service.formats.pades.pdf.xref import (
    Entry,
    InFile,
    InStream,
    Section,
    StreamAt,
    last_startxref,
    read_chain,
)
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES

MAX_PAGES = 20_000
MAX_PAGE_DEPTH = 64
MAX_INFLATED_BYTES = 64 * 1024 * 1024
"""All object streams of one file together."""
_PREDICTED_WEIGHT = 16
"""What an octet behind a predictor counts of them: undoing it costs as much more processor."""
_MAX_REFERENCES = 16
_HEADER = re.compile(rb"%PDF-([12])\.(\d)")
_OBJECT = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+obj(?![A-Za-z0-9])")
_STREAM = re.compile(rb"\r?\n")
_STREAM_END = re.compile(rb"[\0\t\n\f\r ]*endstream")


class PdfFile:
    """The octets of one file, with what was parsed of them so far. Not for several threads."""

    def __init__(self, data: bytes) -> None:
        """Raises TooLarge `document.too-large`; Malformed `pdf.malformed`; Unprocessable
        `pdf.encrypted`."""
        if len(data) > MAX_DOCUMENT_BYTES:
            raise TooLarge("document.too-large", "the document is too large")
        header = _HEADER.match(data)
        if header is None:
            raise malformed("a PDF begins with its header", 0)
        self.data = data
        self.version = (int(header[1]), int(header[2]))
        self._objects: dict[tuple[int, int], Value] = {}
        self._compressed: dict[int, dict[int, tuple[int, Value]]] = {}
        self._references: dict[tuple[Entry, int], frozenset[int]] = {}
        self._inflated = 0
        self._loading: set[int] = set()
        start = last_startxref(data, len(data))
        self.current = Revision(self, read_chain(data, start, self._stream_at), len(data))

    def revision(self, end: int) -> "Revision":
        """The document as it is in the first `end` octets, which must be an earlier state of it.

        Raises Malformed `pdf.revision` where what follows does not build on it, or where one of
        the two reaches into the other.
        """
        start = last_startxref(self.data, end)
        sections = self.current.sections
        for index, section in enumerate(sections):
            if section.offset == start:
                _check_borders(sections[:index], sections[index:], end)
                return Revision(self, sections[index:], end)
        raise Malformed("pdf.revision", "what was signed is bypassed by the file's last update")

    def object_at(self, offset: int, revision: "Revision | None") -> tuple[Ref, Value, int]:
        """The indirect object at an offset, and where it ends."""
        match = _OBJECT.match(self.data, offset)
        if match is None:
            raise malformed("no object where the cross-reference says", offset)
        scanner = Scanner(self.data, match.end())
        value = scanner.value()
        keyword = scanner.keyword()
        if keyword == b"stream" and isinstance(value, dict):
            value = self._stream(value, scanner, revision)
            keyword = scanner.keyword()
        if keyword != b"endobj":
            raise malformed("an object without its end", offset)
        return Ref(int(match[1]), int(match[2])), value, scanner.position

    def load(self, number: int, entry: Entry, revision: "Revision") -> Value:
        if isinstance(entry, InFile):
            key = (entry.offset, number)
            if key not in self._objects:
                if entry.offset in self._loading:
                    raise malformed("an object that needs itself to be read", entry.offset)
                self._loading.add(entry.offset)
                found, value, _ = self.object_at(entry.offset, revision)
                self._loading.discard(entry.offset)
                if found != (number, entry.generation):
                    raise malformed("another object than the cross-reference says", entry.offset)
                self._objects[key] = value
            return self._objects[key]
        if isinstance(entry, InStream):
            found_number, value = self._in_stream(entry, revision)
            if found_number != number:
                raise malformed("another object than the cross-reference says")
            return value
        return None

    def references_of(self, number: int, entry: Entry, revision: "Revision") -> frozenset[int]:
        """The numbers of the objects that an object refers to; its stream's data are not read."""
        if entry is None:
            return frozenset()
        key = (entry, number)
        if key not in self._references:
            if isinstance(entry, InStream):
                value = self.load(number, entry, revision)
            else:
                head = _OBJECT.match(self.data, entry.offset)
                value = None if head is None else Scanner(self.data, head.end()).value()
            self._references[key] = frozenset(_references(value))
        return self._references[key]

    def _opened(
        self, number: int, holder: InFile, revision: "Revision"
    ) -> dict[int, tuple[int, Value]]:
        contents = self._compressed.get(holder.offset)
        if contents is None:
            stream = self.load(number, holder, revision)
            contents = self._compressed[holder.offset] = self._contents(stream)
        return contents

    def _in_stream(self, entry: InStream, revision: "Revision") -> tuple[int, Value]:
        holder = revision.entry(entry.stream)
        if not isinstance(holder, InFile):
            raise malformed("an object stream that is not there")
        contents = self._opened(entry.stream, holder, revision)
        if entry.position not in contents:
            raise malformed("an object stream without the object")
        return contents[entry.position]

    def _contents(self, stream: Value) -> dict[int, tuple[int, Value]]:
        if not isinstance(stream, Stream) or stream.dictionary.get("Type") != Name("ObjStm"):
            raise malformed("no object stream where one belongs")
        count, first = stream.dictionary.get("N"), stream.dictionary.get("First")
        room = MAX_INFLATED_BYTES - self._inflated
        decoded = decode(stream, min(MAX_DECODED_BYTES, room), predicted=room // _PREDICTED_WEIGHT)
        self._inflated += len(decoded) * (_PREDICTED_WEIGHT if is_predicted(stream) else 1)
        if type(count) is not int or type(first) is not int or not 0 <= first <= len(decoded):
            raise malformed("an object stream without its head")
        head = decoded[:first].split()
        if len(head) != 2 * count or not all(part.isdigit() for part in head):
            raise malformed("an object stream without its head")
        numbers, offsets = map(int, head[::2]), map(int, head[1::2])
        return {
            index: (number, Scanner(decoded, first + offset).value())
            for index, (number, offset) in enumerate(zip(numbers, offsets, strict=True))
        }

    def _stream(
        self, dictionary: dict[str, Any], scanner: Scanner, revision: "Revision | None"
    ) -> Stream:
        match = _STREAM.match(self.data, scanner.position)
        length = dictionary.get("Length")
        if isinstance(length, Ref):
            if revision is None:
                raise malformed("a stream of unknown length", scanner.position)
            length = revision.get(length)
        if match is None or type(length) is not int or length < 0:
            raise malformed("a stream without its length", scanner.position)
        start, end = match.end(), match.end() + length
        closing = _STREAM_END.match(self.data, end)
        if closing is None:
            raise malformed("a stream of another length than it says", start)
        scanner.position = closing.end()
        return Stream(dictionary, self.data[start:end])

    def _stream_at(self, offset: int) -> StreamAt:
        reference, value, _ = self.object_at(offset, None)
        if not isinstance(value, Stream):
            raise malformed("no cross-reference section where one belongs", offset)
        return StreamAt(reference.number, value)


class Revision:
    """The document as one chain of cross-reference sections shows it."""

    def __init__(self, file: PdfFile, sections: tuple[Section, ...], end: int) -> None:
        self.file = file
        self.sections = sections
        self.end = end
        self.trailer = sections[0].trailer
        if any("Encrypt" in section.trailer for section in sections):
            raise Unprocessable("pdf.encrypted", "encrypted PDFs are neither signed nor verified")

    def entry(self, number: int) -> Entry:
        for section in self.sections:
            if number in section.entries:
                return section.entries[number]
        return None

    def get(self, value: Value) -> Value:
        """What a reference leads to; any other value is itself."""
        for _ in range(_MAX_REFERENCES):
            if not isinstance(value, Ref):
                return value
            entry = self.entry(value.number)
            if isinstance(entry, InFile) and entry.generation != value.generation:
                return None
            value = self.file.load(value.number, entry, self)
        raise malformed("references go round in a circle")

    def dictionary(self, value: Value) -> dict[str, Any]:
        """As `get`; an absent dictionary is empty. Raises Malformed for anything else."""
        found = self.get(value)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise malformed("a dictionary belongs there")
        return found

    def array(self, value: Value) -> list[Any]:
        """As `get`; an absent array is empty. Raises Malformed for anything else."""
        found = self.get(value)
        if found is None:
            return []
        if not isinstance(found, list):
            raise malformed("an array belongs there")
        return found

    def stream(self, value: Value) -> Stream:
        found = self.get(value)
        if not isinstance(found, Stream):
            raise malformed("a stream belongs there")
        return found

    @cached_property
    def root(self) -> Ref:
        root = self.trailer.get("Root")
        if not isinstance(root, Ref):
            raise malformed("a trailer without its Root")
        return root

    @cached_property
    def catalog(self) -> dict[str, Any]:
        catalog = self.dictionary(self.root)
        if catalog.get("Type") != Name("Catalog"):
            raise malformed("no catalog where the trailer says")
        return catalog

    def references(self) -> set[int]:
        """The number of every object that any object in use refers to."""
        found: set[int] = set()
        for number in {number for section in self.sections for number in section.entries}:
            found |= self.file.references_of(number, self.entry(number), self)
        return found

    @property
    def size(self) -> int:
        """One more than the highest object number in use."""
        declared = self.trailer.get("Size")
        highest = max((max(section.entries, default=0) for section in self.sections), default=0)
        return max(declared if type(declared) is int else 0, highest + 1)

    def pages(self) -> Iterator[Ref]:
        """Every page in order. Raises Malformed where the page tree is none."""
        yield from self._pages(self.catalog.get("Pages"), set(), 0)

    def page(self, index: int) -> Ref:
        """The page at `index`, from zero; negative from the end. Raises Unprocessable."""
        if index >= 0:
            for position, reference in enumerate(self.pages()):
                if position == index:
                    return reference
        else:
            every = list(self.pages())
            if -index <= len(every):
                return every[index]
        raise Unprocessable("seal.page", "there is no such page", page=index)

    def _pages(self, node: Value, seen: set[Ref], depth: int) -> Iterator[Ref]:
        if not isinstance(node, Ref) or node in seen or depth > MAX_PAGE_DEPTH:
            raise malformed("the page tree is no tree")
        seen.add(node)
        if len(seen) > MAX_PAGES:
            raise malformed(f"more than {MAX_PAGES} pages")
        found = self.dictionary(node)
        if "Kids" not in found:
            if not found:
                raise malformed("a page that is not there")
            yield node
            return
        for kid in self.array(found["Kids"]):
            yield from self._pages(kid, seen, depth + 1)


def _check_borders(later: tuple[Section, ...], earlier: tuple[Section, ...], end: int) -> None:
    """Every section and object lies on its own side of a revision's end."""
    known: dict[int, Entry] = {}
    for section in reversed(earlier):
        known.update(section.entries)
        offsets = [each.offset for each in section.entries.values() if isinstance(each, InFile)]
        if section.offset >= end or max(offsets, default=0) >= end:
            raise Malformed("pdf.revision", "a revision refers to what came after it")
    for section in later:
        for number, entry in section.entries.items():
            reaches_back = isinstance(entry, InFile) and entry.offset < end
            if section.offset < end or (reaches_back and known.get(number) != entry):
                raise Malformed("pdf.revision", "an update brings back what an earlier one changed")


def _references(value: Value) -> Iterator[int]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Ref):
            yield each.number
        elif isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, Stream):
            waiting.extend(each.dictionary.values())


def is_pdf(data: bytes) -> bool:
    """Whether the octets begin as a PDF does."""
    return data.startswith(b"%PDF-")
