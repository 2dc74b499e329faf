"""Database fixtures: a fresh SQLite file, and the same test on PostgreSQL."""

import importlib
import pkgutil
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import ca
import key_centre
import ra_portal
import records
import signing_service
from portseal.sandbox.postgresql import PostgreSQL
from records.database import Database, metadata


@cache
def load_all_tables() -> None:
    """Import every room's `tables` module, so that `metadata` is whole."""
    for room in (records, ca, ra_portal, signing_service, key_centre):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if module.name.rpartition(".")[2] == "tables":
                importlib.import_module(module.name)


def create_tables(url: str) -> None:
    """Every table, in an empty database."""
    load_all_tables()
    made = Database(url)
    metadata.create_all(made.engine)
    made.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table, made once: tests work on copies."""
    path = tmp_path_factory.mktemp("tables") / "portseal.db"
    create_tables(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: PostgreSQL) -> Iterator[str]:
    """The name of a database with every table, made once: tests work on copies."""
    name = postgresql_server.create_database()
    create_tables(postgresql_server.url(name))
    yield name
    postgresql_server.drop_database(name)


@pytest.fixture
def postgresql_database(
    postgresql_server: PostgreSQL, postgresql_template: str
) -> Iterator[Database]:
    """A fresh PostgreSQL database with every table."""
    with postgresql_server.fresh_database(postgresql_template) as url:
        made = Database(url)
        yield made
        made.dispose()


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite database with every table."""
    made = Database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path)}")
    yield made
    made.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest) -> Database:
    """The test runs twice: on SQLite and on a real PostgreSQL."""
    name = "database" if request.param == "sqlite" else "postgresql_database"
    made: Database = request.getfixturevalue(name)
    return made
