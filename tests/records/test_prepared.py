"""Statements that go past SQLAlchemy hold the tables' types, and fail and are undone as others."""

import threading
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, func, insert, literal, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from kernel.clock import SystemClock
from kernel.refusals import Malformed, Unavailable
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.prepared import Prepared, Step
from records.tables import journal, journal_head, outbox, worker_rounds
from tests import lock_order

NOW = datetime(2026, 11, 30, 8, 30, 1, 123456, tzinfo=timezone(timedelta(hours=8)))
_NAMES = ("channel", "payload", "attempts", "created_at", "due_at", "failure", "refusals")
_NEW = insert(outbox).values({name: bindparam(name) for name in _NAMES})
_OF = select(outbox).where(outbox.c.channel == bindparam("wanted"))
_TRY = (
    update(outbox)
    .where(outbox.c.channel == bindparam("wanted"), outbox.c.attempts < 5)
    .values(attempts=bindparam("now_at"))
    .returning(outbox.c.attempts)
)
_SAME_HASH = insert(journal_head).values(
    {name: bindparam(name) for name in ("id", "position", "hash")}
)


def row(channel: str = "a", **other: object) -> dict[str, Any]:
    return {
        "channel": channel, "payload": "货物 'x' \\ %s $1", "attempts": 3, "created_at": NOW,
        "due_at": NOW, "failure": None, "refusals": 0, **other,
    }  # fmt: skip


def test_the_tables_types_hold(any_database: Database) -> None:
    Prepared(any_database, _NEW).all(**row())
    (found,) = Prepared(any_database, _OF).all(wanted="a")
    with any_database.reading() as connection:
        assert connection.execute(_OF, {"wanted": "a"}).one()._mapping == found._asdict()
    assert found.payload == "货物 'x' \\ %s $1"
    assert (found.due_at, found.due_at.tzinfo, found.failure) == (NOW, UTC, None)


def test_octets_and_numbers_of_any_size(any_database: Database) -> None:
    put = Prepared(any_database, _SAME_HASH)
    get = Prepared(any_database, select(journal_head).where(journal_head.c.id == bindparam("id_")))
    for number, (position, octets) in enumerate(
        [(1, bytes(range(256))), (40_000, b""), (3 * 10**9, b"\0"), (2**63 - 1, b"\xff" * 70_000)]
    ):
        put.all(id=number, position=position, hash=octets)
        found = get.first(id_=number)
        assert (found.position, bytes(found.hash)) == (position, octets)


def test_what_stands_fixed_in_a_statement_is_given_too(any_database: Database) -> None:
    Prepared(any_database, _NEW).all(**row())
    fixed = select(literal("é").label("letter"), outbox.c.channel).where(outbox.c.attempts == 3)
    assert Prepared(any_database, fixed).first() == ("é", "a")
    assert Prepared(any_database, fixed.where(outbox.c.payload == "")).first() is None


def test_a_time_without_a_zone_and_a_missing_value_are_errors(any_database: Database) -> None:
    with pytest.raises(Exception, match="naive"):
        Prepared(any_database, _NEW).all(**row(due_at=datetime(2026, 1, 1)))  # noqa: DTZ001
    with pytest.raises(Exception, match="wanted"):
        Prepared(any_database, _OF).all()


def test_a_text_is_never_cut_at_a_zero(postgresql_database: Database) -> None:
    with pytest.raises(Malformed, match=r"request\.malformed"):
        Prepared(postgresql_database, _OF).all(wanted="a\0b")
    assert Prepared(postgresql_database, _OF).all(wanted="a") == []


def test_a_second_of_what_is_unique_is_an_integrity_error(any_database: Database) -> None:
    put = Prepared(any_database, _SAME_HASH)
    put.all(id=1, position=1, hash=b"secret")
    with pytest.raises(IntegrityError) as raised:
        put.all(id=1, position=1, hash=b"secret")
    assert "secret" not in str(raised.value)

    def twice() -> None:
        with any_database.transaction() as connection:
            Step(_SAME_HASH).count(connection, id=2, position=1, hash=b"x")
            Step(_SAME_HASH).count(connection, id=1, position=1, hash=b"x")

    with pytest.raises(IntegrityError):
        twice()
    get = Prepared(any_database, select(journal_head).where(journal_head.c.id == bindparam("id_")))
    assert get.first(id_=2) is None


