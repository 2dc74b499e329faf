"""Rows of enterprise seals."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from records.database import ROW_ID, UtcDateTime, metadata, partial_index

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
    Column("key_label", String(64), nullable=False, server_default=""),
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

# Written before the token is asked for a key, so that each is accounted for.
seal_keys = Table(
    "seal_keys",
    metadata,
    Column("label", String(64), primary_key=True),
    Column("seal", ROW_ID, ForeignKey("seals.id"), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("outcome", String(16)),  # used, destroyed or none; given-up before
    partial_index("ix_seal_keys_open", "label", where="settled_at IS NULL"),
)
