"""Fixtures: a portal on a real authority, the centre beside it, cards that are real tokens."""

import secrets
from pathlib import Path

import pytest

from hsm.token import Token
from records.database import Database, metadata
from tests.ca.world import ceremony_of, new_clock, open_world
from tests.database import load_all_tables
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


@pytest.fixture(scope="session")
def regions_token(token_bench: TokenBench, tmp_path_factory: pytest.TempPathFactory) -> Token:
    """After the first ceremony and that of the regions."""
    directory: Path = tmp_path_factory.mktemp("regions")
    load_all_tables()
    token = token_bench.new_token("centre-regions")
    database = Database(f"sqlite:///{directory / 'ceremony.db'}")
    metadata.create_all(database.engine)
    for plan in ("house", "regions"):
        ceremony_of(token, database, new_clock(), plan=plan).run()
    database.dispose()
    return token


@pytest.fixture
def regions_centre(
    regions_token: Token, database: Database, token_bench: TokenBench
) -> CentreWorld:
    """As `centre`, with a region's authority beside the house's."""
    portal = open_portal_world(open_world(regions_token, database, new_clock()))
    return open_centre_world(portal, token_bench)


@pytest.fixture
def own_centre(token_bench: TokenBench, any_database: Database, tmp_path: Path) -> CentreWorld:
    """As `any_centre`, in a token that the test may change."""
    token = token_after_ceremony(token_bench, f"centre-{secrets.token_hex(6)}", tmp_path)
    portal = open_portal_world(open_world(token, any_database, new_clock()))
    return open_centre_world(portal, token_bench)
