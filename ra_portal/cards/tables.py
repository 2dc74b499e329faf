"""Rows of cards and what happens to them."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from records.database import AUTO_NUMBER, ROW_ID, UtcDateTime, metadata, partial_index

cards = Table(
    "cards",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("number", String(24), nullable=False, unique=True),
    Column("holder_kind", String(16), nullable=False),
    Column("holder_id", ROW_ID, nullable=False),
    Column("live_holder", String(56), unique=True),
    Column("state", String(16), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("activation_hash", String(64), unique=True),
    Column("activation_expires_at", UtcDateTime),
    Column("code_proposed_by", ROW_ID),
    Column("failed_attempts", Integer, nullable=False),
    Column("enrolling_key", String(64)),
    Column("serial", String(40), unique=True),
    Column("fingerprint", String(64), unique=True),
    Column("certificate", LargeBinary),
    Column("activated_at", UtcDateTime),
    Column("not_after", UtcDateTime),
    Column("witnessed_at", UtcDateTime),
    Column("witnessed_by", ROW_ID),
    Column("token_model", String(32)),
    Column("token_serial", String(32)),
    Column("ended_at", UtcDateTime),
    Column("end_reason", String(40)),
    Column("held_at", UtcDateTime),
    Column("held_by", String(64)),
    Column("hold_reason", String(200)),
    Column("held_in", String(32)),  # the mass action that froze it
    Column("predecessor", String(24), index=True),
    Column("renew_by", UtcDateTime, index=True),
    Column("expiry_notice", Integer),
    Column("version", Integer, nullable=False),
    Index("ix_cards_holder", "holder_kind", "holder_id"),
    Index("ix_cards_state", "state", "requested_at"),
    Index("ix_cards_requested", "requested_at", "id"),
    Index("ix_cards_end", "state", "not_after"),
    Index("ix_cards_made", "activated_at"),
    partial_index("ix_cards_proposed", "code_proposed_by", where="code_proposed_by IS NOT NULL"),
    partial_index("ix_cards_held_in", "held_in", where="held_in IS NOT NULL"),
)

card_moves = Table(
    "card_moves",
    metadata,
    Column("id", AUTO_NUMBER, primary_key=True, autoincrement=True),
    Column("card", String(24), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("move", String(24), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("why", String(200), nullable=False),
    Column("evidence_kind", String(24)),
    Column("evidence", LargeBinary),
    Column("stamp", LargeBinary),
    Index("ix_card_moves_at", "at", "move"),
    partial_index("ix_card_moves_unstamped", "id", where="evidence IS NOT NULL AND stamp IS NULL"),
)

renewals = Table(
    "renewals",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("card", String(24), nullable=False),
    Column("following", String(24), nullable=False),
    Column("random", LargeBinary(32), nullable=False),
    Column("pkcs10", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("settled_at", UtcDateTime),
    partial_index("ix_renewals_open", "expires_at", where="settled_at IS NULL"),
    partial_index("ix_renewals_settled", "settled_at", where="settled_at IS NOT NULL"),
)

recoveries = Table(
    "recoveries",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("card", String(24), nullable=False),
    Column("enterprise_id", ROW_ID, ForeignKey("enterprises.id"), nullable=False),
    Column("open_enterprise", ROW_ID, unique=True),  # one undecided request of an enterprise
    Column("state", String(16), nullable=False),
    Column("why", String(200), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("approvals", Text, nullable=False),  # JSON: who, when, what was checked
    Column("settled_at", UtcDateTime),
    Index("ix_recoveries_state", "state", "asked_at"),
    Index("ix_recoveries_enterprise", "enterprise_id", "asked_at"),
)
