"""Rows of branches, officers and changes of them, enterprises and their operators."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from records.database import ROW_ID, UtcDateTime, metadata, partial_index

branches = Table(
    "branches",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("code", String(12), nullable=False, unique=True),
    Column("name", String(80), nullable=False),
    Column("region", String(80), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

officers = Table(
    "officers",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("roles", String(80), nullable=False),
    Column("branch_id", ROW_ID, ForeignKey("branches.id")),  # None: the head office, sees all
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),
)

officer_changes = Table(
    "officer_changes",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("officer_id", ROW_ID, ForeignKey("officers.id"), nullable=False),
    Column("live_officer", ROW_ID, unique=True),  # one undecided change of an officer
    Column("state", String(16), nullable=False),
    Column("retires", Boolean, nullable=False),
    Column("roles", String(80), nullable=False),  # after the change
    Column("branch_id", ROW_ID, ForeignKey("branches.id")),
    Column("roles_before", String(80), nullable=False),
    Column("branch_before", ROW_ID),
    Column("why", String(200), nullable=False),
    Column("proposed_by", ROW_ID, nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("decided_by", ROW_ID),
    Column("decided_at", UtcDateTime),
    Column("ends_card", String(32)),  # instead: this card is revoked, the officer stays
    Column("end_reason", String(40)),
    Index("ix_officer_changes_state", "state", "proposed_at", "id"),
)

enterprises = Table(
    "enterprises",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("uscc", String(18), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("customs_code", String(10), nullable=False),
    Column("legal_representative", String(80), nullable=False),
    Column("region", String(80), nullable=False),
    Column("identity_cipher", LargeBinary),
    Column("identity_index", String(64), index=True),
    Column("branch_id", ROW_ID, ForeignKey("branches.id")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    # The register's pages: each state is walked by its own index.
    partial_index("ix_enterprises_active", "created_at", "id", where="closed_at IS NULL"),
    partial_index("ix_enterprises_closed", "created_at", "id", where="closed_at IS NOT NULL"),
    partial_index(
        "ix_enterprises_branch_active", "branch_id", "created_at", "id", where="closed_at IS NULL"
    ),
    partial_index(
        "ix_enterprises_branch_closed",
        "branch_id",
        "created_at",
        "id",
        where="closed_at IS NOT NULL",
    ),
    Index("ix_enterprises_customs", "customs_code", "created_at", "id"),
)

# Names cut at every character, so that a part of a name is found as the beginning of a key.
name_parts = Table(
    "name_parts",
    metadata,
    Column("part", LargeBinary(64), primary_key=True),  # UTF-8, compared octet by octet
    Column("uscc", String(18), primary_key=True),
    Index("ix_name_parts_uscc", "uscc"),
)

person_name_parts = Table(
    "person_name_parts",
    metadata,
    Column("part", LargeBinary(64), primary_key=True),  # as `name_parts`
    Column("holder", String(56), primary_key=True),  # operator or officer, as `Holder` writes one
    Index("ix_person_name_parts_holder", "holder"),
)

operators = Table(
    "operators",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("enterprise_id", ROW_ID, ForeignKey("enterprises.id"), nullable=False),
    Column("name", String(80), nullable=False),
    Column("employee_number", String(32), nullable=False),
    Column("identity_cipher", LargeBinary),
    Column("identity_index", String(64), index=True),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("enterprise_id", "employee_number"),
)

grants = Table(
    "grants",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("operator_id", ROW_ID, ForeignKey("operators.id"), nullable=False, index=True),
    Column("right", String(64), nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_until", UtcDateTime),
    Column("granted_by", String(64), nullable=False),
    Column("withdrawn_by", String(64)),
    Column("end_told_at", UtcDateTime),  # that it ends soon
    partial_index(
        "ix_grants_ending",
        "valid_until",
        "id",
        where="end_told_at IS NULL AND withdrawn_by IS NULL",
    ),
)

contacts = Table(
    "contacts",
    metadata,
    Column("holder_kind", String(16), primary_key=True),
    Column("holder_id", ROW_ID, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),  # under a key of the token
    Column("changed_at", UtcDateTime, nullable=False),
    Column("phone_by", String(200)),  # actor who put in what stands there now
    Column("email_by", String(200)),
)
