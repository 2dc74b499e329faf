"""A token after a roll-over, made once for the re-issues."""

import pytest

from hsm.token import Token
from records.database import Database, metadata
from tests.ca.mass.rolled_over import RolledOver, rolled_over
from tests.ca.world import ceremony_of, new_clock
from tests.database import load_all_tables
from tests.token import TokenBench


@pytest.fixture(scope="package")
def rolled_token(token_bench: TokenBench, tmp_path_factory: pytest.TempPathFactory) -> Token:
    """After the first ceremony and a roll-over; their own database is left behind."""
    load_all_tables()
    token = token_bench.new_token("rolled-over")
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('rolled') / 'ceremony.db'}")
    metadata.create_all(database.engine)
    for plan in ("house", "roll-over", "regions"):
        ceremony_of(token, database, new_clock(), plan=plan).run()
    database.dispose()
    return token


@pytest.fixture
def rolled(rolled_token: Token, database: Database) -> RolledOver:
    return rolled_over(rolled_token, database)
