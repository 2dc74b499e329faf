"""A list of cards that somebody pasted or uploaded: numbers or serials, one a line."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from kernel.identifiers import parse_serial, serial_text
from kernel.refusals import Malformed, Refusal, Unprocessable
from ra_portal.cards.tables import cards

LONGEST = 5000
"""Entries; `portseal mass-revoke` takes a file of any length."""

_NUMBER = re.compile(r"[A-Z]{2}-[0-9]{4}-[0-9A-Z]{4,16}")
_BETWEEN = re.compile(r"[\s,;，；、]+")


@dataclass(frozen=True)
class LeftOut:
    """An entry that no card answers to that the act could move."""

    entry: str
    state: str | None
    """Of the card; None: there is no such card."""


def read(text: str) -> str:
    """The entries, each once, one a line; as a filter keeps them.

    Raises Malformed `mass.list` with the first entry that is neither, Unprocessable
    `mass.list-too-long`.
    """
    entries = dict.fromkeys(_entry(each) for each in _BETWEEN.split(text) if each)
    if len(entries) > LONGEST:
        raise Unprocessable(
            "mass.list-too-long",
            "a list here has at most 5,000 entries: a longer one goes to the console",
        )
    return "\n".join(entries)


def _entry(text: str) -> str:
    upper = text.upper()
    if _NUMBER.fullmatch(upper):
        return upper
    try:
        return serial_text(parse_serial(upper))
    except Refusal:
        raise Malformed(
            "mass.list", "a line is neither a card's number nor a serial number", entry=text[:40]
        ) from None


def meant(listed: str) -> ColumnElement[bool]:
    numbers, serials = _apart(listed)
    return or_(cards.c.number.in_(numbers), cards.c.serial.in_(serials))


def left_out(
    connection: Connection, listed: str, states: Sequence[str], kinds: Sequence[str]
) -> list[LeftOut]:
    """Entries whose card is in none of these states, of another kind, or unknown."""
    query = select(cards.c.number, cards.c.serial, cards.c.state, cards.c.holder_kind)
    found: dict[str | None, Any] = {}
    for each in connection.execute(query.where(meant(listed))):
        found[each.number] = found[each.serial] = each
    told = []
    for entry in listed.split("\n"):
        row = found.get(entry)
        if row is None:
            told.append(LeftOut(entry, None))
        elif row.state not in states or row.holder_kind not in kinds:
            told.append(LeftOut(entry, row.state))
    return told


def _apart(listed: str) -> tuple[list[str], list[str]]:
    entries = listed.split("\n")
    return [each for each in entries if "-" in each], [each for each in entries if "-" not in each]
