"""The journal is a chain: any changed byte is found, and the first broken record is named."""

import threading
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text, update

from kernel.clock import FixedClock
from kernel.refusals import Unavailable
from records.database import Database, metadata
from records.events import Event
from records.heartbeat import Heartbeat, beat
from records.journal import Journal, records
from records.tables import journal, journal_head, worker_rounds

CLOCK = FixedClock(datetime(2026, 11, 21, 1, 2, 3, 456789, tzinfo=UTC))


def write(database: Database, count: int) -> Journal:
    made = Journal(CLOCK)
    with database.transaction() as connection:
        for number in range(count):
            made.append(
                connection, Event.CARD_MADE, subject=f"card {number}", actor="officer", n=number
            )
    return made


def test_an_untouched_journal_is_intact(any_database: Database) -> None:
    made = write(any_database, 25)
    with any_database.reading() as connection:
        verdict = made.verify(connection)
        assert (verdict.intact, verdict.count) == (True, 25)
        assert [each.subject for each in records(connection, "card 7")] == ["card 7"]


def test_an_empty_journal_is_intact(any_database: Database) -> None:
    with any_database.reading() as connection:
        assert Journal(CLOCK).verify(connection).intact


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    position=st.integers(1, 12),
    column=st.sampled_from(["at", "event", "subject", "actor", "facts", "hash"]),
    offset=st.integers(0, 10),
)
def test_one_changed_byte_is_found_and_the_first_broken_record_named(
    database: Database, position: int, column: str, offset: int
) -> None:
    with database.reading() as connection:
        empty = connection.execute(select(func.count()).select_from(journal)).scalar_one() == 0
    made = write(database, 12) if empty else Journal(CLOCK)
    target = journal.c[column]
    with database.reading() as connection:
        value = connection.execute(
            select(target).where(journal.c.position == position)
        ).scalar_one()
    raw = bytearray(value if isinstance(value, bytes) else value.encode())
    raw[offset % len(raw)] ^= 0x01
    changed = bytes(raw) if isinstance(value, bytes) else raw.decode()
    row = update(journal).where(journal.c.position == position)
    with database.transaction() as connection:
        connection.execute(row, {column: changed})
    with database.reading() as connection:
        verdict = made.verify(connection)
    with database.transaction() as connection:
        connection.execute(row, {column: value})
    assert (verdict.intact, verdict.broken_at) == (False, position)


def test_a_removed_record_is_found(any_database: Database) -> None:
    made = write(any_database, 5)
    with any_database.transaction() as connection:
        connection.execute(delete(journal).where(journal.c.position == 3))
    with any_database.reading() as connection:
        assert made.verify(connection).broken_at == 3


def test_records_cut_off_at_the_end_are_found(any_database: Database) -> None:
    made = write(any_database, 5)
    with any_database.transaction() as connection:
        connection.execute(delete(journal).where(journal.c.position == 5))
    with any_database.reading() as connection:
        assert made.verify(connection).broken_at == 5
    with any_database.transaction() as connection:
        connection.execute(delete(journal_head))
    with any_database.reading() as connection:
        assert not made.verify(connection).intact


def test_a_record_and_its_fact_stand_or_fall_together(any_database: Database) -> None:
    made = write(any_database, 1)

    def fail_after_recording() -> None:
        with any_database.transaction() as connection:
            made.append(connection, Event.CARD_MADE, subject="never", actor="nobody")
            raise RuntimeError("the fact failed")

    with pytest.raises(RuntimeError):
        fail_after_recording()
    with any_database.reading() as connection:
        assert made.verify(connection).count == 1


def test_concurrent_writers_leave_one_unbroken_chain(any_database: Database) -> None:
    made = Journal(CLOCK)
    write(any_database, 1)

    def append() -> None:
        for _ in range(20):
            with any_database.transaction() as connection:
                made.append(connection, Event.CARD_MADE, subject="s", actor="a")

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with any_database.reading() as connection:
        verdict = made.verify(connection)
    assert (verdict.intact, verdict.count) == (True, 81)


def test_who_records_first_and_who_records_last_do_not_wait_in_a_circle(
    fresh_postgresql_url: str,
) -> None:
    """One use case records before it changes a row, another after: on PostgreSQL both hold what
    the other needs, if recording takes the journal's head at once."""
    database, made = Database(fresh_postgresql_url), Journal(CLOCK)
    metadata.create_all(database.engine)
    shared = update(worker_rounds).values(failures="moved")
    with database.transaction() as connection:
        beat(connection, Heartbeat("shared", CLOCK.now(), "", 0))
        made.append(connection, Event.NODE_LOST, subject="first", actor="test")
    meet, refused = threading.Barrier(2), []

    def unit(steps: str) -> None:
        try:
            with database.transaction() as connection:
                for number, step in enumerate(steps):
                    if step == "r":
                        made.append(connection, Event.NODE_LOST, subject=steps, actor="test")
                    else:
                        connection.execute(shared)
                    if number == 0:
                        meet.wait(10)
        except Unavailable as refusal:
            refused.append(refusal)

    threads = [threading.Thread(target=unit, args=(steps,)) for steps in ("rc", "cr")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []
    with database.reading() as connection:
        assert made.verify(connection).count == 3
    database.dispose()


def test_what_is_locked_after_the_head_is_found(any_database: Database) -> None:
    """The guard of `tests.lock_order`, which watches every transaction of the tests."""
    with any_database.transaction() as connection:
        connection.execute(update(journal_head).values(position=journal_head.c.position))
        with pytest.raises(AssertionError, match="locked after the journal's head"):
            beat(connection, Heartbeat("late", CLOCK.now(), "", 0))


def test_only_a_transaction_of_the_database_can_record(any_database: Database) -> None:
    with any_database.reading() as connection, pytest.raises(RuntimeError):
        Journal(CLOCK).append(connection, Event.NODE_LOST, subject="s", actor="a")


def test_a_newer_row_pasted_in_by_hand_is_found(any_database: Database) -> None:
    made = write(any_database, 3)
    with any_database.transaction() as connection:
        connection.execute(
            text("UPDATE journal SET subject = 'card 1' WHERE position = 3").execution_options()
        )
    with any_database.reading() as connection:
        assert made.verify(connection).broken_at == 3


def test_verifying_beside_a_writer_raises_no_false_alarm(any_database: Database) -> None:
    made = write(any_database, 200)
    finished = threading.Event()

    def append() -> None:
        while not finished.is_set():
            with any_database.transaction() as connection:
                made.append(connection, Event.CARD_MADE, subject="s", actor="a")

    writer = threading.Thread(target=append)
    writer.start()
    try:
        for _ in range(20):
            with any_database.reading() as connection:
                assert made.verify(connection).intact
    finally:
        finished.set()
        writer.join()


def test_a_reading_connection_sees_one_moment(any_database: Database) -> None:
    made = write(any_database, 1)
    with any_database.reading() as connection:
        assert made.verify(connection).count == 1
        with any_database.transaction() as other:
            made.append(other, Event.CARD_MADE, subject="s", actor="a")
        assert made.verify(connection).count == 1
    with any_database.reading() as connection:
        assert made.verify(connection).count == 2
