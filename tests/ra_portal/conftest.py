"""Fixtures: a portal on a fresh database, on an authority whose ceremony is held once."""

import pytest

from hsm.token import Token
from records.database import Database
from tests.ca.world import new_clock, open_world
from tests.ra_portal.world import PortalWorld, open_portal_world, token_after_ceremony
from tests.token import TokenBench


@pytest.fixture(scope="session")
def portal_token(token_bench: TokenBench, tmp_path_factory: pytest.TempPathFactory) -> Token:
    """A token that has been through the ceremony."""
    return token_after_ceremony(token_bench, "portal-tests", tmp_path_factory.mktemp("ceremony"))


@pytest.fixture
def portal(portal_token: Token, database: Database) -> PortalWorld:
    return open_portal_world(open_world(portal_token, database, new_clock()))


@pytest.fixture
def postgresql_portal(portal_token: Token, postgresql_database: Database) -> PortalWorld:
    """As `portal`, where two may write at the same time."""
    return open_portal_world(open_world(portal_token, postgresql_database, new_clock()))


@pytest.fixture
def any_portal(portal_token: Token, any_database: Database) -> PortalWorld:
    """As `portal`, on SQLite and on PostgreSQL."""
    return open_portal_world(open_world(portal_token, any_database, new_clock()))
