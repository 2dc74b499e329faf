"""In every test: the journal's head is the last thing that a transaction locks.

Whoever takes it earlier holds up everybody for as long as the rest takes, and on PostgreSQL waits
in a circle with those who take it last.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

_TAKES_HEAD = re.compile(
    r"(UPDATE|INSERT INTO|DELETE FROM) journal_head\b|FROM journal_head\b.*FOR UPDATE", re.S
)
_LOCKS = re.compile(r"\s*(INSERT|UPDATE|DELETE|WITH)\b|.*\bFOR UPDATE\b", re.S)
_JOURNALS_OWN = re.compile(r"\s*INSERT INTO journal\b")
_TAKEN = "test: the journal's head is taken"


def look(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
    """Raises AssertionError at a statement that locks anything after the head."""
    if _TAKES_HEAD.search(statement):
        connection.info[_TAKEN] = True
        return
    locks = _LOCKS.match(statement) and not _JOURNALS_OWN.match(statement)
    if connection.info.get(_TAKEN) and locks:
        raise AssertionError(f"locked after the journal's head: {statement[:200]}")


def forget(connection: Connection) -> None:
    if not connection.invalidated:  # else the database went away, and what was known with it
        connection.info.pop(_TAKEN, None)


@pytest.fixture(scope="session", autouse=True)
def the_journal_comes_last() -> Iterator[None]:
    listeners = (("before_cursor_execute", look), ("commit", forget), ("rollback", forget))
    for name, listener in listeners:
        event.listen(Engine, name, listener)
    yield
    for name, listener in listeners:
        event.remove(Engine, name, listener)
