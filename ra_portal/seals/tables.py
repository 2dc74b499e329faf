"""Rows of enterprise seals."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from records.database import ROW_ID, UtcDateTime, metadata

seals = Table(
    "seals",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("number", String(24), nullable=False, unique=True),
    Column("enterprise_id", ROW_ID, ForeignKey("enterprises.id"), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("requested_by", String(64), nullable=False),
    Column("decided_by", String(64)),
    Column("key_fingerprint", String(64), unique=True),
    Column("serial", String(40), unique=True),
    Column("fingerprint", String(64), unique=True),
    Column("certificate", LargeBinary),
    Column("activated_at", UtcDateTime),
    Column("not_after", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("end_reason", String(40)),
    Column("version", Integer, nullable=False),
    Index("ix_seals_state", "state", "requested_at"),
)
