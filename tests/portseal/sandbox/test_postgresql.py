"""The private PostgreSQL: real, durable, unprivileged, without a port."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from portseal.sandbox.postgresql import PostgreSQL

pytestmark = pytest.mark.postgresql


def run(url: str, *statements: str) -> list[object]:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            results = [connection.execute(text(statement)) for statement in statements]
            return list(results[-1].scalars()) if results[-1].returns_rows else []
    finally:
        engine.dispose()


def test_no_port_is_open_and_commits_are_waited_for(postgresql_url: str) -> None:
    assert run(postgresql_url, "SHOW synchronous_commit") == ["on"]
    assert run(postgresql_url, "SHOW listen_addresses") == [""]
    assert run(postgresql_url, "SHOW server_encoding") == ["UTF8"]


def test_a_fresh_database_is_empty_each_time(postgresql_server: PostgreSQL) -> None:
    for _ in range(2):
        with postgresql_server.fresh_database() as url:
            run(url, "CREATE TABLE declaration (id int)", "INSERT INTO declaration VALUES (1)")


def test_a_fresh_database_is_gone_afterwards_even_when_still_in_use(
    postgresql_server: PostgreSQL,
) -> None:
    with postgresql_server.fresh_database() as url:
        engine = create_engine(url)
        connection = engine.connect()
    with pytest.raises(OperationalError, match="does not exist"):
        run(url, "SELECT 1")
    connection.invalidate()
    engine.dispose()


def test_the_server_runs_without_the_rights_of_root(postgresql_server: PostgreSQL) -> None:
    pid = int((postgresql_server.directory / "data" / "postmaster.pid").read_text().split()[0])
    assert Path(f"/proc/{pid}").stat().st_uid != 0


def test_what_was_committed_survives_a_power_cut_and_a_restart() -> None:
    with PostgreSQL() as server:
        url = server.url(server.create_database())
        assert run(url, "SHOW fsync") == ["on"], "what tests alone do without"
        run(url, "CREATE TABLE serial (value int)", "INSERT INTO serial VALUES (7)")
        server.kill()
        assert not server.is_running
        server.start()
        assert run(url, "SELECT value FROM serial") == [7]
        server.restart()
        assert run(url, "SELECT value FROM serial") == [7]
    assert not server.directory.exists()
