"""Rows of remote signing: activation data, by hash, with the digests that each is good for."""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, String, Table, Text

from records.database import UtcDateTime, metadata

activations = Table(
    "remote_activation",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("secret_hash", LargeBinary(32), nullable=False),
    Column("client_id", String(64), ForeignKey("sso_platform.client_id"), nullable=False),
    Column("sid", String(32), ForeignKey("sso_session.sid"), nullable=False),
    Column("credential", String(24), nullable=False),
    Column("digest", String(16), nullable=False),
    Column("hashes", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    Column("code_hash", LargeBinary(32)),
    Column("certificate_hash", LargeBinary(32)),  # of the client certificate it is bound to
    Index("ix_remote_activation_expires", "expires_at"),
    Index("ix_remote_activation_code", "code_hash"),
    Index("ix_remote_activation_sid", "sid"),
)
