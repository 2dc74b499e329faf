"""Rows of figures that were counted once for all who look."""

from sqlalchemy import Column, String, Table, Text

from records.database import UtcDateTime, metadata

figures = Table(
    "figures",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("content", Text, nullable=False),  # JSON
)
