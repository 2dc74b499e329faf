"""In every test: the journal's head is the last thing that a transaction locks.

Whoever takes it earlier holds up everybody for as long as the rest takes, and on PostgreSQL waits
in a circle with those who take it last.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from records import prepared

_TAKES_HEAD = re.compile(
    r"(UPDATE|INSERT INTO|DELETE FROM) journal_head\b|FROM journal_head\b.*FOR UPDATE", re.S
)
_LOCKS = re.compile(r"\s*(INSERT|UPDATE|DELETE|WITH)\b|.*\bFOR UPDATE\b", re.S)
_JOURNALS_OWN = re.compile(r"\s*INSERT INTO journal\b")
TAKEN = "test: the journal's head is taken"


def look(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
    """Raises AssertionError at a statement that locks anything after the head."""
    if _TAKES_HEAD.search(statement):
        connection.info[TAKEN] = True
        return
    locks = _LOCKS.match(statement) and not _JOURNALS_OWN.match(statement)
    if connection.info.get(TAKEN) and locks:
        raise AssertionError(f"locked after the journal's head: {statement[:200]}")


def forget(connection: Connection) -> None:
    if not connection.invalidated:  # else the database went away, and what was known with it
        connection.info.pop(TAKEN, None)


def _look_at_steps(patch: pytest.MonkeyPatch) -> None:
    """They go past SQLAlchemy, which tells of all others."""
    within = prepared._Compiled.within

    def watched(step: Any, connection: Connection, values: dict[str, object]) -> Any:
        look(connection, None, step.text)
        return within(step, connection, values)

    patch.setattr(prepared._Compiled, "within", watched)


@pytest.fixture(scope="session", autouse=True)
def the_journal_comes_last() -> Iterator[None]:
    listeners = (("before_cursor_execute", look), ("commit", forget), ("rollback", forget))
    for name, listener in listeners:
        event.listen(Engine, name, listener)
    with pytest.MonkeyPatch.context() as patch:
        _look_at_steps(patch)
        yield
    for name, listener in listeners:
        event.remove(Engine, name, listener)
