"""An empty archive under a timestamp authority."""

from pathlib import Path

import pytest

from records.database import Database
from tests.signing_service.archive.scenery import StampingWorld


@pytest.fixture
def world(database: Database, tmp_path: Path) -> StampingWorld:
    return StampingWorld(database, tmp_path)
