"""A private PostgreSQL cluster, reached through a Unix socket in a directory of its own.

No TCP port is opened; who may reach the socket is decided by the directory's mode, 0700, so the
cluster asks for no password. Durability is left on (fsync), as in production, unless many small
databases are to be made quickly.
"""

import itertools
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from portseal.sandbox import processes

_SUPERUSER = "portseal"
_PORT = 5432  # names the socket file, nothing else
_CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{directory}'
port = {port}
max_connections = 100
shared_buffers = 64MB
fsync = {fsync}
log_min_messages = warning
timezone = 'UTC'
"""


class PostgreSQL:
    """One cluster: start, stop and restart keep its data; `create_database` gives an empty one.

    As a context manager it starts on entry and is removed on exit. Not `durable`: what was
    committed outlives the death of its processes, but not that of the machine, and a database is
    made in a third of the time. Raises `ServerUnavailableError` when PostgreSQL is missing or does
    not start.
    """

    def __init__(self, *, durable: bool = True) -> None:
        self._durable = durable
        binaries = "/usr/lib/postgresql/*/bin"
        self._initdb = processes.find_program("initdb", binaries)
        self._postgres = processes.find_program("postgres", binaries)
        self._account = processes.unprivileged_account("postgres")
        self.directory = processes.private_directory("postgresql", self._account)
        self._names = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy URL of a database of this cluster."""
        return f"postgresql+psycopg://{_SUPERUSER}@/{database}?host={self.directory}&port={_PORT}"

    def start(self) -> None:
        """Start and return once it answers; does nothing when it runs already."""
        if self.is_running:
            return
        data = self.directory / "data"
        if not data.exists():
            self._create()
        log = self.directory / "postgresql.log"
        # SIGINT is PostgreSQL's fast shutdown: clients are disconnected, nothing is lost.
        process = processes.start_as(
            self._account,
            [str(self._postgres), "-D", str(data)],
            log=log,
            end_signal=signal.SIGINT,
        )
        processes.wait_until_ready(process, self._answers, name="PostgreSQL", log=log)
        self._process = process

    def stop(self) -> None:
        """Stop in order; the data stay."""
        if self._process is not None:
            processes.stop(self._process, signal.SIGINT)
            self._process = None

    def restart(self) -> None:
        """Stop and start again with the same data."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """End it as a power cut would, without a shutdown; the data stay."""
        if self._process is not None:
            # SIGQUIT ends the server's children too and leaves recovery to the next start.
            processes.stop(self._process, signal.SIGQUIT)
            self._process = None

    def remove(self) -> None:
        """Stop and delete the cluster."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def create_database(self, template: str = "template1") -> str:
        """Create a database as a copy of another, which nobody is connected to; return its name.

        That of PostgreSQL is empty.
        """
        name = f"fresh_{next(self._names)}"
        # A copy of files waits for the disk where that counts; otherwise it is the quicker way.
        strategy = "WAL_LOG" if self._durable else "FILE_COPY"
        statement = sql.SQL(f"CREATE DATABASE {{}} TEMPLATE {{}} STRATEGY {strategy}")
        with self._connect() as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, ending what is still connected to it."""
        with self._connect() as connection:
            statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(statement.format(sql.Identifier(name)))

    @contextmanager
    def fresh_database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a new database, a copy of the template, that is dropped afterwards."""
        name = self.create_database(template)
        try:
            yield self.url(name)
        finally:
            self.drop_database(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    def _create(self) -> None:
        data = self.directory / "data"
        created = processes.run_as(
            self._account,
            [
                str(self._initdb),
                *("--pgdata", str(data), "--username", _SUPERUSER, "--auth", "trust"),
                *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"),
            ],
        )
        if created.returncode != 0:
            raise processes.ServerUnavailableError(f"initdb failed: {created.stdout.strip()}")
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write(
                _CONFIGURATION.format(
                    directory=self.directory,
                    port=_PORT,
                    fsync="on" if self._durable else "off",
                )
            )

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.directory),
            port=_PORT,
            user=_SUPERUSER,
            dbname="postgres",
            autocommit=True,
        )

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True
