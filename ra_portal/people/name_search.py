"""Finds enterprises and people by a part of their name, with the same short walk through an index
however many there are, on SQLite and PostgreSQL alike.

Each name is cut at every character but those of its legal form; a part of the name is then the
beginning of one of the cuts. Keys are UTF-8 octets, which both databases compare as such.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Select, Table, delete, select

from ra_portal.people.tables import name_parts, person_name_parts
from records.bulk import insert_rows

MOST_MATCHES = 500
"""More are not looked at: nobody reads them, and a longer part of the name tells them apart."""

_LONGEST = 16
"""Characters of a cut, and of a search that tells names apart."""
_FORMS = ("有限责任公司", "股份有限公司", "有限公司")
_PAST_EVERY_CHARACTER = b"\xff"


@dataclass(frozen=True)
class NameIndex:
    """One table of cuts, and the column that says whose name it is."""

    table: Table
    owner: Column[str]

    def remember(self, connection: Connection, owner: str, name: str) -> None:
        """`name` finds `owner` from now on; what found it before, does no longer."""
        self.remember_many(connection, {owner: name})

    def remember_many(self, connection: Connection, names: Mapping[str, str]) -> None:
        """As `remember`: names by their owner."""
        connection.execute(delete(self.table).where(self.owner.in_(list(names))))
        rows = [
            {"part": part, self.owner.name: owner}
            for owner, name in names.items()
            for part in sorted(set(cuts(name)))
        ]
        insert_rows(connection, self.table, rows)

    def find(self, connection: Connection, text: str) -> list[str]:
        """Whose name holds `text`, `MOST_MATCHES` at most."""
        return sorted({row[0] for row in connection.execute(self.query(text))})

    def query(self, text: str) -> Select[str]:
        """One walk along the index."""
        sought, part = _folded(text)[:_LONGEST].encode(), self.table.c.part
        return (
            select(self.owner)
            .where(part >= sought, part < sought + _PAST_EVERY_CHARACTER)
            .limit(MOST_MATCHES)
        )


ENTERPRISES = NameIndex(name_parts, name_parts.c.uscc)
"""Enterprises and applicants, by credit code."""
PEOPLE = NameIndex(person_name_parts, person_name_parts.c.holder)
"""Operators and officers, by `Holder` as text."""


def cuts(name: str) -> list[bytes]:
    """What stands in the index for a name."""
    folded = _folded(name)
    form = next((form for form in _FORMS if folded.endswith(form)), "")
    starts = range(max(len(folded) - len(form), 1))
    return [folded[start : start + _LONGEST].encode() for start in starts]


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
