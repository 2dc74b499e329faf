"""A desk to sign at, on SQLite or on every database."""

from pathlib import Path

import pytest

from hsm.token import Token
from records.database import Database
from tests.database import any_database
from tests.signing_service.desk import Desk, open_desk

__all__ = ["any_database"]


@pytest.fixture
def desk(database: Database, authority_token: Token, tmp_path: Path) -> Desk:
    return open_desk(database, authority_token, tmp_path)


@pytest.fixture
def any_desk(any_database: Database, authority_token: Token, tmp_path: Path) -> Desk:
    return open_desk(any_database, authority_token, tmp_path)
