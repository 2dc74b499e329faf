"""Rows of signatures: prepared ones, and those that were accepted."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from records.database import UtcDateTime, metadata

prepared_signatures = Table(
    "prepared_signatures",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("card", String(64), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("prepared", LargeBinary, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Index("ix_prepared_signatures_card", "card"),
)

accepted_signatures = Table(
    "accepted_signatures",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("accepted_at", UtcDateTime, nullable=False),
    Column("format", String(16), nullable=False),
    Column("level", String(16), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("card", String(64), nullable=False, index=True),
    Column("subject", String(64), nullable=False),
    Column("enterprise", String(18)),
    Column("rights", Text, nullable=False),
    Column("certificate_fingerprint", String(64), nullable=False),
    Column("document_sha256", String(64), nullable=False, index=True),
    Column("document", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("report", Text, nullable=False),
)
