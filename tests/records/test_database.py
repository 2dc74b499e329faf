"""A database that is locked or full refuses clearly, and takes up work again afterwards."""

import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DataError

from kernel.refusals import Malformed, Unavailable
from records import database as database_module
from records.database import Database, UtcDateTime
from records.tables import outbox


def test_a_locked_database_is_a_refusal_not_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_BUSY_MILLISECONDS", 50)
    locked = Database(f"sqlite:///{tmp_path / 'locked.db'}")
    with locked.transaction() as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
    other = sqlite3.connect(tmp_path / "locked.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match=r"database\.unavailable"), locked.transaction():
        pass
    other.execute("ROLLBACK")
    with locked.transaction() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))


def test_a_full_disk_is_a_refusal_and_nothing_half_written_stays(database: Database) -> None:
    with database.reading() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    row = {
        "channel": "c", "payload": "x" * 200_000, "attempts": 0,
        "created_at": datetime.now(UTC), "due_at": datetime.now(UTC),
    }  # fmt: skip

    def fill() -> None:
        with database.transaction() as connection:
            connection.execute(text(f"PRAGMA max_page_count = {pages + 10}"))
            connection.execute(insert(outbox), row)

    with pytest.raises(Unavailable, match=r"database\.unavailable"):
        fill()
    with database.transaction() as connection:
        connection.execute(text("PRAGMA max_page_count = 1000000"))
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 0
        connection.execute(insert(outbox), row)


def test_a_server_that_is_gone_is_a_refusal() -> None:
    gone = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(Unavailable, match=r"database\.unavailable"), gone.reading():
        pass


def test_a_text_that_cannot_be_stored_is_a_refusal_and_is_told_to_no_log(
    postgresql_database: Database,
) -> None:
    asked = outbox.select().where(outbox.c.channel == "secret\0")
    with (
        pytest.raises(Malformed, match=r"request\.malformed") as refused,
        postgresql_database.reading() as connection,
    ):
        connection.execute(asked)
    assert "secret" not in f"{refused.value} {refused.value.__cause__}"


def test_a_mistake_in_a_statement_of_ours_is_not_told_as_the_caller_s(
    postgresql_database: Database,
) -> None:
    with pytest.raises(DataError), postgresql_database.reading() as connection:
        connection.execute(text("SELECT 1 / 0"))


def test_a_naive_time_never_reaches_the_database() -> None:
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), None)  # type: ignore[arg-type]  # noqa: DTZ001


def test_the_url_in_messages_hides_its_password() -> None:
    assert "hunter2" not in repr(Database("postgresql+psycopg://u:hunter2@127.0.0.1/x"))


def test_threads_write_to_sqlite_without_losing_any(database: Database) -> None:
    now = datetime.now(UTC)

    def write() -> None:
        for _ in range(25):
            with database.transaction() as connection:
                values = {
                    "channel": "c", "payload": "{}", "attempts": 0,
                    "created_at": now, "due_at": now,
                }  # fmt: skip
                connection.execute(insert(outbox), values)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 200
