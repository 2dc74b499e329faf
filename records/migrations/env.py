"""Alembic's environment: works on the connection that `Database.upgrade` gives it.

The schema is the union of every room's `tables.py`; a migration names its tables itself, so this
room imports none of the rooms above it.
"""

from typing import Any, Literal

from alembic import context

from records.database import UtcDateTime, metadata


def _plain_types(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """A migration stands by itself: it names no type of ours, which may change later."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    render_item=_plain_types,
)
with context.begin_transaction():
    context.run_migrations()
