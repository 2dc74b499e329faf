"""Rows of notices, and of addresses that took none."""

from sqlalchemy import Column, Index, LargeBinary, String, Table

from records.database import ROW_ID, UtcDateTime, metadata, partial_index

notices = Table(
    "notices",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("about", String(40), nullable=False),  # a card's number, or what else it tells of
    Column("template", String(40), nullable=False),
    Column("channel", String(8), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("sealed", LargeBinary),  # recipient and values, under a key of the token; until sent
    Column("outcome", String(16)),
    Column("ended_at", UtcDateTime),
    Index("ix_notices_about", "about", "created_at"),
    partial_index("ix_notices_ended", "ended_at", where="ended_at IS NOT NULL"),
    partial_index("ix_notices_kept", "expires_at", where="sealed IS NOT NULL"),
)

refused_addresses = Table(
    "refused_addresses",
    metadata,
    Column("address_index", String(64), primary_key=True),  # HMAC under a key of the token
    Column("refused_at", UtcDateTime, nullable=False),  # the first time since mail was taken
    Column("last_at", UtcDateTime, nullable=False, index=True),
)
