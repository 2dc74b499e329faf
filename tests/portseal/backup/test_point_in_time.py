"""Point-in-time recovery of PostgreSQL, as docs/running.md tells it."""

import shutil
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from kernel.clock import SystemClock
from portseal.sandbox import processes
from portseal.sandbox.postgresql import PostgreSQL
from records.database import Database
from records.events import Event
from records.journal import Journal
from tests.database import load_all_tables

pytestmark = pytest.mark.postgresql
JOURNAL = Journal(SystemClock())


def write(database: Database, count: int) -> None:
    for number in range(count):
        with database.transaction() as connection:
            JOURNAL.append(connection, Event.CARD_MADE, subject="s", actor="a", n=number)


def configure(server: PostgreSQL, settings: str) -> None:
    with (server.directory / "data" / "postgresql.conf").open("a") as file:
        file.write(settings)


@pytest.mark.long
def test_the_database_comes_back_as_it_was_at_a_moment() -> None:
    load_all_tables()
    account = processes.unprivileged_account("postgres")
    log = processes.private_directory("wal", account)
    base = processes.private_directory("base", account) / "copy"
    try:
        with PostgreSQL() as server:
            configure(
                server,
                f"archive_mode = on\narchive_command = 'test ! -f {log}/%f && cp %p {log}/%f'\n",
            )
            server.restart()
            name = server.create_database()
            database = Database(server.url(name))
            database.upgrade()
            write(database, 100)
            program = processes.find_program("pg_basebackup", "/usr/lib/postgresql/*/bin")
            made = processes.run_as(
                account,
                [
                    *(str(program), "-D", str(base), "--checkpoint=fast", "-X", "none"),
                    *("-h", str(server.directory), "-p", "5432", "-U", "portseal"),
                ],
            )
            assert made.returncode == 0, made.stdout
            write(database, 60)
            with database.reading() as connection:
                moment = connection.execute(text("SELECT clock_timestamp()::text")).scalar_one()
            write(database, 40)
            with database.engine.connect() as connection:
                switched = connection.execution_options(isolation_level="AUTOCOMMIT")
                last = switched.execute(
                    text("SELECT pg_walfile_name(pg_switch_wal())")
                ).scalar_one()
            await_file(log / last)
            database.dispose()
            server.kill()
        assert recovered(base, log, name, account, f"recovery_target_time = '{moment}'\n") == 160
        assert recovered(base, log, name, account, "") == 200
    finally:
        shutil.rmtree(log)
        shutil.rmtree(base.parent)


def await_file(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} is not archived"
        time.sleep(0.05)


def recovered(base: Path, log: Path, name: str, account: processes.Account, target: str) -> int:
    """Records of the journal, intact, of a cluster that is recovered from base and log."""
    server = PostgreSQL()
    try:
        data = server.directory / "data"
        shutil.copytree(base, data)
        (data / "recovery.signal").touch()
        configure(
            server,
            f"unix_socket_directories = '{server.directory}'\narchive_mode = off\n"
            f"restore_command = 'cp {log}/%f %p'\nrecovery_target_action = promote\n{target}",
        )
        processes.claim_directory(data, account)
        server.start()
        database = Database(server.url(name))
        deadline = time.monotonic() + 60
        while True:
            with database.engine.connect() as connection:
                if not connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one():
                    break
            assert time.monotonic() < deadline, "it is still being recovered"
            time.sleep(0.05)
        with database.reading() as connection:
            verdict = JOURNAL.verify(connection)
        database.dispose()
        assert verdict.intact
        return verdict.count
    finally:
        server.remove()
