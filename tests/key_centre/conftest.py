"""Fixtures: a portal on a real authority, the centre beside it, cards that are real tokens."""

import secrets
from pathlib import Path

import pytest

from hsm.token import Token
from records.database import Database
from tests.ca.world import new_clock, open_world
from tests.key_centre.world import CentreWorld, open_centre_world
from tests.ra_portal.world import open_portal_world, token_after_ceremony
from tests.token import TokenBench


@pytest.fixture(scope="session")
def centre_authority_token(
    token_bench: TokenBench, tmp_path_factory: pytest.TempPathFactory
) -> Token:
    directory: Path = tmp_path_factory.mktemp("centre")
    return token_after_ceremony(token_bench, "centre-tests", directory)


@pytest.fixture
def centre(
    centre_authority_token: Token, database: Database, token_bench: TokenBench
) -> CentreWorld:
    portal = open_portal_world(open_world(centre_authority_token, database, new_clock()))
    return open_centre_world(portal, token_bench)


@pytest.fixture
def any_centre(
    centre_authority_token: Token, any_database: Database, token_bench: TokenBench
) -> CentreWorld:
    """As `centre`, on SQLite and on PostgreSQL."""
    portal = open_portal_world(open_world(centre_authority_token, any_database, new_clock()))
    return open_centre_world(portal, token_bench)


@pytest.fixture
def own_centre(token_bench: TokenBench, any_database: Database, tmp_path: Path) -> CentreWorld:
    """As `any_centre`, in a token that the test may change."""
    token = token_after_ceremony(token_bench, f"centre-{secrets.token_hex(6)}", tmp_path)
    portal = open_portal_world(open_world(token, any_database, new_clock()))
    return open_centre_world(portal, token_bench)
