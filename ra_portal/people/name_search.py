"""Finds enterprises by a part of their name, with the same short walk through an index however many
there are, on SQLite and PostgreSQL alike.

Each name is cut at every character but those of its legal form; a part of the name is then the
beginning of one of the cuts. Keys are UTF-8 octets, which both databases compare as such.
"""

import unicodedata

from sqlalchemy import Connection, Select, delete, insert, select

from ra_portal.tables import name_parts

MOST_MATCHES = 500
"""More are not looked at: nobody reads them, and a longer part of the name tells them apart."""

_LONGEST = 16
"""Characters of a cut, and of a search that tells names apart."""
_FORMS = ("有限责任公司", "股份有限公司", "有限公司")
_PAST_EVERY_CHARACTER = b"\xff"


def remember(connection: Connection, uscc: str, name: str) -> None:
    """`name` finds `uscc` from now on; what found it before, does no longer."""
    connection.execute(delete(name_parts).where(name_parts.c.uscc == uscc))
    rows = [{"part": part, "uscc": uscc} for part in sorted(set(cuts(name)))]
    connection.execute(insert(name_parts), rows)


def find(connection: Connection, text: str) -> list[str]:
    """USCCs of the enterprises whose name holds `text`, `MOST_MATCHES` at most."""
    return sorted({row.uscc for row in connection.execute(query(text))})


def query(text: str) -> Select[tuple[str]]:
    """One walk along the index."""
    sought = _folded(text)[:_LONGEST].encode()
    return (
        select(name_parts.c.uscc)
        .where(name_parts.c.part >= sought, name_parts.c.part < sought + _PAST_EVERY_CHARACTER)
        .limit(MOST_MATCHES)
    )


def cuts(name: str) -> list[bytes]:
    """What stands in the index for a name."""
    folded = _folded(name)
    form = next((form for form in _FORMS if folded.endswith(form)), "")
    starts = range(max(len(folded) - len(form), 1))
    return [folded[start : start + _LONGEST].encode() for start in starts]


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
