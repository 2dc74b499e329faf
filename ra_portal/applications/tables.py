"""Rows of applications and their drafts."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from records.database import ROW_ID, UtcDateTime, metadata, partial_index

applications = Table(
    "applications",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("reference", String(24), nullable=False, unique=True),
    Column("access_hash", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("live_uscc", String(18), unique=True),
    Column("uscc", String(18), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("customs_code", String(10), nullable=False),
    Column("legal_representative", String(80), nullable=False),
    Column("region", String(80), nullable=False),
    Column("contact_cipher", LargeBinary),  # telephone and mail, AES-GCM
    Column("clear_phone", String(32)),  # from before; the worker seals and empties them
    Column("clear_email", String(254)),
    Column("identity_cipher", LargeBinary),  # of the legal representative, AES-GCM
    Column("identity_index", String(64), index=True),  # HMAC
    Column("branch_id", ROW_ID, ForeignKey("branches.id")),
    # None: the papers lie at the branch that imported the application.
    Column("licence_id", ROW_ID, ForeignKey("documents.id")),
    Column("attorney_id", ROW_ID, ForeignKey("documents.id")),
    Column("submitted_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("registered_by", ROW_ID),
    Column("decided_by", ROW_ID),
    Column("reasons", Text),
    Column("remarks", Text),  # JSON: field -> code of a reason
    Column("previous", Text),  # JSON: field -> what it was before the correction
    Column("assigned_to", ROW_ID),
    Column("reminded_at", UtcDateTime),
    Column("escalated_at", UtcDateTime),
    Column("enterprise_id", ROW_ID, ForeignKey("enterprises.id"), index=True),
    Column("card_number", String(24)),
    Column("import_id", String(32)),  # the import that it came with
    Column("version", Integer, nullable=False),
    partial_index("ix_applications_import", "import_id", where="import_id IS NOT NULL"),
    # The queue's pages: each filter of it has an index in the order of the pages.
    Index("ix_applications_queue", "state", "changed_at", "id"),
    Index("ix_applications_branch", "branch_id", "state", "changed_at", "id"),
    Index("ix_applications_assigned", "assigned_to", "state", "changed_at", "id"),
    # With the empty column itself: SQLite takes the index of which a query fixes most, and would
    # else walk the queue's own.
    partial_index(
        "ix_applications_unreminded",
        "state",
        "reminded_at",
        "changed_at",
        "id",
        where="reminded_at IS NULL",
    ),
    partial_index(
        "ix_applications_unescalated",
        "state",
        "escalated_at",
        "changed_at",
        "id",
        where="escalated_at IS NULL",
    ),
)

application_notes = Table(
    "application_notes",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("application_id", ROW_ID, ForeignKey("applications.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("officer", ROW_ID, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # AES-GCM
    Index("ix_application_notes_application", "application_id", "at"),
)

drafts = Table(
    "drafts",
    metadata,
    Column("id", ROW_ID, primary_key=True),  # becomes the application's
    Column("code_hash", String(64), unique=True),
    Column("content", LargeBinary, nullable=False),  # AES-GCM: what was typed so far
    Column("licence_id", ROW_ID),
    Column("attorney_id", ROW_ID),
    Column("changed_at", UtcDateTime, nullable=False, index=True),
    Column("version", Integer, nullable=False),
)
