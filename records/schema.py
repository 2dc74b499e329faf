"""The schema that a database has, beside the one that this version is written for.

Loads Alembic, which is slow: import it where it is needed.
"""

from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from kernel.refusals import Unavailable


@dataclass(frozen=True)
class SchemaState:
    at: str | None
    """The database's newest migration; None: it has no schema yet."""
    newest: str
    """This version's newest migration."""
    behind: int | None
    """Migrations that it lacks; None: it is at one that this version does not know."""


def require_fitting(connection: Connection) -> None:
    """Raises Unavailable `schema.behind`, `schema.unknown`, which say what to do."""
    state = schema_state(connection)
    if state.behind is None:
        raise Unavailable(
            "schema.unknown",
            "a newer version made the database's schema: run that one, or a later one",
            at=state.at,
            newest=state.newest,
        )
    if state.behind:
        raise Unavailable(
            "schema.behind",
            "the database lacks migrations: stop the services and run `portseal db upgrade`",
            at=state.at,
            newest=state.newest,
        )


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
