"""Many rows with one statement. A row each by itself costs the server and us several times more."""

from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    Table,
    TextClause,
    insert,
    text,
)
from sqlalchemy.types import TypeEngine

_WORTH_IT = 8
"""Rows below which it makes no difference."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, if any, that all have the same columns. Raises SQLAlchemy's errors."""
    if not rows:
        return
    if connection.dialect.name != "postgresql" or len(rows) < _WORTH_IT:
        connection.execute(insert(table), list(rows))
        return
    names = tuple(rows[0])
    columns = {name: [_plain(row[name]) for row in rows] for name in names}
    connection.execute(_by_columns(table, names), columns)


def _plain(value: Any) -> Any:
    """An enumeration's member travels as its text."""
    return str(value) if isinstance(value, StrEnum) else value


@cache
def _by_columns(table: Table, names: tuple[str, ...]) -> TextClause:
    arrays = ", ".join(f"CAST(:{name} AS {array_type(table.c[name].type)})" for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    # Names of our own tables and columns; every value is bound.
    return text(f"INSERT INTO {table.name} ({quoted}) SELECT * FROM unnest({arrays})")  # noqa: S608


def array_type(kind: TypeEngine[Any]) -> str:
    """PostgreSQL's array that a column's values travel in; the column's own limits still hold."""
    kind = getattr(kind, "impl_instance", kind)
    if isinstance(kind, LargeBinary):
        return "bytea[]"
    if isinstance(kind, Boolean):
        return "boolean[]"
    if isinstance(kind, Integer):
        return "bigint[]"
    if isinstance(kind, DateTime):
        return "timestamptz[]"
    return "text[]"