def test_a_step_is_done_and_undone_with_its_transaction(any_database: Database) -> None:
    get = Prepared(any_database, _OF)

    def broken_off(connection: Connection) -> None:
        assert Step(_NEW).count(connection, **row()) == 1
        assert Step(_OF).first(connection, wanted="a").attempts == 3
        seen = connection.execute(_OF, {"wanted": "a"}).one()  # SQLAlchemy's own see it too
        assert seen.channel == "a"
        raise InterruptedError

    with pytest.raises(InterruptedError), any_database.transaction() as connection:
        broken_off(connection)
    assert get.all(wanted="a") == []
    with any_database.transaction() as connection:
        Step(_NEW).count(connection, **row())
        connection.execute(_NEW, row())
    with any_database.transaction() as connection:
        assert Step(_TRY).count(connection, wanted="a", now_at=5) == 2
        assert Step(_TRY).count(connection, wanted="a", now_at=6) == 0
        assert Step(_TRY).first(connection, wanted="a", now_at=6) is None
    assert [each.attempts for each in get.all(wanted="a")] == [5, 5]


def test_a_step_after_a_failed_one_is_refused(postgresql_database: Database) -> None:
    """As after any failed statement: half a transaction is never committed."""
    name = insert(worker_rounds).values(node=bindparam("new"), at=NOW, failures="", skew_ms=0)
    Prepared(postgresql_database, name).all(new="one")

    def goes_on() -> None:
        with postgresql_database.transaction() as connection:
            with pytest.raises(IntegrityError):
                Step(name).count(connection, new="one")
            Step(_NEW).count(connection, **row())

    with pytest.raises(DBAPIError, match="aborted"):
        goes_on()
    assert Prepared(postgresql_database, _OF).all(wanted="a") == []


@pytest.mark.parametrize("part", [False, True], ids=["whole", "savepoint"])
def test_a_step_stands_when_the_driver_forgets_its_statements(
    postgresql_database: Database, part: bool
) -> None:
    """psycopg deallocates everything after a rollback, once it has prepared a statement itself."""
    step, asked = Step(_OF), select(outbox.c.id).where(outbox.c.channel == bindparam("wanted"))

    def failing() -> None:
        with (
            postgresql_database.transaction() as connection,
            connection.begin_nested() if part else nullcontext(),
        ):
            step.first(connection, wanted="a")
            raise RuntimeError

    for _ in range(2):
        with postgresql_database.transaction() as connection:
            for _ in range(10):
                connection.execute(asked, {"wanted": "a"})
            step.first(connection, wanted="a")
            prepared = connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
            assert prepared >= 2
        with pytest.raises(RuntimeError):
            failing()
    with postgresql_database.transaction() as connection:
        assert step.first(connection, wanted="a") is None
        with pytest.raises(RuntimeError), connection.begin_nested():
            raise RuntimeError
        assert step.first(connection, wanted="a") is None


def test_defaults_that_sqlalchemy_fills_in_are_not_forgotten(
    postgresql_database: Database,
) -> None:
    bare = insert(outbox).values({name: bindparam(name) for name in _NAMES[:-1]})
    with pytest.raises(TypeError, match="refusals"):
        Prepared(postgresql_database, bare).all(**row())


_ME = select(func.pg_backend_pid().label("process"))


def test_a_connection_that_the_server_ended_is_made_anew(postgresql_database: Database) -> None:
    me, end = Prepared(postgresql_database, _ME), text("SELECT pg_terminate_backend(:process)")
    before = me.first().process
    with postgresql_database.transaction() as connection:
        connection.execute(end, {"process": before})
    assert me.first().process != before


