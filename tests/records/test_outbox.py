"""The outbox loses nothing and lets nothing overtake."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from kernel.clock import FixedClock
from records.database import Database
from records.outbox import Outbox, Payload


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 21, tzinfo=UTC))


def put(database: Database, outbox: Outbox, *numbers: int) -> None:
    with database.transaction() as connection:
        for number in numbers:
            outbox.put(connection, "directory", {"n": number})


def test_messages_arrive_in_order(any_database: Database, clock: FixedClock) -> None:
    outbox, seen = Outbox(clock), list[int]()
    put(any_database, outbox, 1, 2, 3)
    report = outbox.deliver(any_database, "directory", lambda m: seen.append(m["n"]))
    assert (seen, report.delivered, report.waiting) == ([1, 2, 3], 3, 0)


def test_when_the_other_side_is_down_messages_wait_and_catch_up(
    any_database: Database, clock: FixedClock
) -> None:
    outbox, seen = Outbox(clock), list[int]()

    def down(message: Payload) -> None:
        raise ConnectionRefusedError("directory is down")

    put(any_database, outbox, 1, 2)
    report = outbox.deliver(any_database, "directory", down)
    assert (report.delivered, report.waiting) == (0, 2)
    assert report.failure is not None
    assert "directory is down" in report.failure
    at_once = outbox.deliver(any_database, "directory", lambda m: seen.append(m["n"]))
    assert (at_once.delivered, seen) == (0, [])
    clock.advance(timedelta(seconds=2))
    put(any_database, outbox, 3)
    report = outbox.deliver(any_database, "directory", lambda m: seen.append(m["n"]))
    assert (seen, report.waiting) == ([1, 2, 3], 0)


def test_a_round_ends_after_its_seconds_however_well_the_other_side_answers(
    any_database: Database, clock: FixedClock
) -> None:
    outbox, seen = Outbox(clock), list[int]()
    put(any_database, outbox, *range(20))

    def slow(message: Payload) -> None:
        time.sleep(0.02)
        seen.append(message["n"])

    report = outbox.deliver(any_database, "directory", slow, limit_seconds=0.05)
    assert (report.delivered, seen) == (len(seen), list(range(len(seen))))
    assert 0 < len(seen) < 20
    outbox.deliver(any_database, "directory", slow)
    assert seen == list(range(20)), "the next round goes on"


def test_a_person_need_not_wait(any_database: Database, clock: FixedClock) -> None:
    outbox = Outbox(clock)
    put(any_database, outbox, 1)

    def down(message: Payload) -> None:
        raise TimeoutError

    outbox.deliver(any_database, "directory", down)
    report = outbox.deliver(any_database, "directory", lambda m: None, at_once=True)
    assert report.delivered == 1


def test_a_message_of_a_failed_transaction_does_not_exist(
    any_database: Database, clock: FixedClock
) -> None:
    outbox = Outbox(clock)

    def fail_after_putting() -> None:
        with any_database.transaction() as connection:
            outbox.put(connection, "directory", {"n": 1})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_putting()
    with any_database.reading() as connection:
        assert outbox.waiting(connection, "directory") == 0


def test_two_workers_do_not_deliver_the_same_message(
    any_database: Database, clock: FixedClock
) -> None:
    outbox, seen = Outbox(clock), list[int]()
    put(any_database, outbox, *range(20))
    inside, leave = threading.Event(), threading.Event()

    def slow(message: Payload) -> None:
        seen.append(message["n"])
        inside.set()
        leave.wait(10)

    first = threading.Thread(target=outbox.deliver, args=(any_database, "directory", slow))
    first.start()
    assert inside.wait(10)
    second = outbox.deliver(any_database, "directory", lambda m: seen.append(m["n"]))
    leave.set()
    first.join()
    assert second.delivered == 0
    assert seen == list(range(20))
