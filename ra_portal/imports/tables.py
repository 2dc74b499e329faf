"""Rows of imports that wait for their confirmation."""

from sqlalchemy import Column, String, Table, Text

from records.database import ROW_ID, UtcDateTime, metadata

imports = Table(
    "imports",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("file_name", String(120), nullable=False),
    Column("content", Text, nullable=False),  # JSON: rows as read, in sealed pieces
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("confirmed_at", UtcDateTime),
)
