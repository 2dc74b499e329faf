"""Rows of mass actions."""

from sqlalchemy import Column, Integer, String, Table, Text

from records.database import ROW_ID, UtcDateTime, metadata

mass_actions = Table(
    "mass_actions",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("act", String(16), nullable=False),
    Column("filter", Text, nullable=False),  # JSON
    Column("reason", String(200), nullable=False),
    Column("total", Integer, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("proposed_by", String(64), nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("confirmed_by", String(64)),
    Column("job", String(32)),
    Column("moved", Integer, nullable=False),
    Column("followed", Integer, nullable=False),  # position in the job up to which cards followed
)
