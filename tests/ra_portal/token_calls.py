"""That the token, which may be slow or hang, is asked while no transaction holds a lock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event

from hsm.secret_keys import SecretKey
from records.database import Database


@contextmanager
def token_calls(
    monkeypatch: pytest.MonkeyPatch, before: Callable[[str], None] = lambda name: None
) -> Iterator[list[str]]:
    """What secret keys are asked to do within it, by name; `before` each time."""
    calls: list[str] = []

    def watched(name: str) -> Any:
        asked = getattr(SecretKey, name)

        def ask(key: SecretKey, *arguments: Any) -> Any:
            before(name)
            calls.append(name)
            return asked(key, *arguments)

        return ask

    with monkeypatch.context() as patch:
        for name in ("encrypt", "decrypt", "mac"):
            patch.setattr(SecretKey, name, watched(name))
        yield calls


@contextmanager
def outside_transactions(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, also_reading: bool = False
) -> Iterator[None]:
    """Within it a secret key that is used while a transaction writes, or `also_reading`, raises
    AssertionError, and that none was used at all does so at the end."""
    writing: set[int] = set()

    def begun(connection: Connection) -> None:
        if also_reading or connection.get_execution_options().get("portseal_begin"):
            writing.add(id(connection))

    def ended(connection: Connection) -> None:
        writing.discard(id(connection))

    def check(name: str) -> None:
        assert not writing, f"the token is asked to {name} within a transaction"

    listeners = (("begin", begun), ("commit", ended), ("rollback", ended))
    for what, listener in listeners:
        event.listen(database.engine, what, listener)
    try:
        with token_calls(monkeypatch, check) as calls:
            yield
    finally:
        for what, listener in listeners:
            event.remove(database.engine, what, listener)
    assert calls, "the token was not asked at all"
