"""Rows of signatures: prepared ones, accepted ones, and the evidence that is kept of them."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from records.database import UtcDateTime, metadata

prepared_signatures = Table(
    "prepared_signatures",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("card", String(64), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("level", String(16), nullable=False),
    # First, parallel, counter, or a bundle's; what it joins.
    Column("act", String(16), nullable=False, server_default="first"),
    Column("document", LargeBinary, nullable=False),
    Column("signed", LargeBinary),
    # Documents that lie in the archive's store: [[name, SHA-256, size], ...], JSON.
    Column("kept", Text, nullable=False, server_default="[]"),
    Column("prepared", LargeBinary, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Index("ix_prepared_signatures_card", "card"),
)

# Documents sent ahead of their signature: they lie in the archive's store already.
uploaded_documents = Table(
    "uploaded_documents",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("card", String(64), nullable=False, index=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

# A job of many signatures by one card: the digest of its list tells it from others.
signing_batches = Table(
    "signing_batches",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("card", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("format", String(16), nullable=False),
    Column("level", String(16), nullable=False),
    Column("total", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_signing_batches_card", "card", "digest", unique=True),
)

batch_items = Table(
    "batch_items",
    metadata,
    Column("batch", String(32), ForeignKey(signing_batches.c.id), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", String(512), nullable=False),
    Column("document_sha256", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("claimed_at", UtcDateTime),
    # The accepted signature's identifier, or the code of the refusal.
    Column("outcome", String(128)),
    Index("ix_batch_items_state", "batch", "state", "position"),
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
    Column("signature_sha256", String(64), nullable=False, index=True),
    Column("keep_until", UtcDateTime, nullable=False),
    # Digest of the newest hash tree over it; NULL: no evidence record covers it yet.
    Column("evidence_digest", String(16)),
    Index("ix_accepted_signatures_evidence", "evidence_digest", "accepted_at", "id"),
)

# Objects of the archive's store, by their SHA-256, and what they are to a signature.
archived_objects = Table(
    "archived_objects",
    metadata,
    Column("signature_id", String(32), ForeignKey(accepted_signatures.c.id), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("role", String(16), nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size", Integer, nullable=False),
)

# One archive timestamp with the hash tree that it covers (RFC 4998). `leaves` and `token` are
# addresses in the archive's store.
evidence_trees = Table(
    "evidence_trees",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("purpose", String(24), nullable=False),
    Column("digest", String(16), nullable=False),
    Column("count", Integer, nullable=False),
    Column("leaves", String(64), nullable=False, index=True),
    Column("token", String(64), nullable=False, index=True),
    Column("stamped_at", UtcDateTime, nullable=False),
    Column("suite", String(32), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    # The archive timestamp that covers this one's token, and its leaf there.
    Column("renewed_by", String(32), ForeignKey("evidence_trees.id")),
    Column("renewed_leaf", Integer),
    Index("ix_evidence_trees_renewal", "renewed_by", "expires_at"),
)

# Which leaf of which tree a signature is, for each chain of its evidence record.
evidence_members = Table(
    "evidence_members",
    metadata,
    Column("signature_id", String(32), ForeignKey(accepted_signatures.c.id), primary_key=True),
    Column("chain", Integer, primary_key=True, autoincrement=False),
    Column("tree", String(32), ForeignKey(evidence_trees.c.id), nullable=False, index=True),
    Column("leaf", Integer, nullable=False),
)

# The last good copy of each trusted list that is fetched, by its address's SHA-256.
trusted_list_copies = Table(
    "trusted_list_copies",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("url", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("fetched_at", UtcDateTime, nullable=False),
)
