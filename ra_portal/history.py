"""What an enterprise's cards and seals did: everything signed, every sign-in, here and at
platforms, and every try that was refused.

To read and to take away. It is read from the journal, which nobody can change. Each card, seal and
holder is found by index, newest first, and the short results are merged.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import Connection, TextClause, text

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

PAGE_LENGTH = 50
MOST_EXPORTED = 50_000
MOST_ACTORS = 1_000
"""Cards and holders that one page looks at; with more the operator must be chosen."""

_LAST, _NEVER = 2**62, "~"
"""A position and a time that lie behind all others."""
_KEYS_AT_ONCE = 100
_COLUMNS = "position, at, event, subject, actor, facts, hash"
_EXPORTED_AT_ONCE = 1_000


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
    "actor": (Event.SIGNATURE_ACCEPTED, Event.SIGNATURE_REFUSED),
    "subject": (
        Event.SIGNIN_SUCCEEDED,
        Event.SIGNIN_REFUSED,
        Event.PLATFORM_TOKEN_ISSUED,
        Event.PLATFORM_TICKET_VALIDATED,
        Event.SESSION_ENDED,
    ),
}
"""What is told of whom, by the column that names them: cards and seals are a signature's actors,
holders and certificates a sign-in's subjects. Tokens that a refresh token gave are no sign-in."""
_AT_PLATFORMS = (Event.PLATFORM_TOKEN_ISSUED, Event.PLATFORM_TICKET_VALIDATED)
_OF = {
    What.ALL: frozenset(event for events in _EVENTS.values() for event in events),
    What.SIGNATURES: frozenset(_EVENTS["actor"]),
    What.SIGN_INS: frozenset(_EVENTS["subject"]),
}


@dataclass(frozen=True)
class _Tellers:
    """Name and card, or seal, of all whose deeds are told, by how the journal names them."""

    actor: Mapping[str, tuple[str, str]]
    subject: Mapping[str, tuple[str, str]]
    """An empty card: the record tells it."""


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
        """Newest first; of one operator, or of the whole enterprise. An operator reads the own.

        Raises Forbidden `legal-person.required`, NotFound `operator.unknown`, TooLarge
        `history.choose-operator`.
        """
        with self._database.reading() as connection:
            told_by = self._tellers(connection, by, operator_id)
            start, most = min(max(below or _LAST, 0), _LAST), PAGE_LENGTH + 1
            found = list(islice(_deeds(connection, told_by, start, period, most), most))
        more = len(found) > PAGE_LENGTH
        shown = found[:PAGE_LENGTH]
        return HistoryPage(shown, shown[-1].position if more else None)

    def export(self, by: Identity, operator_id: str | None, period: Period, how: str) -> list[Deed]:
        """All of a period, journalled. Raises as `page`, and TooLarge `history.too-long`."""
        with self._database.transaction() as connection:
            told_by = self._tellers(connection, by, operator_id)
            deeds = _deeds(connection, told_by, _LAST, period, _EXPORTED_AT_ONCE)
            found = list(islice(deeds, MOST_EXPORTED + 1))
            if len(found) > MOST_EXPORTED:
                raise TooLarge("history.too-long", "choose a shorter period", most=MOST_EXPORTED)
            self._journal.append(
                connection,
                Event.HISTORY_EXPORTED,
                subject=by.actor,
                actor=by.actor,
                count=len(found),
                format=how,
            )
        return found

    def _tellers(self, connection: Connection, by: Identity, operator_id: str | None) -> _Tellers:
        names: dict[Holder, str] = {}
        if by.kind is HolderKind.OPERATOR and operator_id in (None, by.subject):
            operators, seals = [people_rows.operator(connection, by.subject)], []
        elif operator_id is None:
            enterprise_id = by.require_legal_person()
            enterprise = people_rows.enterprise(connection, enterprise_id)
            names[enterprise.holder] = enterprise.name
            operators = people_rows.operators_of(connection, enterprise_id)
            seals = seal_rows.of_enterprise(connection, enterprise_id)
        else:
            enterprise_id = by.require_legal_person()
            operators = [people_rows.operator(connection, operator_id, enterprise_id)]
            seals = []
        names |= {operator.holder: operator.name for operator in operators}
        actors = {seal.number: (seal.name, seal.number) for seal in seals}
        subjects = {holder.id: (name, "") for holder, name in names.items()}
        for card in card_rows.of_holders(connection, names):
            actors[card.number] = (names[card.holder], card.number)
            if card.fingerprint is not None:
                subjects[card.fingerprint] = (names[card.holder], card.number)
        if len(actors) + len(names) > MOST_ACTORS:
            raise TooLarge("history.choose-operator", "choose one of the operators")
        return _Tellers(actors, subjects)


