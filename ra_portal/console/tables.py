"""Rows of acts at the console and of the signatures on them."""

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, String, Table, Text

from records.database import ROW_ID, UtcDateTime, metadata, partial_index

console_acts = Table(
    "console_acts",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("what", String(40), nullable=False),
    Column("permission", String(64), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("kind", String(64), nullable=False, index=True),
    Column("digest", String(64), nullable=False, index=True),
    Column("statement", Text, nullable=False),
    Column("account", String(64), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("closes_at", UtcDateTime, nullable=False),
    Column("done_at", UtcDateTime),
    Column("stands_until", UtcDateTime),
    Column("exception", String(16)),  # why a card is missing; None: none is
    Column("reason", String(200)),
    Column("acknowledged_by", ROW_ID),
    Column("acknowledged_at", UtcDateTime),
    partial_index(
        "ix_console_acts_exceptions",
        "done_at",
        where="exception IS NOT NULL AND acknowledged_at IS NULL",
    ),
)

console_signatures = Table(
    "console_signatures",
    metadata,
    Column("act", ROW_ID, ForeignKey("console_acts.id"), primary_key=True),
    Column("officer", ROW_ID, primary_key=True),
    Column("position", Integer, nullable=False),  # in the order of signing
    Column("card", String(24), nullable=False),
    Column("certificate", String(64), nullable=False),  # SHA-256
    Column("signature", LargeBinary, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
