"""The schema that a database has, beside the one that this version is written for.

Loads Alembic, which is slow: import it where it is needed.
"""

from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


@dataclass(frozen=True)
class SchemaState:
    at: str | None
    """The database's newest migration; None: it has no schema yet."""
    newest: str
    """This version's newest migration."""
    behind: int | None
    """Migrations that it lacks; None: it is at one that this version does not know."""


def migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def schema_state(connection: Connection) -> SchemaState:
    scripts = ScriptDirectory.from_config(migrations())
    known = [each.revision for each in scripts.walk_revisions()]  # the newest first
    at = MigrationContext.configure(connection).get_current_revision()
    if at is None:
        return SchemaState(None, known[0], len(known))
    return SchemaState(at, known[0], known.index(at) if at in known else None)
