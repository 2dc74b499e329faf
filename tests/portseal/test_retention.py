"""What is of no use any more goes in time; what proves anything, and what is in use, stays."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Boolean, DateTime, Integer, LargeBinary, Table, func, insert, select, update

from ca.tables import crls
from kernel.clock import FixedClock
from portseal import retention
from portseal.settings.retention import RetentionSettings
from ra_portal.imports.tables import imports
from records.database import Database, UtcDateTime, metadata
from records.journal import Journal, records
from records.retention import Retention
from records.tables import outbox
from signing_service.sso.tables import platforms, refresh_tokens, sessions
from tests.database import load_all_tables

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DAY, YEAR = timedelta(days=1), timedelta(days=365)
SETTINGS = RetentionSettings()


def row(table: Table, **given: object) -> dict[str, Any]:
    """One that the table takes; what must be there and is not given is made up."""
    made: dict[str, Any] = dict(given)
    for column in table.columns:
        if column.name in made or column.nullable or column.server_default is not None:
            continue
        kind = getattr(column.type, "impl_instance", column.type)
        if isinstance(column.type, UtcDateTime) or isinstance(kind, DateTime):
            made[column.name] = NOW
        elif isinstance(kind, LargeBinary):
            made[column.name] = secrets.token_bytes(32)
        elif isinstance(kind, Boolean):
            made[column.name] = False
        elif isinstance(kind, Integer):
            if not (column.primary_key and column.autoincrement is True):
                made[column.name] = 0
        else:
            made[column.name] = secrets.token_hex(4)
    return made


@pytest.fixture
def kept(any_database: Database) -> Retention:
    clock = FixedClock(NOW)
    return Retention(any_database, Journal(clock), clock)


def put(kept: Retention, table: Table, *rows: dict[str, Any]) -> None:
    with kept.database.transaction() as connection:
        for each in rows:
            connection.execute(insert(table), each)


def count(kept: Retention, table: Table) -> int:
    with kept.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_every_table_says_whether_its_rows_go_and_evidence_never_does() -> None:
    load_all_tables()
    going = {rule.table.name for rule in retention.RULES}
    assert going | retention.STAYS.keys() == set(metadata.tables)
    assert not going & retention.STAYS.keys()
    for rule in retention.RULES:
        assert retention.keep(rule, SETTINGS) >= timedelta(0)
        assert rule.why


@pytest.mark.parametrize(
    "rule",
    [each for each in retention.RULES if each.name not in ("sessions", "seal_activations")],
    ids=lambda rule: rule.name,
)
def test_rows_go_when_their_time_has_come_and_the_journal_tells_how_many(
    kept: Retention, rule: Any
) -> None:
    time, table = retention.keep(rule, SETTINGS), rule.table
    old, young = NOW - time - DAY, NOW - time + timedelta(minutes=1)
    if rule.newest_of:
        kind = {"authority": "issuing", "shard": 0, "delta": False}
        rows = [row(table, **kind, number=n, next_update=old) for n in (1, 2)]
        rows += [row(table, **kind, number=3, next_update=young)]
    else:
        rows = [row(table, **{rule.since: at}) for at in (old, old, young)]
    put(kept, table, *rows)

    retention.apply(kept, SETTINGS)

    assert count(kept, table) == 1
    with kept.database.reading() as connection:
        (told,) = records(connection)
        assert (told.event, told.subject) == ("rows.removed", rule.name)
        assert '"rows":2' in told.facts


def test_what_waits_or_is_set_aside_for_a_person_stays(kept: Retention) -> None:
    old = {"created_at": NOW - YEAR, "due_at": NOW - YEAR, "channel": "logout"}
    put(kept, outbox, row(outbox, **old), row(outbox, **old, refused_at=NOW - YEAR))
    retention.apply(kept, SETTINGS)
    assert count(kept, outbox) == 2


def test_the_newest_list_of_each_kind_stays_however_old(kept: Retention) -> None:
    for delta, shard, number in ((False, 0, 1), (False, 0, 2), (True, 0, 2), (False, 7, 1)):
        kind = {"authority": "root", "delta": delta, "shard": shard, "number": number}
        put(kept, crls, row(crls, **kind, next_update=NOW - YEAR))
    retention.apply(kept, SETTINGS)
    with kept.database.reading() as connection:
        left = connection.execute(select(crls.c.delta, crls.c.shard, crls.c.number)).all()
    assert sorted(map(tuple, left)) == [(False, 0, 2), (False, 7, 1), (True, 0, 2)]


def test_a_session_stays_while_it_lives_and_while_a_token_names_it(kept: Retention) -> None:
    long_ago = NOW - YEAR
    put(
        kept,
        sessions,
        row(sessions, sid="live", expires_at=NOW + DAY),
        row(sessions, sid="named", ended_at=long_ago),
        row(sessions, sid="over", ended_at=long_ago),
    )
    put(kept, platforms, row(platforms, client_id="platform"))
    token = row(refresh_tokens, client_id="platform", sid="named", expires_at=NOW + DAY)
    put(kept, refresh_tokens, token)

    retention.apply(kept, SETTINGS)

    with kept.database.reading() as connection:
        left = connection.execute(select(sessions.c.sid).order_by(sessions.c.sid)).scalars().all()
    assert left == ["live", "named"]


def test_many_rows_go_in_batches_and_a_row_that_is_held_is_passed_over(kept: Retention) -> None:
    rule = next(each for each in retention.RULES if each.table is imports)
    names = [f"{number:02}" for number in range(25)]
    put(kept, imports, *[row(imports, id=name, created_at=NOW - YEAR) for name in names])
    small = replace(rule, batch=10)
    if kept.database.is_sqlite:
        assert kept.apply(small, DAY, batches=2) == 20
    else:
        with kept.database.transaction() as connection:
            connection.execute(update(imports).where(imports.c.id == "03").values(kind="held"))
            assert kept.apply(small, DAY) == 24
    with kept.database.reading() as connection:
        told = records(connection)
        assert {each.event for each in told} == {"rows.removed"}
        assert len(told) == (2 if kept.database.is_sqlite else 3)
    kept.apply(small, DAY)
    assert count(kept, imports) == 0
