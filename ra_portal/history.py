"""What an enterprise's cards and seals did: everything signed, every sign-in.

To read and to take away. It is read from the journal, which nobody can change. Each card, seal and
holder is walked by its own index, newest first, and the short results are merged.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select, text

from kernel.clock import Clock
from kernel.refusals import TooLarge
from ra_portal.cards import card_rows
from ra_portal.cards.card import Holder
from ra_portal.days import begins
from ra_portal.people import people_rows
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.seals import seal_rows
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.tables import DEEDS, journal

PAGE_LENGTH = 50
MOST_EXPORTED = 50_000
MOST_ACTORS = 1_000
"""Cards and holders that one page looks at; with more the operator must be chosen."""

_LAST = 2**62


@dataclass(frozen=True)
class Deed:
    """One thing that a card did."""

    position: int
    """In the journal, where anybody entitled finds the record."""
    at: str
    """UTC, ISO 8601."""
    event: str
    subject: str
    """What it was done to; of an accepted signature its identifier."""
    name: str
    """Of the holder, or of the seal."""
    card: str
    """Or the seal's number."""
    facts: Mapping[str, object]
    record_sha256: str
    """Of the journal's record: what the authority proves to a stranger is this one."""


class What(StrEnum):
    """Which deeds."""

    ALL = "all"
    SIGNATURES = "signatures"
    SIGN_INS = "sign-ins"


_EVENTS = {
    What.SIGNATURES: (Event.SIGNATURE_ACCEPTED, Event.SIGNATURE_REFUSED),
    What.SIGN_INS: (Event.SIGNIN_SUCCEEDED, Event.SESSION_ENDED),
}


@dataclass(frozen=True)
class Period:
    """Days by the pages' clock (`days.ZONE`), both included; None: without an end."""

    first: date | None = None
    last: date | None = None
    what: What = What.ALL
    """Of all that was done then."""


@dataclass(frozen=True)
class HistoryPage:
    deeds: list[Deed]
    older: int | None
    """The position below which the next page begins."""


class History:
    def __init__(self, database: Database, journal: Journal, clock: Clock) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock

    def page(
        self,
        by: Identity,
        below: int | None = None,
        operator_id: str | None = None,
        period: Period = Period(),
    ) -> HistoryPage:
        """Newest first; of one operator, or of the whole enterprise.

        Raises Forbidden `legal-person.required`, NotFound `operator.unknown`, TooLarge
        `history.choose-operator`.
        """
        with self._database.reading() as connection:
            actors = self._actors(connection, by, operator_id)
            start = min(max(below or _LAST, 0), _LAST)
            found = list(islice(_deeds(connection, actors, start, period), PAGE_LENGTH + 1))
        more = len(found) > PAGE_LENGTH
        shown = found[:PAGE_LENGTH]
        return HistoryPage(shown, shown[-1].position if more else None)

    def export(self, by: Identity, operator_id: str | None, period: Period, how: str) -> list[Deed]:
        """All of a period, journalled. Raises as `page`, and TooLarge `history.too-long`."""
        with self._database.transaction() as connection:
            actors = self._actors(connection, by, operator_id)
            found = list(islice(_deeds(connection, actors, _LAST, period), MOST_EXPORTED + 1))
            if len(found) > MOST_EXPORTED:
                raise TooLarge("history.too-long", "choose a shorter period", most=MOST_EXPORTED)
            self._journal.append(
                connection,
                Event.HISTORY_EXPORTED,
                subject=str(Holder(HolderKind.LEGAL_PERSON, by.require_legal_person())),
                actor=by.actor,
                count=len(found),
                format=how,
            )
        return found

    def _actors(
        self, connection: Connection, by: Identity, operator_id: str | None
    ) -> dict[str, tuple[str, str]]:
        """Name and card, or seal, of all whose deeds these are, by how the journal names them."""
        enterprise_id = by.require_legal_person()
        names: dict[Holder, str] = {}
        if operator_id is None:
            enterprise = people_rows.enterprise(connection, enterprise_id)
            names[enterprise.holder] = enterprise.name
            operators = people_rows.operators_of(connection, enterprise_id)
            seals = seal_rows.of_enterprise(connection, enterprise_id)
        else:
            operators = [people_rows.operator(connection, operator_id, enterprise_id)]
            seals = []
        names |= {operator.holder: operator.name for operator in operators}
        actors = {holder.id: (name, "") for holder, name in names.items()}
        for card in card_rows.of_holders(connection, names):
            actors[card.number] = (names[card.holder], card.number)
        actors |= {seal.number: (seal.name, seal.number) for seal in seals}
        if len(actors) > MOST_ACTORS:
            raise TooLarge("history.choose-operator", "choose one of the operators")
        return actors


def _deeds(
    connection: Connection, actors: Mapping[str, tuple[str, str]], below: int, period: Period
) -> Iterator[Deed]:
    walks = [_walk(connection, actor, who, below, period) for actor, who in actors.items()]
    return merge(*walks, key=lambda deed: deed.position, reverse=True)


def _walk(
    connection: Connection, actor: str, who: tuple[str, str], below: int, period: Period
) -> Iterator[Deed]:
    """One actor's deeds, newest first, read as far as they are asked for."""
    columns = ("position", "at", "event", "subject", "facts", "hash")
    query = select(*(journal.c[name] for name in columns)).where(
        journal.c.actor == actor, text(DEEDS)
    )
    if period.what in _EVENTS:
        query = query.where(journal.c.event.in_(_EVENTS[period.what]))
    if period.first is not None:
        query = query.where(journal.c.at >= begins(period.first).isoformat())
    if period.last is not None:
        query = query.where(journal.c.at < begins(period.last + timedelta(days=1)).isoformat())
    while True:
        page = query.where(journal.c.position < below)
        rows = connection.execute(
            page.order_by(journal.c.position.desc()).limit(PAGE_LENGTH + 1)
        ).all()
        for row in rows:
            yield _deed(row, who)
        if len(rows) <= PAGE_LENGTH:
            return
        below = rows[-1].position


def _deed(row: Any, who: tuple[str, str]) -> Deed:
    facts = json.loads(row.facts)
    name, card = who
    who_did = card or str(facts.get("card", ""))
    digest = bytes(row.hash).hex()
    return Deed(row.position, row.at, row.event, row.subject, name, who_did, facts, digest)
