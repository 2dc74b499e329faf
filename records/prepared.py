"""Statements of SQLAlchemy's, compiled once and run past SQLAlchemy on the driver's connection.

Through SQLAlchemy's connections a statement by an index takes ten times as long as server and
driver need for it. That does not matter but on paths that are walked hundreds of times a second.
The types of the tables hold here too. On SQLite, which is for one node and little load, the
statement takes the usual way.
"""

from collections import namedtuple
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Delete, Insert, Select, Update
from sqlalchemy.exc import DBAPIError, IntegrityError

from kernel.refusals import Malformed, Unavailable
from records.database import DIRECT, Database, direct_to, is_of_the_value

if TYPE_CHECKING:
    from records.direct import Direct

Statement = Select[Any] | Insert | Update | Delete


class Prepared:
    """A statement that stands by itself: it is done, whole, when it returns. For many threads.

    Its values are `bindparam`s. Every call sees what was committed before it. A change that it
    makes is on the disk no later than that of any `Database.transaction` that ends after it: use
    it for what is worth nothing until such a transaction follows (a challenge taken, before the
    session that it opens), or may be lost (a challenge given).
    """

    def __init__(self, database: Database, statement: Statement) -> None:
        self._database = database
        self._statement = statement
        self._compiled: _Compiled | None = None

    def first(self, **values: object) -> Any:
        """The first row that the statement gives, its columns by name; None: there is none.

        Raises Malformed `request.malformed` for a text with NUL, Unavailable; IntegrityError.
        """
        rows = self.all(**values)
        return rows[0] if rows else None

    def all(self, **values: object) -> list[Any]:
        """Every row. Raises as `first`."""
        if self._database.is_sqlite:
            return self._all_on_sqlite(values)
        compiled = self._compiled or _Compiled(self._database.engine.dialect, self._statement)
        self._compiled = compiled
        errors = self._database.driver_errors
        for attempt in (1, 2):
            try:
                return compiled.ask(self._database.thread_direct(), values)[0]
            except errors as error:
                self._database.drop_thread_connection()
                # A connection that the server ended meanwhile is made anew once.
                if attempt == 2:
                    raise Unavailable(
                        "database.unavailable",
                        "the database did not answer",
                        error=type(error).__name__,
                    ) from error
            except compiled.data_error as error:
                if not is_of_the_value(error):
                    raise
                raise Malformed("request.malformed", "a value cannot be stored") from error
            except compiled.integrity_error as error:
                raise IntegrityError(compiled.text, None, error, hide_parameters=True) from error
        raise AssertionError("unreachable")

    def _all_on_sqlite(self, values: dict[str, object]) -> list[Any]:
        reads = isinstance(self._statement, Select)
        begin = self._database.reading if reads else self._database.transaction
        with begin() as connection:
            result = connection.execute(self._statement, values)
            return list(result.all()) if result.returns_rows else []


class Step:
    """A statement within a `Database.transaction`: what it sees, locks and changes is that
    transaction's. For many threads."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._compiled: _Compiled | None = None

    def first(self, connection: Connection, **values: object) -> Any:
        """The first row that the statement gives, its columns by name; None: there is none.

        Raises SQLAlchemy's errors.
        """
        return self._ask(connection, values)[0]

    def count(self, connection: Connection, **values: object) -> int:
        """How many rows it changed. Raises as `first`."""
        return self._ask(connection, values)[1]

    def _ask(self, connection: Connection, values: dict[str, object]) -> tuple[Any, int]:
        if connection.dialect.name == "sqlite":
            # Unasked, SQLAlchemy does not keep the count of an insertion.
            kept = {"preserve_rowcount": True}
            result = connection.execute(self._statement, values, execution_options=kept)
            if not result.returns_rows:
                return None, result.rowcount
            told = result.all()
            return (told[0] if told else None), len(told)
        compiled = self._compiled or _Compiled(connection.dialect, self._statement)
        self._compiled = compiled
        rows, count = compiled.within(connection, values)
        return (rows[0] if rows else None), count


class _Compiled:
    """The server's text, and what makes the tables' types of its values."""

    def __init__(self, dialect: Any, statement: Statement) -> None:
        # As libpq takes values: `$1`.
        numbered = type(dialect)(paramstyle="numeric_dollar")
        compiled: Any = statement.compile(dialect=numbered)
        if missing := [*compiled.insert_prefetch, *compiled.update_prefetch]:
            raise TypeError(f"to be given: {', '.join(each.name for each in missing)}")
        self.text: str = compiled.string
        self._octets = self.text.encode()
        self._dialect = dialect
        self._names: list[str] = compiled.positiontup
        self._fixed = {
            name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required
        }
        self._outward: dict[str, Any] = compiled._bind_processors
        self.integrity_error: type[Exception] = dialect.loaded_dbapi.IntegrityError
        self.data_error: type[Exception] = dialect.loaded_dbapi.DataError
        columns = compiled._result_columns
        names = [each.keyname for each in columns]
        self._row: Any = namedtuple("Row", names) if names else None
        inward = [each.type._cached_result_processor(numbered, None) for each in columns]
        self._inward = [(place, make) for place, make in enumerate(inward) if make is not None]

    def ask(self, direct: "Direct", values: dict[str, object]) -> tuple[list[Any], int]:
        """Rows, and how many were given or changed. Raises the driver's errors."""
        given = {**self._fixed, **values}
        for name, make in self._outward.items():
            given[name] = make(given[name])
        found, count = direct.ask(self._octets, [given[name] for name in self._names])
        rows = [list(row) for row in found]
        for place, make in self._inward:
            for row in rows:
                row[place] = make(row[place])
        return [self._row._make(row) for row in rows], count

    def within(self, connection: Connection, values: dict[str, object]) -> tuple[list[Any], int]:
        """The same in a transaction. Raises SQLAlchemy's errors."""
        driver: Any = connection.connection.driver_connection
        try:
            direct = _direct(connection, driver)
            direct.begin()
            return self.ask(direct, values)
        except self._dialect.loaded_dbapi.Error as error:
            lost = self._dialect.is_disconnect(error, driver, None)
            if lost:
                connection.invalidate(error)
            raise DBAPIError.instance(
                self.text,
                None,
                error,
                self._dialect.loaded_dbapi.Error,
                hide_parameters=True,
                connection_invalidated=lost,
                dialect=self._dialect,
            ) from error


def _direct(connection: Connection, driver: Any) -> "Direct":
    known: Direct | None = connection.info.get(DIRECT)
    return known or connection.info.setdefault(DIRECT, direct_to(driver))
