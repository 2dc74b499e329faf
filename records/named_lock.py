"""A lock by its name, for a limit over rows that others may just be writing."""

from sqlalchemy import Connection, text

_TAKE = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def take(connection: Connection, name: str) -> None:
    """Wait for it, and hold it until the transaction ends.

    Take one alone in a transaction, before anything else is locked, and not the same for everybody.
    On SQLite the transaction is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE, {"name": name})
