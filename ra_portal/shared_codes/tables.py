"""Rows of one-time codes."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table

from records.database import ROW_ID, UtcDateTime, metadata

one_time_codes = Table(
    "one_time_codes",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    # A card's number or an application's reference; empty: nobody's.
    Column("card", String(24), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("channel", String(8), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),  # of the code, which several may share
    Column("expires_at", UtcDateTime, nullable=False),
    Column("sent", Boolean, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("used_at", UtcDateTime),
    Index("ix_one_time_codes_card", "card", "created_at"),
    Index("ix_one_time_codes_expires", "expires_at"),
)
