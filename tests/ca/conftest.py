"""Fixtures: one ceremony for the run, its token used by every test with a database of its own."""

from pathlib import Path

import pytest

from ca.ceremonies.conduct import CeremonyOutcome
from hsm.token import Token
from records.database import Database, metadata
from tests.ca.world import World, hold_ceremony, new_clock, open_world
from tests.database import load_all_tables
from tests.token import TokenBench


@pytest.fixture(scope="session")
def ca_token(token_bench: TokenBench) -> Token:
    return token_bench.new_token("ca-tests")


@pytest.fixture(scope="session")
def ceremony(ca_token: Token, tmp_path_factory: pytest.TempPathFactory) -> CeremonyOutcome:
    load_all_tables()
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('ceremony') / 'ceremony.db'}")
    metadata.create_all(database.engine)
    outcome = hold_ceremony(ca_token, database, new_clock())
    database.dispose()
    return outcome


@pytest.fixture
def world(ca_token: Token, ceremony: CeremonyOutcome, database: Database) -> World:
    return open_world(ca_token, database, new_clock())


@pytest.fixture
def any_world(ca_token: Token, ceremony: CeremonyOutcome, any_database: Database) -> World:
    """As `world`, on SQLite and on PostgreSQL."""
    return open_world(ca_token, any_database, new_clock())


@pytest.fixture
def chain_file(ceremony: CeremonyOutcome, tmp_path: Path) -> Path:
    path = tmp_path / "chain.pem"
    path.write_text(ceremony.root.pem + ceremony.issuing.pem)
    return path
