"""Fixtures: a real PostgreSQL, and empty databases in it."""

from collections.abc import Iterator

import pytest

from portseal.sandbox.postgresql import PostgreSQL


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    """One cluster for the whole run. Tests kill processes and never the machine, and make hundreds
    of databases."""
    with PostgreSQL(durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_url(postgresql_server: PostgreSQL) -> Iterator[str]:
    """SQLAlchemy URL of one database that all tests share."""
    with postgresql_server.fresh_database() as url:
        yield url


@pytest.fixture
def fresh_postgresql_url(postgresql_server: PostgreSQL) -> Iterator[str]:
    """SQLAlchemy URL of an empty database that belongs to this test alone."""
    with postgresql_server.fresh_database() as url:
        yield url