def test_a_transaction_whose_connection_ends_is_refused(postgresql_database: Database) -> None:
    me, end = Step(_ME), text("SELECT pg_terminate_backend(:process)")

    def ended_between() -> None:
        with postgresql_database.transaction() as connection:
            Step(_NEW).count(connection, **row())
            process = me.first(connection).process
            with postgresql_database.transaction() as other:
                other.execute(end, {"process": process})
            Step(_NEW).count(connection, **row())

    with pytest.raises(Unavailable, match=r"database\.unavailable"):
        ended_between()
    assert Prepared(postgresql_database, _OF).all(wanted="a") == []
    with postgresql_database.transaction() as connection:
        assert Step(_NEW).count(connection, **row()) == 1


def test_a_server_that_is_gone_is_a_refusal() -> None:
    gone = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(Unavailable, match=r"database\.unavailable"):
        Prepared(gone, _OF).all(wanted="a")


def test_who_waits_for_the_server_holds_up_nobody(postgresql_database: Database) -> None:
    slow = Prepared(postgresql_database, select(func.pg_sleep(bindparam("seconds"))))
    slow.all(seconds=0.0)
    threads = [threading.Thread(target=slow.all, kwargs={"seconds": 1.0}) for _ in range(4)]
    started = time.monotonic()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert time.monotonic() - started < 3


def test_after_a_reading_a_transaction_writes_and_sees_the_newest(
    postgresql_database: Database,
) -> None:
    """Whose isolation a connection of the pool keeps from its last use is not asked."""
    for _ in range(3):
        with postgresql_database.reading() as connection:
            connection.execute(_OF, {"wanted": "a"}).all()
        with postgresql_database.transaction() as connection:
            count = len(Prepared(postgresql_database, _OF).all(wanted="a"))
            assert Step(_NEW).count(connection, **row()) == 1
            Prepared(postgresql_database, _NEW).all(**row())
            seen = Step(select(func.count().label("all")).select_from(outbox)).first(connection)
            assert seen.all == count + 2


def test_a_step_that_puts_in_what_it_finds_tells_how_much(any_database: Database) -> None:
    found = select(*(outbox.c[name] for name in _NAMES)).where(outbox.c.channel == bindparam("of"))
    again = Step(insert(outbox).from_select(_NAMES, found, include_defaults=False))
    with any_database.transaction() as connection:
        assert again.count(connection, of="a") == 0
        Step(_NEW).count(connection, **row())
        assert again.count(connection, of="a") == 1
        assert again.count(connection, of="a") == 2


# -- the journal -----------------------------------------------------------------------------------


def test_one_record_and_many_make_one_chain(any_database: Database) -> None:
    log = Journal(SystemClock(), timedelta(seconds=10))
    for number in range(1, 6):
        with any_database.transaction() as connection:
            for each in range(number):
                log.append(
                    connection, Event.SIGNIN_SUCCEEDED, subject="s", actor="a", number=each,
                    name="货'物",
                )  # fmt: skip
    with any_database.reading() as connection:
        told = log.verify(connection)
        assert (told.intact, told.count) == (True, 15)
        assert connection.execute(select(func.count()).select_from(journal)).scalar_one() == 15


def test_a_step_after_the_journals_head_fails_the_test_that_takes_it(
    any_database: Database,
) -> None:
    """The tests' own watch over the order of locks sees steps, too."""
    with any_database.transaction() as connection:
        Journal(SystemClock()).append(connection, Event.SIGNIN_SUCCEEDED, subject="s", actor="a")

    def locks_afterwards() -> None:
        with any_database.transaction() as connection:
            Step(select(journal_head).with_for_update()).first(connection)
            if any_database.is_sqlite:  # it leaves FOR UPDATE out
                connection.info[lock_order.TAKEN] = True
            Step(_NEW).count(connection, **row())

    with pytest.raises(AssertionError, match="after the journal's head"):
        locks_afterwards()
