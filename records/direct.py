"""PostgreSQL asked through libpq itself, by psycopg's wrapper of it (`psycopg.pq`).

A statement costs a fraction of what it costs through the driver's cursors, and even less of what
SQLAlchemy needs. psycopg's own converters make octets of values and values of octets.
"""

from typing import Any

from psycopg import Connection, OperationalError, errors, pq
from psycopg.adapt import PyFormat, Transformer

_BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_DONE = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})


class Direct:
    """One connection of the driver, and the statements that the server knows from it."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._names: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._named = 0
        self._in_doubt = False
        # What it remembers of values and columns holds for as long as the connection.
        self._converter = Transformer(connection)

    def doubt(self) -> None:
        """A transaction is being undone: psycopg then makes the server forget all statements
        (DEALLOCATE ALL) where it has prepared some of its own."""
        self._in_doubt = True

    def begin(self) -> None:
        """Begin a transaction, unless one is open. Raises psycopg's errors."""
        if self._pgconn.transaction_status == pq.TransactionStatus.IDLE:
            self._checked(self._pgconn.exec_(_BEGIN))

    def ask(self, statement: bytes, values: list[Any]) -> tuple[list[tuple[Any, ...]], int]:
        """Rows, and how many were given or changed. `statement` with `$1` and so on.

        Blocks this thread alone. Raises psycopg's errors.
        """
        if self._in_doubt:
            self._keep_what_the_server_knows()
        converter = self._converter
        octets: Any = converter.dump_sequence(values, [PyFormat.AUTO] * len(values))
        types = converter.types or ()
        name = self._names.get((statement, types))
        if name is None:
            name = b"portseal_%d" % self._named
            self._named += 1
            self._checked(self._pgconn.prepare(name, statement, types))
            self._names[(statement, types)] = name
        result = self._pgconn.exec_prepared(name, octets, converter.formats, pq.Format.BINARY)
        self._checked(result)
        converter.set_pgresult(result)
        rows = converter.load_rows(0, result.ntuples, tuple) if result.nfields else []
        return rows, result.command_tuples or 0

    def _keep_what_the_server_knows(self) -> None:
        known = self._checked(self._pgconn.exec_(b"SELECT name FROM pg_prepared_statements"))
        names = {known.get_value(row, 0) for row in range(known.ntuples)}
        self._names = {asked: name for asked, name in self._names.items() if name in names}
        self._in_doubt = False

    def _checked(self, result: Any) -> Any:
        if result.status in _DONE:
            return result
        if self._pgconn.status != pq.ConnStatus.OK:
            raise OperationalError(result.get_error_message())
        raise errors.error_from_result(result, encoding="utf-8")
