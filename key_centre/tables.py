"""Rows of the centre: keys in escrow and in the pool, what wraps them, recoveries."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from records.database import ROW_ID, UtcDateTime, metadata

escrowed_keys = Table(
    "kc_keys",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    # One key for each signing certificate, whichever process makes it.
    Column("signing_serial", String(40), nullable=False, unique=True),
    Column("card", String(24), nullable=False),
    Column("holder", String(80), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("wrapped", LargeBinary, nullable=False),  # hsm.wrapping.WrappedKey
    Column("escrow_label", String(64), nullable=False, server_default="escrow"),
    Column("made_at", UtcDateTime, nullable=False),
    Column("serial", String(40), unique=True),  # of the encryption certificate, once issued
    Column("certificate", LargeBinary),
    Index("ix_kc_keys_escrow", "escrow_label"),
)

pooled_keys = Table(
    "kc_pool",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("suite", String(32), nullable=False),  # kernel.algorithms
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("wrapped", LargeBinary, nullable=False),  # hsm.wrapping.WrappedKey
    Column("escrow_label", String(64), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Index("ix_kc_pool_suite", "suite", "made_at"),
)

escrow_keys = Table(
    "kc_escrow_keys",
    metadata,
    Column("label", String(64), primary_key=True),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),  # of all but the one in use
)

rewraps = Table(
    "kc_rewraps",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("escrow_key", String(64), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
)

recoveries = Table(
    "kc_recoveries",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("ground", String(8), nullable=False),  # Ground
    Column("state", String(12), nullable=False),  # RecoveryState
    Column("key_id", ROW_ID, ForeignKey("kc_keys.id"), nullable=False),
    Column("requested_by", String(80), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("reason", String(400), nullable=False),
    Column("transport_key", LargeBinary, nullable=False),  # SubjectPublicKeyInfo
    Column("signing_certificate", LargeBinary),  # of the holder who asks
    Column("order_number", String(80)),
    Column("ordered_by", String(120)),
    Column("evidence", LargeBinary),
    Column("evidence_sha256", String(64)),
    Column("decided_by", String(80)),
    Column("decided_at", UtcDateTime),
    Column("decision_reason", Text),
    Column("deliveries", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Index("ix_kc_recoveries_state", "state", "requested_at"),
)
