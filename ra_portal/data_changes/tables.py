"""Rows of changes of holders' data."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from records.database import ROW_ID, UtcDateTime, metadata

data_changes = Table(
    "data_changes",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("reference", String(24), unique=True),  # None: from before they had one
    Column("holder_kind", String(16), nullable=False),
    Column("holder_id", ROW_ID, nullable=False),
    Column("live_holder", String(56), unique=True),  # one undecided change of a holder's data
    Column("state", String(16), nullable=False),
    Column("changes", Text, nullable=False),  # JSON, field -> new value
    Column("before", Text, nullable=False),
    Column("why", String(200), nullable=False),
    Column("licence_id", ROW_ID, ForeignKey("documents.id")),
    Column("proposed_by", String(64), nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("decided_by", String(64)),
    Column("decided_at", UtcDateTime),
    Column("reasons", Text),  # of a refusal, in words
    Column("remarks", Text),  # JSON: field -> code of a reason
    Index("ix_data_changes_state", "state", "proposed_at"),
    Index("ix_data_changes_holder", "holder_id", "proposed_at"),
)
