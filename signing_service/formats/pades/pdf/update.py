"""Incremental updates (ISO 32000-2, 7.5.6): new objects after the old octets, which stay."""

import hashlib
import struct
from datetime import datetime
from typing import Any, TypeGuard

from signing_service.formats.pades.pdf.document import Revision
from signing_service.formats.pades.pdf.syntax import Name, Ref, Stream, Value, write

_ROW = struct.Struct(">BIH")


class Update:
    """Collects what one update adds and replaces."""

    def __init__(self, revision: Revision) -> None:
        self.revision = revision
        self._next = revision.size
        self._objects: dict[Ref, Value] = {}
        self.offsets: dict[Ref, int] = {}
        """Known once the update is written: where each object's value begins in the file."""

    def reserve(self) -> Ref:
        """A new object's number, for a value that comes later."""
        reference = Ref(self._next)
        self._next += 1
        return reference

    def add(self, value: Value) -> Ref:
        reference = self.reserve()
        self._objects[reference] = value
        return reference

    def put(self, reference: Ref, value: Value) -> None:
        """The value of a reserved object, or a new value of an old one."""
        self._objects[reference] = value

    def get(self, value: Value) -> Value:
        """As the revision with this update has it."""
        while isinstance(value, Ref):
            known = value in self._objects
            value = self._objects[value] if known else self.revision.get(value)
        return value

    def is_place(self, value: Value) -> TypeGuard[Ref]:
        """Whether a value is a reference to an object that is there and can be replaced."""
        return isinstance(value, Ref) and self.revision.get(value) is not None

    def edit(self, holder: dict[str, Any], owner: Ref, key: str, new: Value) -> None:
        """Change what `holder[key]` is: in its own object where it has one, else in `owner`,
        the object whose value `holder` is."""
        old = holder.get(key)
        if self.is_place(old):
            self.put(old, new)
        else:
            self.put(owner, {**self.get(owner), key: new})

    def to_bytes(self) -> bytes:
        """What is appended to the revision's octets."""
        revision = self.revision
        base = revision.end
        parts: list[bytes] = []
        position = base
        if revision.file.data[base - 1 : base] not in {b"\n", b"\r"}:
            parts.append(b"\n")
            position += 1
        positions: dict[Ref, int] = {}
        for reference, value in sorted(self._objects.items()):
            head = b"%d %d obj\n" % reference
            positions[reference] = position
            self.offsets[reference] = position + len(head)
            octets = head + write(value) + b"\nendobj\n"
            parts.append(octets)
            position += len(octets)
        as_stream = revision.sections[0].is_stream
        parts.append(self._stream(positions, position) if as_stream else self._table(positions))
        parts.append(b"startxref\n%d\n%%%%EOF\n" % position)
        return b"".join(parts)

    def _table(self, positions: dict[Ref, int]) -> bytes:
        rows = [b"xref\n"]
        for first, references in _runs(positions):
            rows.append(b"%d %d\n" % (first, len(references)))
            rows.extend(
                b"%010d %05d n\r\n" % (positions[reference], reference.generation)
                for reference in references
            )
        return b"".join(rows) + b"trailer\n" + write(self._trailer(self._next, positions)) + b"\n"

    def _stream(self, positions: dict[Ref, int], position: int) -> bytes:
        own = Ref(self._next)
        positions = {**positions, own: position}
        index, rows = [], []
        for first, references in _runs(positions):
            index += [first, len(references)]
            rows += [_ROW.pack(1, positions[ref], ref.generation) for ref in references]
        dictionary = {
            "Type": Name("XRef"),
            "W": [1, 4, 2],
            "Index": index,
            **self._trailer(own.number + 1, positions),
        }
        stream = Stream(dictionary, b"".join(rows))
        return b"%d 0 obj\n" % own.number + write(stream) + b"\nendobj\n"

    def _trailer(self, size: int, positions: dict[Ref, int]) -> dict[str, Any]:
        old = self.revision.trailer
        trailer: dict[str, Any] = {"Size": size, "Root": self.revision.root}
        if "Info" in old:
            trailer["Info"] = old["Info"]
        trailer["Prev"] = self.revision.sections[0].offset
        identifiers = self.revision.get(old.get("ID"))
        changed = hashlib.sha256(repr((self.revision.end, sorted(positions.items()))).encode())
        if isinstance(identifiers, list) and len(identifiers) == 2:
            trailer["ID"] = [identifiers[0], changed.digest()[:16]]
        return trailer


def _runs(positions: dict[Ref, int]) -> list[tuple[int, list[Ref]]]:
    """References in order, in runs of consecutive numbers."""
    runs: list[tuple[int, list[Ref]]] = []
    for reference in sorted(positions):
        if runs and runs[-1][0] + len(runs[-1][1]) == reference.number:
            runs[-1][1].append(reference)
        else:
            runs.append((reference.number, [reference]))
    return runs


def date(at: datetime) -> bytes:
    """A date string (7.9.4) with its offset from UTC."""
    offset = at.utcoffset()
    assert offset is not None
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02d}'{abs(minutes) % 60:02d}'" if minutes else "Z"
    return at.strftime("D:%Y%m%d%H%M%S").encode() + zone.encode()
