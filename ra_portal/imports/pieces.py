"""How the rows of an import are kept: sealed in pieces of a hundred rows, each with how many of
them have faults. A page opens its own rows alone, and the totals are known without opening any.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ra_portal.people.personal_data import PersonalData

_PURPOSE = "import"
_ROWS = 100
"""Of a piece."""
_PART = 60_000
"""Octets that are sealed at once."""
WrittenRow = Mapping[str, Any]


@dataclass(frozen=True)
class Piece:
    rows: int
    bad: int
    """Of the rows, those with faults."""
    sealed: tuple[str, ...]
    """Hexadecimal; JSON when opened and joined."""


def sealed(personal: PersonalData, identifier: str, rows: Sequence[WrittenRow]) -> str:
    """As it is stored; each part knows its place. Asks the token."""
    pieces = []
    for number, start in enumerate(range(0, len(rows), _ROWS)):
        some = rows[start : start + _ROWS]
        text = json.dumps(some)  # ASCII: cut anywhere, a part is a text
        parts = [text[at : at + _PART] for at in range(0, len(text), _PART)]
        pieces.append(
            {
                "rows": len(some),
                "bad": sum(bool(row["errors"]) for row in some),
                "sealed": [
                    personal.seal_text(part, _PURPOSE, f"{identifier}:{number}:{place}").hex()
                    for place, part in enumerate(parts)
                ],
            }
        )
    return json.dumps(pieces)


class Pieces:
    """What was stored."""

    def __init__(self, personal: PersonalData, identifier: str, content: str) -> None:
        self._personal = personal
        self._identifier = identifier
        stored = json.loads(content)
        self._old: list[str] = []
        self._pieces: list[Piece] = []
        if stored and isinstance(stored[0], str):  # from before; such imports are gone in a day
            self._old = stored
        else:
            self._pieces = [Piece(p["rows"], p["bad"], tuple(p["sealed"])) for p in stored]

    @property
    def total(self) -> int:
        return sum(each.rows for each in self._pieces) or len(self._opened_old())

    @property
    def bad(self) -> int:
        return sum(each.bad for each in self._pieces) or sum(
            bool(row["errors"]) for row in self._opened_old()
        )

    def rows(self, first: int = 0, count: int | None = None, *, bad: bool = False) -> list[Any]:
        """Some of the rows, or of those with faults, in the order of the file; only the pieces in
        which they lie are opened."""
        last = None if count is None else first + count
        if self._old:
            return [row for row in self._opened_old() if row["errors"] or not bad][first:last]
        found: list[Any] = []
        behind = 0
        for number, piece in enumerate(self._pieces):
            held = piece.bad if bad else piece.rows
            if behind + held > first and (last is None or behind < last):
                mine = [row for row in self._opened(number) if row["errors"] or not bad]
                found += mine[max(first - behind, 0) : None if last is None else last - behind]
            behind += held
        return found

    def _opened(self, number: int) -> list[Any]:
        parts = (
            self._personal.open_text(
                bytes.fromhex(part), _PURPOSE, f"{self._identifier}:{number}:{place}"
            )
            for place, part in enumerate(self._pieces[number].sealed)
        )
        rows: list[Any] = json.loads("".join(parts))
        return rows

    def _opened_old(self) -> list[Any]:
        parts = (
            self._personal.open_text(bytes.fromhex(part), _PURPOSE, f"{self._identifier}:{number}")
            for number, part in enumerate(self._old)
        )
        rows: list[Any] = json.loads("".join(parts) or "[]")
        return rows
