"""A lock by its name: for a limit over rows that others may just be writing, or for work of many
transactions that one process does at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from records.database import Database

_TAKE = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def take(connection: Connection, name: str) -> None:
    """Wait for it, and hold it until the transaction ends.

    Take one alone in a transaction, before anything else is locked, and not the same for everybody.
    On SQLite the transaction is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE, {"name": name})


@contextmanager
def held(database: Database, name: str) -> Iterator[None]:
    """Wait for it, and hold it inside, where transactions come and go; it ends with the process,
    however that ends. `name` becomes part of a file's name, beside SQLite's own.

    Raises Unavailable, also at the end, when the database went away meanwhile and with it the lock.
    """
    if database.file is None:
        with database.transaction() as connection:
            take(connection, name)
            yield
    else:
        with lock_file(database, name) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextmanager
def lock_file(database: Database, name: str) -> Iterator[int]:
    """A file to be locked, beside SQLite's own; closing it frees the lock."""
    path = f"{database.file}-{name}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
