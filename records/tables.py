"""Rows of the journal, its checkpoints, the outbox, the nodes and the runs of their jobs."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from records.database import AUTO_NUMBER, UtcDateTime, metadata, partial_index

journal = Table(
    "journal",
    metadata,
    Column("position", AUTO_NUMBER, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("event", String(64), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("facts", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    # What auditors look for; what cards did, for their enterprises, is found by the actor too.
    Index("ix_journal_subject", "subject", "position"),
    Index("ix_journal_actor", "actor", "position"),
    Index("ix_journal_event", "event", "position"),
)

journal_head = Table(
    "journal_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", AUTO_NUMBER, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)

journal_checkpoint = Table(
    "journal_checkpoint",
    metadata,
    Column("position", AUTO_NUMBER, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("token", LargeBinary, nullable=False),  # RFC 3161
    Column("root", LargeBinary(32)),  # of the Merkle tree; none in the oldest ones
)

journal_tree = Table(
    "journal_tree",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("index", AUTO_NUMBER, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
)

worker_rounds = Table(
    "worker_rounds",
    metadata,
    Column("node", String(100), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("failures", String(1000), nullable=False),
    Column("skew_ms", Integer, nullable=False, server_default="0"),  # node's clock - database's
)

job_runs = Table(
    "job_runs",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("number", AUTO_NUMBER, nullable=False),  # of runs so far
    Column("ended_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("node", String(100), nullable=False),
    Column("failure", String(200), nullable=False),  # empty: it succeeded
    Column("rest_seconds", Integer, nullable=False),  # until it is tried again after a failure
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", AUTO_NUMBER, primary_key=True, autoincrement=True),
    Column("channel", String(40), nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", UtcDateTime, nullable=False),
    Column("failure", String(200)),
    Column("delivered_at", UtcDateTime),
    Column("refusals", Integer, nullable=False, default=0),
    Column("refused_at", UtcDateTime),  # for good: set aside, for a person to look at
    # Only what waits: a register of millions has delivered millions.
    partial_index(
        "ix_outbox_pending", "channel", "id", where="delivered_at IS NULL AND refused_at IS NULL"
    ),
    partial_index("ix_outbox_delivered", "delivered_at", where="delivered_at IS NOT NULL"),
    partial_index("ix_outbox_refused", "channel", where="refused_at IS NOT NULL"),
)

outbox_lease = Table(
    "outbox_lease",
    metadata,
    Column("channel", String(40), primary_key=True),
    Column("owner", String(32), nullable=False),
    Column("until", UtcDateTime, nullable=False),
)
