"""Fixtures: a portal on a fresh database, on an authority whose ceremony is held once."""

import pytest

from hsm.token import Token
from records.database import Database, metadata
from tests.ca.world import hold_ceremony, new_clock, open_world
from tests.database import load_all_tables
from tests.ra_portal.world import PortalWorld, open_portal_world
from tests.token import TokenBench


@pytest.fixture(scope="session")
def portal_token(token_bench: TokenBench, tmp_path_factory: pytest.TempPathFactory) -> Token:
    """A token that has been through the ceremony."""
    load_all_tables()
    token = token_bench.new_token("portal-tests")
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('portal-ceremony') / 'ceremony.db'}")
    metadata.create_all(database.engine)
    hold_ceremony(token, database, new_clock())
    database.dispose()
    return token


@pytest.fixture
def portal(portal_token: Token, database: Database) -> PortalWorld:
    return open_portal_world(open_world(portal_token, database, new_clock()))


@pytest.fixture
def any_portal(portal_token: Token, any_database: Database) -> PortalWorld:
    """As `portal`, on SQLite and on PostgreSQL."""
    return open_portal_world(open_world(portal_token, any_database, new_clock()))
