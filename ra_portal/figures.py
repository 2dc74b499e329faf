"""The figures of the dashboard, counted by the worker and read as one row.

Counting goes along indexes; a page reads the last count whatever the size of the register, and
says when it was made.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from kernel.clock import Clock
from ra_portal.applications.tables import applications
from ra_portal.cards.card import CardState
from ra_portal.cards.card_moves import Move
from ra_portal.cards.tables import card_moves, cards, recoveries
from ra_portal.data_changes.tables import data_changes
from ra_portal.days import begins, day_of
from ra_portal.mass_actions.tables import mass_actions
from ra_portal.people.identity import Identity
from ra_portal.tables import figures
from records.database import Database
from records.outbox import Outbox

DAYS = 30
MONTHS = 12
_NAME = "dashboard"
_ENDINGS = (Move.REVOKE, Move.REPORT_LOSS, Move.REPLACE, Move.RENEW, Move.FREEZE)


@dataclass(frozen=True)
class Waiting:
    """Something that people or machines have yet to deal with."""

    what: str
    count: int
    since: str | None
    """RFC 3339, of the oldest."""


@dataclass(frozen=True)
class Dashboard:
    at: str
    """RFC 3339; when it was counted."""
    cards: Mapping[str, int]
    """By state."""
    ending: Sequence[tuple[str, int]]
    """Month (YYYY-MM) -> active and frozen cards that end in it. Months and days are those of the
    pages' clock (`days.ZONE`)."""
    made: Sequence[tuple[str, int]]
    """Day (YYYY-MM-DD) -> cards made."""
    moves: Mapping[str, Sequence[tuple[str, int]]]
    """Move -> day -> how many."""
    waiting: Sequence[Waiting]


class Figures:
    def __init__(self, database: Database, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock

    def latest(self, by: Identity) -> Dashboard | None:
        """None: the worker has not counted yet. Raises Forbidden `role.missing`."""
        by.require("dashboard.read")
        query = select(figures.c.content).where(figures.c.name == _NAME)
        with self._database.reading() as connection:
            content = connection.execute(query).scalar_one_or_none()
        if content is None:
            return None
        told = json.loads(content)
        told["waiting"] = [Waiting(**each) for each in told["waiting"]]
        return Dashboard(**told)

    def count(self) -> Dashboard:
        """Count now and keep it. For the worker."""
        now = self._clock.now()
        with self._database.reading() as connection:
            counted = Dashboard(
                at=now.isoformat(timespec="seconds"),
                cards=_by_state(connection),
                ending=_ending(connection, now),
                made=_made(connection, now),
                moves=_moves(connection, now),
                waiting=[*_people(connection), *self._machines(connection)],
            )
        values = {"at": now, "content": json.dumps(asdict(counted), ensure_ascii=False)}
        with self._database.transaction() as connection:
            mine = update(figures).where(figures.c.name == _NAME).values(values)
            if connection.execute(mine).rowcount == 0:
                connection.execute(insert(figures), {"name": _NAME, **values})
        return counted

    def _machines(self, connection: Connection) -> list[Waiting]:
        return [
            Waiting(f"queue:{channel}", count, since.isoformat(timespec="seconds"))
            for channel, count, since in self._outbox.queues(connection)
        ]


def _by_state(connection: Connection) -> dict[str, int]:
    query = select(cards.c.state, func.count()).group_by(cards.c.state)
    found = {row[0]: row[1] for row in connection.execute(query)}
    return {str(state): found.get(str(state), 0) for state in CardState}


def _ending(connection: Connection, now: datetime) -> list[tuple[str, int]]:
    counted = []
    begin = now
    for _ in range(MONTHS):
        here = day_of(begin)
        year, month = divmod(here.year * 12 + here.month, 12)
        end = begins(date(year, month + 1, 1))
        query = select(func.count()).where(
            cards.c.state.in_(("active", "frozen")),
            cards.c.not_after >= begin,
            cards.c.not_after < end,
        )
        counted.append((f"{here:%Y-%m}", connection.execute(query).scalar_one()))
        begin = end
    return counted


def _days(now: datetime) -> list[tuple[str, datetime, datetime]]:
    today = day_of(now)
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    return [(day.isoformat(), begins(day), begins(day + timedelta(days=1))) for day in days]


def _made(connection: Connection, now: datetime) -> list[tuple[str, int]]:
    return [
        (day, _one(connection, cards.c.activated_at >= begin, cards.c.activated_at < end))
        for day, begin, end in _days(now)
    ]


def _moves(connection: Connection, now: datetime) -> dict[str, list[tuple[str, int]]]:
    told: dict[str, list[tuple[str, int]]] = {str(move): [] for move in _ENDINGS}
    for day, begin, end in _days(now):
        query = (
            select(card_moves.c.move, func.count())
            .where(card_moves.c.at >= begin, card_moves.c.at < end)
            .group_by(card_moves.c.move)
        )
        found = {row[0]: row[1] for row in connection.execute(query)}
        for move, days in told.items():
            days.append((day, found.get(move, 0)))
    return told


def _people(connection: Connection) -> list[Waiting]:
    """What waits for officers."""
    looked_at: tuple[tuple[str, Any, Any], ...] = (
        ("applied", applications.c.state == "applied", applications.c.changed_at),
        ("registered", applications.c.state == "registered", applications.c.changed_at),
        ("changes", data_changes.c.state == "proposed", data_changes.c.proposed_at),
        ("recoveries", recoveries.c.state == "asked", recoveries.c.asked_at),
        ("mass", mass_actions.c.state == "proposed", mass_actions.c.proposed_at),
    )
    told = []
    for name, condition, at in looked_at:
        count, since = connection.execute(select(func.count(), func.min(at)).where(condition)).one()
        told.append(Waiting(name, count, since and since.isoformat(timespec="seconds")))
    return told


def _one(connection: Connection, *conditions: Any) -> int:
    return connection.execute(select(func.count()).where(*conditions)).scalar_one()
