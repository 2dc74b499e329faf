"""One statement of SQLAlchemy's, compiled once and run straight on the driver.

Through SQLAlchemy's pool and connections a statement by an index takes ten times as long as driver
and server need for it. That does not matter but on paths that are walked hundreds of times a
second. The types of the tables hold here too. On SQLite, which is for one node and little load,
the statement takes the usual way.
"""

from collections import namedtuple
from typing import Any

from sqlalchemy import Delete, Insert, Select, Update
from sqlalchemy.exc import IntegrityError

from kernel.refusals import Unavailable
from records.database import Database

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

        Raises Unavailable; IntegrityError.
        """
        rows = self.all(**values)
        return rows[0] if rows else None

    def all(self, **values: object) -> list[Any]:
        """Every row. Raises as `first`."""
        if self._database.is_sqlite:
            return self._all_on_sqlite(values)
        compiled = self._compiled or _Compiled(self._database, self._statement)
        self._compiled = compiled
        errors = self._database.driver_errors
        for attempt in (1, 2):
            try:
                return compiled.all(self._database.thread_connection(), values)
            except errors as error:
                self._database.drop_thread_connection()
                # A connection that the server ended meanwhile is made anew once.
                if attempt == 2:
                    raise Unavailable(
                        "database.unavailable",
                        "the database did not answer",
                        error=type(error).__name__,
                    ) from error
        raise AssertionError("unreachable")

    def _all_on_sqlite(self, values: dict[str, object]) -> list[Any]:
        reads = isinstance(self._statement, Select)
        begin = self._database.reading if reads else self._database.transaction
        with begin() as connection:
            result = connection.execute(self._statement, values)
            return list(result.all()) if result.returns_rows else []


class _Compiled:
    """The driver's text, and what makes the tables' types of its values."""

    def __init__(self, database: Database, statement: Statement) -> None:
        dialect = database.engine.dialect
        compiled: Any = statement.compile(dialect=dialect)
        self._compiled = compiled
        self._text = compiled.string
        self._outward: dict[str, Any] = compiled._bind_processors
        self._integrity_error: type[Exception] = dialect.loaded_dbapi.IntegrityError
        columns = compiled._result_columns
        names = [each.keyname for each in columns]
        self._row: Any = namedtuple("Row", names) if names else None
        inward = [each.type._cached_result_processor(dialect, None) for each in columns]
        self._inward = [(place, make) for place, make in enumerate(inward) if make is not None]

    def all(self, connection: Any, values: dict[str, object]) -> list[Any]:
        given = self._compiled.construct_params(values)
        for name, make in self._outward.items():
            given[name] = make(given[name])
        try:
            cursor = connection.execute(self._text, given)
        except self._integrity_error as error:
            raise IntegrityError(self._text, values, error) from error
        if self._row is None:
            return []
        rows = [list(row) for row in cursor.fetchall()]
        for place, make in self._inward:
            for row in rows:
                row[place] = make(row[place])
        return [self._row._make(row) for row in rows]
