"""If the journal cannot be written, nothing is signed: faults in the real database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, select

from ca.crl.issuing import CrlIssuer
from ca.inventory import RevocationReason
from ca.revocation import Revocation
from ca.tables import certificates, crls
from hsm.token_key import TokenKey
from kernel.refusals import Unavailable
from records.database import Database
from records.events import Event
from tests.ca.world import World, operator_request

_PREVENT = {
    "sqlite": (
        "CREATE TRIGGER unwritable BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'no'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''no''; END'",
        "CREATE TRIGGER unwritable BEFORE INSERT ON journal EXECUTE FUNCTION refuse()",
    ),
}
_ALLOW = {
    "sqlite": "DROP TRIGGER unwritable",
    "postgresql": "DROP TRIGGER unwritable ON journal",
}


@contextmanager
def unwritable(database: Database) -> Iterator[None]:
    """The journal alone takes nothing."""
    kind = "sqlite" if database.is_sqlite else "postgresql"
    with database.engine.begin() as connection:
        for statement in _PREVENT[kind]:
            connection.exec_driver_sql(statement)
    yield
    with database.engine.begin() as connection:
        connection.exec_driver_sql(_ALLOW[kind])


@contextmanager
def full(database: Database) -> Iterator[None]:
    """The disk takes not one page more (SQLite)."""
    pages: list[int] = []

    def limit(connection: Any, record: object) -> None:
        (count,) = connection.execute("PRAGMA page_count").fetchone()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        assert free == 0
        pages.append(count)
        connection.execute(f"PRAGMA max_page_count = {count}")

    engine = database.engine
    engine.dispose()
    event.listen(engine, "connect", limit)
    yield
    event.remove(engine, "connect", limit)
    engine.dispose()
    assert pages


@contextmanager
def read_only(database: Database) -> Iterator[None]:
    """The database became readable only (SQLite)."""

    def forbid(connection: Any, record: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    engine = database.engine
    engine.dispose()
    event.listen(engine, "connect", forbid)
    yield
    event.remove(engine, "connect", forbid)
    engine.dispose()


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What keys of the token signed from now on; they sign all the same."""
    made: list[bytes] = []
    sign = TokenKey.sign

    def noted(key: TokenKey, message: bytes) -> bytes:
        made.append(message)
        return sign(key, message)

    monkeypatch.setattr(TokenKey, "sign", noted)
    return made


def acts_of(world: World) -> list[Callable[[], object]]:
    pair = world.authorities
    serial = world.issue().serial
    issuer = CrlIssuer(
        "issuing",
        pair.issuing_key.certificate,
        pair.issuing_key.key,
        world.database,
        world.journal,
        world.outbox,
        world.clock,
    )
    revocation = Revocation(world.database, world.journal, world.outbox, world.clock)
    return [
        lambda: world.issuing.prepare("operator", operator_request()),
        lambda: revocation.revoke(serial, RevocationReason.KEY_COMPROMISE, "test"),
        issuer.issue,
    ]


def counts(database: Database) -> tuple[int, int, int]:
    with database.reading() as connection:
        issued = certificates.c.state == "issued"
        return (
            connection.execute(select(func.count()).select_from(certificates)).scalar_one(),
            connection.execute(select(func.count()).where(issued)).scalar_one(),
            connection.execute(select(func.count()).select_from(crls)).scalar_one(),
        )


def test_without_the_journal_nothing_is_signed(any_world: World, signatures: list[bytes]) -> None:
    acts, before = acts_of(any_world), counts(any_world.database)
    signatures.clear()
    with unwritable(any_world.database):
        for act in acts:
            with pytest.raises(Unavailable, match=r"journal\.unwritable"):
                act()
    assert signatures == []
    assert counts(any_world.database) == before
    for act in acts:
        act()
    with any_world.database.reading() as connection:
        assert any_world.journal.verify(connection).intact


def test_on_a_full_disk_nothing_is_signed(world: World, signatures: list[bytes]) -> None:
    acts, before = acts_of(world), counts(world.database)
    with full(world.database):
        fill_the_last_pages(world)
        signatures.clear()
        for act in acts:
            with pytest.raises(Unavailable, match=r"database\.unavailable"):
                act()
    assert signatures == []
    assert counts(world.database) == before
    for act in acts:
        act()
    with world.database.reading() as connection:
        assert world.journal.verify(connection).intact


def fill_the_last_pages(world: World) -> None:
    """What is half full still takes a record or two."""

    def write_on() -> None:
        for _ in range(10_000):
            with world.database.transaction() as connection:
                world.journal.append(connection, Event.CARD_MADE, subject="x", actor="test")

    with pytest.raises(Unavailable):
        write_on()


def test_a_certificate_that_cannot_be_recorded_is_not_handed_out(any_world: World) -> None:
    intent = any_world.issuing.prepare("operator", operator_request())
    with unwritable(any_world.database):
        with pytest.raises(Unavailable, match=r"journal\.unwritable"):
            any_world.issuing.issue(intent)
    with any_world.database.reading() as connection:
        state = select(certificates.c.state).where(certificates.c.reference == intent.reference)
        assert connection.execute(state).scalar_one() == "intended"
