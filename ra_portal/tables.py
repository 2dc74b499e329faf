"""Rows of the registration portal."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from records.database import UtcDateTime, metadata

_ID = String(32)
_AUTO = BigInteger().with_variant(Integer(), "sqlite")


def _partial(name: str, *columns: str, where: str) -> Index:
    """An index over some rows only."""
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


branches = Table(
    "branches",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("code", String(12), nullable=False, unique=True),
    Column("name", String(80), nullable=False),
    Column("region", String(80), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

applications = Table(
    "applications",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("reference", String(24), nullable=False, unique=True),
    Column("access_hash", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("live_uscc", String(18), unique=True),
    Column("uscc", String(18), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("customs_code", String(10), nullable=False),
    Column("legal_representative", String(80), nullable=False),
    Column("region", String(80), nullable=False),
    Column("phone", String(32)),
    Column("email", String(254)),
    Column("identity_cipher", LargeBinary),  # of the legal representative, AES-GCM
    Column("identity_index", String(64), index=True),  # HMAC
    Column("branch_id", _ID, ForeignKey("branches.id")),
    # None: the papers lie at the branch that imported the application.
    Column("licence_id", _ID, ForeignKey("documents.id")),
    Column("attorney_id", _ID, ForeignKey("documents.id")),
    Column("submitted_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("registered_by", _ID),
    Column("decided_by", _ID),
    Column("reasons", Text),
    Column("remarks", Text),  # JSON: field -> code of a reason
    Column("previous", Text),  # JSON: field -> what it was before the correction
    Column("assigned_to", _ID),
    Column("reminded_at", UtcDateTime),
    Column("enterprise_id", _ID, ForeignKey("enterprises.id"), index=True),
    Column("card_number", String(24)),
    Column("version", Integer, nullable=False),
    # The queue's pages: each filter of it has an index in the order of the pages.
    Index("ix_applications_queue", "state", "changed_at", "id"),
    Index("ix_applications_branch", "branch_id", "state", "changed_at", "id"),
    Index("ix_applications_assigned", "assigned_to", "state", "changed_at", "id"),
    _partial("ix_applications_unreminded", "state", "changed_at", where="reminded_at IS NULL"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("application_id", _ID, nullable=False, index=True),
    Column("kind", String(16), nullable=False, server_default="licence"),
    Column("media_type", String(40), nullable=False),
    Column("file_name", String(120), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("pages", Integer, nullable=False, server_default="1"),
)

# What officers look at: each page as a picture that we made ourselves.
document_pages = Table(
    "document_pages",
    metadata,
    Column("document_id", _ID, ForeignKey("documents.id"), primary_key=True),
    Column("page", Integer, primary_key=True, autoincrement=False),
    Column("media_type", String(40), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

drafts = Table(
    "drafts",
    metadata,
    Column("id", _ID, primary_key=True),  # becomes the application's
    Column("code_hash", String(64), unique=True),
    Column("content", LargeBinary, nullable=False),  # AES-GCM: what was typed so far
    Column("licence_id", _ID),
    Column("attorney_id", _ID),
    Column("changed_at", UtcDateTime, nullable=False, index=True),
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

imports = Table(
    "imports",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("file_name", String(120), nullable=False),
    Column("content", Text, nullable=False),  # JSON: rows as read; identity numbers sealed
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("confirmed_at", UtcDateTime),
)

enterprises = Table(
    "enterprises",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("uscc", String(18), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("customs_code", String(10), nullable=False),
    Column("legal_representative", String(80), nullable=False),
    Column("region", String(80), nullable=False),
    Column("identity_cipher", LargeBinary),
    Column("identity_index", String(64), index=True),
    Column("branch_id", _ID, ForeignKey("branches.id")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    # The register's pages: each state is walked by its own index.
    _partial("ix_enterprises_active", "created_at", "id", where="closed_at IS NULL"),
    _partial("ix_enterprises_closed", "created_at", "id", where="closed_at IS NOT NULL"),
    _partial(
        "ix_enterprises_branch_active", "branch_id", "created_at", "id", where="closed_at IS NULL"
    ),
    _partial(
        "ix_enterprises_branch_closed",
        "branch_id",
        "created_at",
        "id",
        where="closed_at IS NOT NULL",
    ),
    Index("ix_enterprises_customs", "customs_code", "created_at", "id"),
)

officers = Table(
    "officers",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("roles", String(80), nullable=False),
    Column("branch_id", _ID, ForeignKey("branches.id")),  # None: the head office, sees all
    Column("created_at", UtcDateTime, nullable=False),
)

operators = Table(
    "operators",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("enterprise_id", _ID, ForeignKey("enterprises.id"), nullable=False),
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
    Column("id", _ID, primary_key=True),
    Column("operator_id", _ID, ForeignKey("operators.id"), nullable=False, index=True),
    Column("right", String(64), nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_until", UtcDateTime),
    Column("granted_by", String(64), nullable=False),
    Column("withdrawn_by", String(64)),
)

cards = Table(
    "cards",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("number", String(24), nullable=False, unique=True),
    Column("holder_kind", String(16), nullable=False),
    Column("holder_id", _ID, nullable=False),
    Column("live_holder", String(56), unique=True),
    Column("state", String(16), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("activation_hash", String(64), unique=True),
    Column("activation_expires_at", UtcDateTime),
    Column("code_proposed_by", _ID),
    Column("failed_attempts", Integer, nullable=False),
    Column("enrolling_key", String(64)),
    Column("serial", String(40), unique=True),
    Column("fingerprint", String(64), unique=True),
    Column("certificate", LargeBinary),
    Column("activated_at", UtcDateTime),
    Column("not_after", UtcDateTime),
    Column("witnessed_at", UtcDateTime),
    Column("witnessed_by", _ID),
    Column("token_model", String(32)),
    Column("token_serial", String(32)),
    Column("ended_at", UtcDateTime),
    Column("end_reason", String(40)),
    Column("held_at", UtcDateTime),
    Column("held_by", String(64)),
    Column("hold_reason", String(200)),
    Column("predecessor", String(24), index=True),
    Column("renew_by", UtcDateTime, index=True),
    Column("expiry_notice", Integer),
    Column("version", Integer, nullable=False),
    Index("ix_cards_holder", "holder_kind", "holder_id"),
    Index("ix_cards_state", "state", "requested_at"),
    Index("ix_cards_requested", "requested_at", "id"),
    Index("ix_cards_end", "state", "not_after"),
    Index("ix_cards_made", "activated_at"),
)

card_moves = Table(
    "card_moves",
    metadata,
    Column("id", _AUTO, primary_key=True, autoincrement=True),
    Column("card", String(24), nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("move", String(24), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("why", String(200), nullable=False),
    Column("evidence_kind", String(24)),
    Column("evidence", LargeBinary),
    Column("stamp", LargeBinary),
    Index("ix_card_moves_at", "at", "move"),
    _partial("ix_card_moves_unstamped", "id", where="evidence IS NOT NULL AND stamp IS NULL"),
)

contacts = Table(
    "contacts",
    metadata,
    Column("holder_kind", String(16), primary_key=True),
    Column("holder_id", _ID, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),  # under a key of the token
    Column("changed_at", UtcDateTime, nullable=False),
    Column("phone_by", String(200)),  # actor who put in what stands there now
    Column("email_by", String(200)),
)

notices = Table(
    "notices",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("about", String(40), nullable=False),  # a card's number, or what else it tells of
    Column("template", String(40), nullable=False),
    Column("channel", String(8), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("sealed", LargeBinary),  # recipient and values, under a key of the token; until sent
    Column("outcome", String(16)),
    Column("ended_at", UtcDateTime),
    Index("ix_notices_about", "about", "created_at"),
)

renewals = Table(
    "renewals",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("card", String(24), nullable=False),
    Column("following", String(24), nullable=False),
    Column("random", LargeBinary(32), nullable=False),
    Column("pkcs10", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("settled_at", UtcDateTime),
    _partial("ix_renewals_open", "expires_at", where="settled_at IS NULL"),
)

data_changes = Table(
    "data_changes",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("holder_kind", String(16), nullable=False),
    Column("holder_id", _ID, nullable=False),
    Column("live_holder", String(56), unique=True),  # one undecided change of a holder's data
    Column("state", String(16), nullable=False),
    Column("changes", Text, nullable=False),  # JSON, field -> new value
    Column("before", Text, nullable=False),
    Column("why", String(200), nullable=False),
    Column("proposed_by", String(64), nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("decided_by", String(64)),
    Column("decided_at", UtcDateTime),
    Index("ix_data_changes_state", "state", "proposed_at"),
)

recoveries = Table(
    "recoveries",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("card", String(24), nullable=False),
    Column("enterprise_id", _ID, ForeignKey("enterprises.id"), nullable=False),
    Column("open_enterprise", _ID, unique=True),  # one undecided request of an enterprise
    Column("state", String(16), nullable=False),
    Column("why", String(200), nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("approvals", Text, nullable=False),  # JSON: who, when, what was checked
    Column("settled_at", UtcDateTime),
    Index("ix_recoveries_state", "state", "asked_at"),
    Index("ix_recoveries_enterprise", "enterprise_id", "asked_at"),
)

mass_actions = Table(
    "mass_actions",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("act", String(16), nullable=False),
    Column("filter", Text, nullable=False),  # JSON
    Column("reason", String(200), nullable=False),
    Column("total", Integer, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("proposed_by", String(64), nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("confirmed_by", String(64)),
    Column("job", String(32)),
    Column("moved", Integer, nullable=False),
)

figures = Table(
    "figures",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("content", Text, nullable=False),  # JSON
)

one_time_codes = Table(
    "one_time_codes",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("card", String(24), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("used_at", UtcDateTime),
    Index("ix_one_time_codes_card", "card", "created_at"),
)

seals = Table(
    "seals",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("number", String(24), nullable=False, unique=True),
    Column("enterprise_id", _ID, ForeignKey("enterprises.id"), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("requested_by", String(64), nullable=False),
    Column("decided_by", String(64)),
    Column("key_fingerprint", String(64), unique=True),
    Column("serial", String(40), unique=True),
    Column("fingerprint", String(64), unique=True),
    Column("certificate", LargeBinary),
    Column("activated_at", UtcDateTime),
    Column("not_after", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("end_reason", String(40)),
    Column("version", Integer, nullable=False),
    Index("ix_seals_state", "state", "requested_at"),
)
