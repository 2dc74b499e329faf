"""The database's part of a backup: one moment's view, whatever goes on meanwhile."""

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL, make_url

from kernel.refusals import Conflict, Unavailable
from portseal.backup import sealed
from portseal.backup.sealed import SealedWriter
from portseal.sandbox.processes import ServerUnavailableError, find_program
from records import checkpoints
from records.database import Database

_BINARIES = "/usr/lib/postgresql/*/bin"
_ENGINES_SCHEMA = "portseal_jobs"
"""Of the engine of jobs: what is in flight is found again from the records."""

Look = Callable[[Connection], None]


def save(database: Database, url: str, target: SealedWriter, look: Look, place: Path) -> None:
    """Write the database, and let `look` read the very moment that is written.

    `place`: a private directory for what SQLite copies first. Raises Unavailable.
    """
    if database.is_sqlite:
        _save_sqlite(make_url(url), target, look, place)
    else:
        _save_postgresql(database, make_url(url), target, look)


def restore(database: Database, url: str, source: Path, key: bytes) -> None:
    """Into an empty database. Raises Conflict `backup.not-empty`, Malformed, Unavailable."""
    address = make_url(url)
    if database.is_sqlite:
        _restore_sqlite(address, source, key)
    else:
        _require_empty(database)
        _restore_postgresql(address, source, key)


def _save_sqlite(url: URL, target: SealedWriter, look: Look, place: Path) -> None:
    copy = place / "copy.db"
    copy.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(str(url.database))) as source:
            with closing(sqlite3.connect(copy)) as aside:
                source.backup(aside, pages=2000, sleep=0.01)
        copied = Database(f"sqlite:///{copy}")
        with copied.reading() as connection:
            look(connection)
        copied.dispose()
        with closing(sqlite3.connect(copy)) as aside:  # what looking left in its log
            aside.execute("PRAGMA journal_mode=DELETE")
        with copy.open("rb") as file:
            sealed.copy_into(file, target)
    except sqlite3.Error as error:
        raise Unavailable(
            "database.unavailable", "the database did not answer", error=type(error).__name__
        ) from error
    finally:
        for left in place.glob("copy.db*"):
            left.unlink()


def _restore_sqlite(url: URL, source: Path, key: bytes) -> None:
    path = Path(str(url.database))
    if path.exists():
        raise Conflict("backup.not-empty", "there is a database already", path=str(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".restoring")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for piece in sealed.opened(source, key):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)


def _save_postgresql(database: Database, url: URL, target: SealedWriter, look: Look) -> None:
    with database.reading() as connection:
        look(connection)
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        command = [
            *(_program("pg_dump"), "--format=custom", "--no-owner", "--no-privileges"),
            *(f"--snapshot={snapshot}", f"--exclude-schema={_ENGINES_SCHEMA}"),
            _address(url),
        ]
        with subprocess.Popen(
            command, env=_surroundings(url), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as dump:
            assert dump.stdout is not None
            assert dump.stderr is not None
            sealed.copy_into(dump.stdout, target)
            told = dump.stderr.read().decode(errors="replace")
        if dump.returncode:
            raise Unavailable("backup.database", "pg_dump failed", why=told[-200:].strip())


def _restore_postgresql(url: URL, source: Path, key: bytes) -> None:
    command = [
        *(_program("pg_restore"), "--single-transaction", "--exit-on-error", "--no-owner"),
        *("--no-privileges", f"--dbname={_address(url)}"),
    ]
    with subprocess.Popen(
        command, env=_surroundings(url), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as restoring:
        assert restoring.stdin is not None
        assert restoring.stderr is not None
        try:
            for piece in sealed.opened(source, key):
                restoring.stdin.write(piece)
            restoring.stdin.close()
        except BrokenPipeError:
            pass  # it says why below
        except BaseException:
            restoring.kill()  # a damaged file must not be taken for a whole one
            raise
        told = restoring.stderr.read().decode(errors="replace")
    if restoring.returncode:
        raise Unavailable("backup.database", "pg_restore failed", why=told[-200:].strip())


def _require_empty(database: Database) -> None:
    query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    with database.reading() as connection:
        if connection.execute(text(query)).scalar_one():
            raise Conflict("backup.not-empty", "the database has tables already")


def _program(name: str) -> str:
    try:
        return str(find_program(name, _BINARIES))
    except ServerUnavailableError as error:
        raise Unavailable("backup.program", str(error)) from None


def _address(url: URL) -> str:
    """For libpq, without the password, which a list of processes would show."""
    return url.set(drivername="postgresql", password=None).render_as_string()


def _surroundings(url: URL) -> dict[str, str]:
    return {**os.environ, **({} if url.password is None else {"PGPASSWORD": str(url.password)})}


def head_of(connection: Connection) -> dict[str, object]:
    """Where the journal stood."""
    head = checkpoints.head(connection)
    return {} if head is None else {"position": head[0], "hash": head[1].hex()}
