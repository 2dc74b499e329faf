"""The journal is searched by action, actor, subject and days, a page at a time, by index."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from kernel.clock import FixedClock
from kernel.refusals import Malformed
from ra_portal import journal_rows
from ra_portal.journal_rows import Asked, JournalReader, position_at
from ra_portal.people.identity import HolderKind, Identity, Role
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.tables import journal
from tests.plans import plan_of

AUDITOR = Identity(HolderKind.OFFICER, "a" * 32, "审计", frozenset({Role.AUDITOR}))
DAY = date(2026, 11, 30)
NOON = datetime(2026, 11, 30, 4, tzinfo=UTC)
"""By the pages' clock."""
EVENTS = (Event.CARD_MADE, Event.CARD_FROZEN, Event.SIGNIN_SUCCEEDED)
ACTORS = ("officer:1", "officer:2", "worker", "console:root")


def rows(count: int, step: timedelta) -> Iterator[dict[str, object]]:
    for number in range(1, count + 1):
        yield {
            "position": number,
            "at": (NOON + number * step).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "event": str(EVENTS[number % 3]),
            "subject": f"OP-{number % 1000}",
            "actor": ACTORS[number % 4],
            "facts": "{}",
            "hash": b"\0" * 32,
        }


def fill(database: Database, count: int, step: timedelta) -> JournalReader:
    with database.transaction() as connection:
        connection.execute(insert(journal), list(rows(count, step)))
    return JournalReader(database, Journal(FixedClock(NOON)))


def everything(reader: JournalReader, asked: Asked) -> list[int]:
    """Positions, over all pages."""
    found: list[int] = []
    below: int | None = None
    while True:
        page = reader.page(
            AUDITOR,
            Asked(asked.subject, asked.actor, asked.event, asked.first, asked.last, below),
        )
        found += [record.position for record in page.records]
        if page.older is None:
            return found
        assert below is None or page.older < below
        below = page.older


@pytest.mark.parametrize(
    "asked",
    [
        Asked(),
        Asked(event="card.made"),
        Asked(actor="worker"),
        Asked(subject="OP-7"),
        Asked(actor="worker", event="card.frozen"),
        Asked(subject="OP-6", actor="worker", event="card.made"),
        Asked(first=DAY + timedelta(days=1), last=DAY + timedelta(days=1)),
        Asked(event="card.made", first=DAY, last=DAY),
        Asked(actor="nobody"),
    ],
)
def test_all_that_fits_is_found_newest_first_and_once(any_database: Database, asked: Asked) -> None:
    step = timedelta(minutes=2)
    reader = fill(any_database, 1500, step)
    wanted = [
        number
        for number in range(1500, 0, -1)
        if asked.event in ("", EVENTS[number % 3])
        and asked.actor in ("", ACTORS[number % 4])
        and asked.subject in ("", f"OP-{number % 1000}")
        and (asked.first is None or asked.first <= _day(NOON + number * step))
        and (asked.last is None or _day(NOON + number * step) <= asked.last)
    ]
    assert everything(reader, asked) == wanted


def _day(at: datetime) -> date:
    return (at + timedelta(hours=8)).date()


def test_a_search_that_finds_little_looks_at_so_many_and_goes_on(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_rows, "LOOKED_AT", 60)
    reader = fill(any_database, 1000, timedelta(seconds=1))
    with any_database.transaction() as connection:
        rare = update(journal).where(journal.c.position == 100)
        connection.execute(rare.values(event="card.revoked", actor="worker"))
    asked = Asked(actor="worker", event="card.revoked")
    first = reader.page(AUDITOR, asked)
    assert (first.records, first.cut, first.older) == ([], True, 1000 - 2 - 59 * 4)
    assert everything(reader, asked) == [100]


def test_a_moment_is_found_among_the_records(any_database: Database) -> None:
    fill(any_database, 10, timedelta(seconds=1))
    with any_database.reading() as connection:
        seconds = (-60, 1, 1.5, 10, 60)
        found = [position_at(connection, NOON + timedelta(seconds=each)) for each in seconds]
    assert found == [1, 1, 2, 10, 11]


def test_an_empty_journal_has_no_days(database: Database) -> None:
    page = JournalReader(database, Journal(FixedClock(NOON))).page(AUDITOR, Asked(first=DAY))
    assert (page.records, page.older) == ([], None)


def test_an_action_is_one_of_the_vocabulary(database: Database) -> None:
    reader = JournalReader(database, Journal(FixedClock(NOON)))
    with pytest.raises(Malformed, match=r"journal\.event"):
        reader.page(AUDITOR, Asked(event="card.eaten"))


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (Asked(event="card.revoked"), "ix_journal_event"),
        (Asked(actor="officer:9"), "ix_journal_actor"),
        (Asked(subject="OP-9"), "ix_journal_subject"),
        (Asked(actor="officer:9", event="card.revoked"), "ix_journal_actor"),
        (Asked(subject="OP-9", actor="officer:9"), "ix_journal_subject"),
        (Asked(), "journal_pkey|pk_journal|INTEGER PRIMARY KEY"),
    ],
)
def test_every_search_walks_an_index(any_database: Database, asked: Asked, index: str) -> None:
    """In a journal of some size, which the planner knows of."""
    fill(any_database, 20_000, timedelta(seconds=1))
    with any_database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as one:
        one.exec_driver_sql("ANALYZE journal")
    conditions, stretch = asked.conditions(), (1000, 19_000)
    walk = plan_of(any_database, journal_rows.walk(conditions, stretch).limit(51))
    assert any(each in walk for each in index.split("|")), walk
    if not asked.subject:  # whose few records are sorted as quickly
        assert "Sort" not in walk, walk
    assert "TEMP B-TREE" not in walk, walk
    whole = plan_of(any_database, journal_rows.page_query(conditions, stretch))
    assert any(each in whole for each in index.split("|")), whole
    assert "Seq Scan on journal" not in whole, whole
    assert "SCAN journal" not in whole, whole
