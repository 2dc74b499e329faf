"""Who watches hears that the journal takes no record, and that it takes them again."""

from pathlib import Path

import pytest
from sqlalchemy import event

from kernel.clock import SystemClock
from kernel.refusals import Unavailable
from records.database import Database
from records.events import Event
from records.journal import Journal, records
from records.journal_gate import JournalGate
from tests.ca.test_unwritable_journal import unwritable


def gate_of(database: Database) -> JournalGate:
    return JournalGate(database, Journal(SystemClock()))


def test_a_look_leaves_nothing_in_the_journal(any_database: Database) -> None:
    journal = Journal(SystemClock())
    with any_database.transaction() as connection:
        journal.append(connection, Event.NODE_LOST, subject="a", actor="test")
    for _ in range(3):
        gate_of(any_database).check()
    with any_database.reading() as connection:
        assert [record.event for record in records(connection)] == ["node.lost"]
        assert journal.verify(connection).intact


def test_a_journal_that_takes_nothing_is_told_until_it_takes_records_again(
    any_database: Database,
) -> None:
    with unwritable(any_database):
        with pytest.raises(Unavailable, match=r"journal\.unwritable"):
            gate_of(any_database).check()
    gate_of(any_database).check()


def test_a_full_disk_is_told_before_the_next_record_meets_it(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'full.db'}")
    database.upgrade()
    gate_of(database).check()

    @event.listens_for(database.engine, "checkout")
    def limit(connection, record, proxy) -> None:  # type: ignore[no-untyped-def]
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(Unavailable, match=r"database\.unavailable"):
        gate_of(database).check()
    database.dispose()


def test_who_asks_often_gets_the_last_answer(database: Database) -> None:
    """A flood of questions is not a flood of transactions."""
    gate, begun = gate_of(database), []
    event.listen(database.engine, "begin", lambda connection: begun.append(connection))
    for _ in range(50):
        gate.check()
    assert len(begun) == 1
