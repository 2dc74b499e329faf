"""A database's schema is compared with the one that this version is written for."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from records.database import Database
from records.schema import SchemaState, schema_state


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path_factory.mktemp('fresh') / 'portseal.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("fresh_postgresql_url")
    made = Database(url)
    yield made
    made.dispose()


def state_of(database: Database) -> SchemaState:
    with database.reading() as connection:
        return schema_state(connection)


def test_an_empty_an_upgraded_an_older_and_a_later_schema_are_told_apart(fresh: Database) -> None:
    empty = state_of(fresh)
    assert empty.at is None
    assert empty.behind is not None
    assert empty.behind >= 18
    fresh.upgrade()
    assert state_of(fresh) == SchemaState(empty.newest, empty.newest, 0)
    for at, behind in (("0001", empty.behind - 1), ("9999", None)):
        with fresh.transaction() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :at"), {"at": at})
        assert state_of(fresh) == SchemaState(at, empty.newest, behind)
