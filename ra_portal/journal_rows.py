"""The journal as an auditor reads it: newest first, a page at a time, by what a record tells.

Records stand in the order of their times, as far as the nodes' clocks agree (`clock.apart`), and
without gaps, so a day is a stretch of positions, found by halving. Each other filter has an index
that goes on with the position: of several the most selective kind is walked, and the records that
one page looks at are bounded, whatever stands in the way.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Select, and_, select

from kernel.refusals import Malformed
from ra_portal.days import begins
from ra_portal.people.identity import Identity
from records.database import Database
from records.events import Event
from records.journal import Journal, Record, Verification
from records.tables import journal

PAGE_LENGTH = 50
LOOKED_AT = 20_000
"""Records of the walked filter that one page compares with the others."""
_LAST_POSITION = 2**62
"""A larger number is no integer of the database's."""


@dataclass(frozen=True)
class Asked:
    """Which records; empty or None: whatever it is."""

    subject: str = ""
    """The whole of it, as records name it; so too the actor."""
    actor: str = ""
    event: str = ""
    """Of `records.events.Event`."""
    first: date | None = None
    """Days by the pages' clock (`days.ZONE`), both included."""
    last: date | None = None
    below: int | None = None
    """Behind the page that ended with this position."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """Of the filters that have an index, what is rarest first.

        Raises Malformed `journal.event`.
        """
        if self.event and self.event not in set(Event):
            raise Malformed("journal.event", "the journal knows no such action")
        subject, actor = self.subject.strip()[:200], self.actor.strip()[:200]
        told = (
            (journal.c.subject, subject),
            (journal.c.actor, actor),
            (journal.c.event, self.event),
        )
        return [column == value for column, value in told if value]


@dataclass(frozen=True)
class JournalPage:
    records: list[Record]
    older: int | None
    """The position below which the next page begins."""
    cut: bool = False
    """So many records were compared that the search goes on with the next page."""


class JournalReader:
    def __init__(self, database: Database, chain: Journal) -> None:
        self._database = database
        self._chain = chain

    def page(self, by: Identity, asked: Asked = Asked()) -> JournalPage:
        """Records, newest first. Raises Forbidden `role.missing`, Malformed `journal.event`."""
        by.require("journal.read")
        conditions = asked.conditions()
        with self._database.reading() as connection:
            stretch = _stretch(connection, asked)
            found = [
                Record(**row._mapping)
                for row in connection.execute(page_query(conditions, stretch)).all()
            ]
            if len(found) > PAGE_LENGTH:
                return JournalPage(found[:PAGE_LENGTH], found[PAGE_LENGTH - 1].position)
            reached = _reached(connection, conditions, stretch)
        return JournalPage(found, reached, reached is not None)

    def verify(self, by: Identity) -> Verification:
        """Walk the whole chain. Raises Forbidden `role.missing`."""
        by.require("journal.verify")
        with self._database.reading() as connection:
            return self._chain.verify(connection)


Stretch = tuple[int, int]
"""The first position, and the one behind the last."""


def _stretch(connection: Connection, asked: Asked) -> Stretch:
    low, high = 0, _LAST_POSITION
    if asked.below is not None:
        high = min(max(asked.below, 0), _LAST_POSITION)
    if asked.first is not None:
        low = position_at(connection, begins(asked.first))
    if asked.last is not None:
        high = min(high, position_at(connection, begins(asked.last + timedelta(days=1))))
    return low, high


def position_at(connection: Connection, moment: datetime) -> int:
    """Of the first record at this time or later; behind the last one where there is none."""
    wanted = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    newest = select(journal.c.position).order_by(journal.c.position.desc()).limit(1)
    low, high = 1, (connection.execute(newest).scalar() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        at = select(journal.c.at).where(journal.c.position >= middle)
        found = connection.execute(at.order_by(journal.c.position).limit(1)).scalar_one()
        if found < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def walk(conditions: list[ColumnElement[bool]], stretch: Stretch) -> Select[tuple[int]]:
    """Positions along the index of the first condition, or along all, newest first."""
    low, high = stretch
    within = and_(journal.c.position >= low, journal.c.position < high)
    query = select(journal.c.position).where(*conditions[:1], within)
    return query.order_by(journal.c.position.desc())


def page_query(
    conditions: list[ColumnElement[bool]], stretch: Stretch
) -> Select[tuple[object, ...]]:
    """One record more than a page."""
    length = LOOKED_AT if len(conditions) > 1 else PAGE_LENGTH + 1
    walked = walk(conditions, stretch).limit(length).subquery()
    query = select(journal).join(walked, walked.c.position == journal.c.position)
    query = query.where(*conditions[1:])
    return query.order_by(walked.c.position.desc()).limit(PAGE_LENGTH + 1)


def _reached(
    connection: Connection, conditions: list[ColumnElement[bool]], stretch: Stretch
) -> int | None:
    """The position that a page's look ended with, where that was not the end of the walk."""
    if len(conditions) < 2:
        return None
    last = walk(conditions, stretch).offset(LOOKED_AT - 1).limit(2)
    found = [row.position for row in connection.execute(last)]
    return found[0] if len(found) == 2 else None
