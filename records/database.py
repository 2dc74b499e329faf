"""One database, SQLite or PostgreSQL, and the unit of work around it.

A room declares its rows as SQLAlchemy Core tables on `metadata`, in its own `tables.py`.
"""

import os
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    InterfaceError,
    InvalidatePoolError,
    OperationalError,
)
from sqlalchemy.types import TypeDecorator

from kernel.refusals import Malformed, Unavailable

if TYPE_CHECKING:
    from records.direct import Direct

DIRECT = "portseal direct"
"""Under this name a pooled connection keeps its `records.direct.Direct`."""
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every table of the product."""
ROW_ID = String(32)
"""Type of a row's own identifier (`new_id`), and of a column that refers to one."""
AUTO_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""Type of a number that the database counts up."""

_BUSY_MILLISECONDS = 10_000
_LAST = "portseal_last"
_RESTING = "portseal resting since"
_TRUSTED_SECONDS = 1.0


def partial_index(name: str, *columns: str, where: str) -> Index:
    """An index over the rows that fulfil the condition, on both databases."""
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: timezone-aware in, UTC out, on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime must not reach the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class LastAct(Protocol):
    """What a transaction does after everything else, just before it commits."""

    def close(self, connection: Connection, collected: list[Any]) -> None: ...


def do_last(connection: Connection, act: LastAct, things: Iterable[Any]) -> None:
    """Have `act` close the transaction with these things and those of earlier calls, once.

    So what all transactions must lock (the journal's head) is locked last, whatever the use case
    does in which order, and nobody waits for anybody in a circle or for longer than a commit.
    Raises RuntimeError outside `Database.transaction`.
    """
    last: dict[LastAct, list[Any]] | None = connection.get_execution_options().get(_LAST)
    if last is None:
        raise RuntimeError("only a `Database.transaction` has an end to wait for")
    last.setdefault(act, []).extend(things)


def new_id() -> str:
    """A fresh row identifier: UUIDv4, 32 hexadecimal digits, unguessable."""
    return uuid.uuid4().hex


class Database:
    """Connections to one database; an engine per process, so that a fork is harmless."""

    def __init__(self, url: str) -> None:
        """`url` as SQLAlchemy's: `sqlite:////path/file.db`, `postgresql+psycopg://...`."""
        self._url: URL = make_url(url)
        self._engine: Engine | None = None
        self._pid = 0
        self._lock = threading.Lock()
        self._driver_connections: list[tuple[int, Any]] = []
        self._of_thread = threading.local()

    def __repr__(self) -> str:
        return f"Database({self._url.render_as_string(hide_password=True)})"

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path | None:
        """Where SQLite keeps it; None: a server has it."""
        return Path(str(self._url.database)) if self.is_sqlite else None

    @property
    def engine(self) -> Engine:
        with self._lock:
            if self._engine is None or self._pid != os.getpid():
                if self._engine is not None:
                    self._engine.dispose(close=False)
                self._engine = _sqlite(self._url) if self.is_sqlite else _server(self._url)
                self._pid = os.getpid()
            return self._engine

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All or nothing. On SQLite the write lock is taken at once (BEGIN IMMEDIATE). What was
        given to `do_last` is done at the end of the block.

        Raises Unavailable `database.unavailable` when the database is locked, full or gone, and
        as those last acts.
        """
        last: dict[LastAct, list[Any]] = {}
        with _refusing(), self.engine.connect() as connection:
            writing = connection.execution_options(portseal_begin="IMMEDIATE", portseal_last=last)
            with writing.begin():
                yield writing
                for act, collected in last.items():
                    act.close(writing, collected)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One view of one moment, for reading only. Raises as `transaction`."""
        with _refusing(), self.engine.connect() as connection:
            if not self.is_sqlite:  # whose transactions are such views by themselves
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """What `driver_connection` and what it gives raise when the database does not answer."""
        driver: Any = self.engine.dialect.loaded_dbapi
        return (driver.OperationalError, driver.InterfaceError)

    def driver_connection(self) -> Any:
        """A connection of the bare driver, for `records.lookup`: it commits by itself, belongs to
        one thread, and ends with `dispose` at the latest."""
        dialect: Any = self.engine.dialect
        positional, named = dialect.create_connect_args(self._url)
        if self.is_sqlite:
            named = {**named, "timeout": _BUSY_MILLISECONDS / 1000, "isolation_level": None}
            named["check_same_thread"] = False  # `dispose` closes it from another
        else:
            named = {**named, "connect_timeout": 5, "autocommit": True, "prepare_threshold": 1}
        connection = dialect.loaded_dbapi.connect(*positional, **named)
        with self._lock:
            self._driver_connections.append((os.getpid(), connection))
        return connection

    def thread_direct(self) -> "Direct":
        """This thread's own connection to PostgreSQL, made when it is first asked for.

        What is changed over it survives a power cut once any later `transaction` has: the disk is
        not waited for twice. Raises `driver_errors`.
        """
        held = getattr(self._of_thread, "held", None)
        if held is None or held[0] != os.getpid():
            connection = self.driver_connection()
            connection.execute("SET synchronous_commit = off")
            held = self._of_thread.held = (os.getpid(), connection, direct_to(connection))
        direct: Direct = held[2]
        return direct

    def drop_thread_connection(self) -> None:
        """It has failed: the next call of `thread_direct` makes another."""
        held = getattr(self._of_thread, "held", None)
        self._of_thread.held = None
        if held is not None and held[0] == os.getpid():
            held[1].close()

    def upgrade(self) -> None:
        """Bring the schema to the newest migration."""
        # Imported here: nearly every command does without Alembic, which is slow to load.
        from alembic import command

        from records.schema import migrations

        config = migrations()
        with _refusing(), self.engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()

    def dispose(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None
            for process, connection in self._driver_connections:
                if process == os.getpid():  # a parent's connection is the parent's
                    connection.close()
            self._driver_connections.clear()


def direct_to(connection: Any) -> "Direct":
    """A driver's connection to PostgreSQL, asked without the driver's cursors."""
    # Imported here: where SQLite serves, psycopg need not be loaded.
    from records.direct import Direct

    return Direct(connection)


_OF_THE_VALUE = frozenset({None, "22001", "22003", "22007", "22008", "22021", "22P05"})
"""SQLSTATE: too long, out of range, no such time, not a character; None: the driver's own."""


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise _unavailable(error) from error
    except DataError as error:
        if not is_of_the_value(error.orig):
            raise
        raise Malformed("request.malformed", "a value cannot be stored") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise _unavailable(error) from error
        raise


def is_of_the_value(error: BaseException | None) -> bool:
    """Whether a driver's DataError comes from a value that was handed in (a text with NUL, a
    number without end, a date that does not exist), not from a statement of ours."""
    return getattr(error, "sqlstate", None) in _OF_THE_VALUE


def _unavailable(error: DBAPIError) -> Unavailable:
    return Unavailable(
        "database.unavailable", "the database did not answer", error=type(error.orig).__name__
    )


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url, connect_args={"timeout": _BUSY_MILLISECONDS / 1000}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's `begin` event below begins instead
        connection.execute("PRAGMA journal_mode=WAL")
        # A certificate that was reported as issued must survive a power cut.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("portseal_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _server(url: URL) -> Engine:
    # Values stay out of errors, and so out of logs: they may be somebody's.
    engine = create_engine(
        url,
        pool_size=8,
        max_overflow=8,
        connect_args={"connect_timeout": 5},
        hide_parameters=True,
    )

    @event.listens_for(engine, "rollback")
    def undo(connection: Connection) -> None:
        _doubt(connection)

    @event.listens_for(engine, "rollback_savepoint")
    def undo_part(connection: Connection, name: str, context: object) -> None:
        _doubt(connection)

    @event.listens_for(engine, "checkin")
    def rest(connection: Any, record: Any) -> None:
        record.info[_RESTING] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def wake(connection: Any, record: Any, proxy: object) -> None:
        """A connection that has rested may be dead: it is tried, for three trips to the server,
        which the one that was just used is spared."""
        rested = time.monotonic() - record.info.get(_RESTING, time.monotonic())
        if rested > _TRUSTED_SECONDS and not _answers(engine, connection):
            raise InvalidatePoolError

    return engine


def _doubt(connection: Connection) -> None:
    if not connection.invalidated and (direct := connection.info.get(DIRECT)):
        direct.doubt()


def _answers(engine: Engine, connection: Any) -> bool:
    try:
        return bool(engine.dialect.do_ping(connection))
    except engine.dialect.loaded_dbapi.Error:
        return False
