"""Rows of acts at the console as values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from kernel.refusals import NotFound
from ra_portal.cards import card_rows
from ra_portal.cards.card import CardState
from ra_portal.console.tables import console_acts, console_signatures
from ra_portal.people import people_rows
from ra_portal.people.identity import HolderKind
from ra_portal.people.people import Officer


class Missing(StrEnum):
    """Why an act was done without a card that it needed."""

    NO_OFFICER = "no-officer"
    """Nobody who may do it held an active card: before the first officers, above all."""
    NO_RECORDS = "no-records"
    """There were no records to ask who may: a restored backup brings them."""
    EMERGENCY = "emergency"
    """No officer's card could be used; somebody at the console said why."""


@dataclass(frozen=True)
class ActRecord:
    id: str
    what: str
    permission: str
    subject: str
    statement: str
    account: str
    """Of the operating system, at the console."""
    opened_at: datetime
    closes_at: datetime
    done_at: datetime | None
    stands_until: datetime | None
    exception: Missing | None
    reason: str | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    officers: tuple[str, ...] = ()
    """Ids of those who signed, in their order."""
    cards: tuple[str, ...] = ()
    """Numbers of the cards that they signed with."""


def by_id(connection: Connection, identifier: str) -> ActRecord:
    """Raises NotFound `act.unknown`."""
    query = select(console_acts).where(console_acts.c.id == identifier[:32])
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("act.unknown", "there is no such act at the console")
    return of_row(connection, row)


def of_row(connection: Connection, row: Any) -> ActRecord:
    columns = (console_signatures.c.officer, console_signatures.c.card)
    signed = select(*columns).where(console_signatures.c.act == row.id)
    found = connection.execute(signed.order_by(console_signatures.c.position)).all()
    names = ActRecord.__dataclass_fields__.keys() - {"officers", "cards", "exception"}
    told = {name: getattr(row, name) for name in names}
    why = None if row.exception is None else Missing(row.exception)
    officers, cards = (tuple(each[place] for each in found) for place in (0, 1))
    return ActRecord(**told, exception=why, officers=officers, cards=cards)


def officers_with_cards(connection: Connection) -> list[tuple[Officer, str]]:
    """Those whose newest card is active, and who work at the head office; with its number."""
    officers = [each for each in people_rows.all_officers(connection) if each.branch_id is None]
    newest = card_rows.newest_of(connection, HolderKind.OFFICER, [each.id for each in officers])
    active = {
        holder: card.number for holder, card in newest.items() if card.state is CardState.ACTIVE
    }
    return [(each, active[each.id]) for each in officers if each.id in active]
