"""Database fixtures: a fresh SQLite file, and the same test on PostgreSQL."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import ca
import key_centre
import ra_portal
import records
import signing_service
from records.database import Database, metadata


def load_all_tables() -> None:
    """Import every room's `tables` module, so that `metadata` is whole."""
    for room in (records, ca, ra_portal, signing_service, key_centre):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if module.name.rpartition(".")[2] == "tables":
                importlib.import_module(module.name)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite database with every table."""
    load_all_tables()
    made = Database(f"sqlite:///{tmp_path / 'portseal.db'}")
    metadata.create_all(made.engine)
    yield made
    made.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The test runs twice: on SQLite and on a real PostgreSQL."""
    load_all_tables()
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path / 'portseal.db'}")
    else:
        made = Database(request.getfixturevalue("fresh_postgresql_url"))
    metadata.create_all(made.engine)
    yield made
    made.dispose()