def _deeds(
    connection: Connection, told_by: _Tellers, below: int, period: Period, at_once: int
) -> Iterator[Deed]:
    walks = []
    for column, events in _EVENTS.items():
        wanted = [str(event) for event in events if event in _OF[period.what]]
        keys = list(getattr(told_by, column))
        for start in range(0, len(keys) if wanted else 0, _KEYS_AT_ONCE):
            some = keys[start : start + _KEYS_AT_ONCE]
            walks.append(_walk(connection, column, some, wanted, told_by, below, period, at_once))
    return merge(*walks, key=lambda deed: deed.position, reverse=True)


def _walk(
    connection: Connection,
    column: str,
    keys: list[str],
    events: list[str],
    told_by: _Tellers,
    below: int,
    period: Period,
    at_once: int,
) -> Iterator[Deed]:
    """The deeds of some, newest first, read as far as they are asked for."""
    who = getattr(told_by, column)
    query = newest(column, len(keys), len(events))
    asked = {
        **{f"key{number}": key for number, key in enumerate(keys)},
        **{f"event{number}": event for number, event in enumerate(events)},
        "first": begins(period.first).isoformat() if period.first else "",
        "last": begins(period.last + timedelta(days=1)).isoformat() if period.last else _NEVER,
        "most": at_once,
    }
    while True:
        rows = connection.execute(query, {**asked, "below": below}).all()
        for row in rows:
            yield _deed(row, who[row.key])
        if len(rows) < at_once:
            return
        below = rows[-1].position


def sign_ins_before_this_one(connection: Connection, subject: str) -> datetime | None:
    """When the holder signed in last, apart from the newest session; None: not that is known of.
    A session's further proofs are looked through up to fifty."""
    asked = {"key0": subject, "event0": str(Event.SIGNIN_SUCCEEDED), "first": "", "last": _NEVER}
    rows = connection.execute(
        newest("subject", 1, 1), {**asked, "below": _LAST, "most": PAGE_LENGTH}
    ).all()
    sessions = [json.loads(row.facts).get("session") for row in rows]
    for row, session in zip(rows, sessions, strict=True):
        if session != sessions[0]:
            return datetime.fromisoformat(row.at)
    return None


@lru_cache(maxsize=500)
def newest(column: str, keys: int, events: int) -> TextClause:
    """The statement that finds the newest records of each of so many, and of those the newest.

    One branch for each key: so it is by the index of that column, in its order, whatever the
    database's statistics say; `column IN (...)` would have all records of all of them sorted. An
    event that is computed cannot be found by its own index, which everybody's records fill.
    """
    names = ", ".join(f":event{number}" for number in range(events))
    branches = (
        f"SELECT * FROM (SELECT {_COLUMNS}, {column} AS key FROM journal "  # noqa: S608 - names
        f"WHERE {column} = :key{number} AND event || '' IN ({names}) "
        "AND position < :below AND at >= :first AND at < :last "
        f"ORDER BY position DESC LIMIT :most) AS of{number}"
        for number in range(keys)
    )
    return text(f"{' UNION ALL '.join(branches)} ORDER BY position DESC LIMIT :most")


def _deed(row: Any, who: tuple[str, str]) -> Deed:
    facts = json.loads(row.facts)
    name, card = who
    if row.event in _AT_PLATFORMS:
        facts.setdefault("platform", row.actor)  # records of before have no name
    who_did = card or str(facts.get("card", ""))
    digest = bytes(row.hash).hex()
    return Deed(row.position, row.at, row.event, row.subject, name, who_did, facts, digest)
