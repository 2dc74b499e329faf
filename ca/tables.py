"""Rows of the authority: certificates, their status and its versions, lists, ready answers."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from records.database import UtcDateTime, metadata, partial_index

_COUNTER = BigInteger().with_variant(Integer(), "sqlite")

certificates = Table(
    "ca_certificates",
    metadata,
    Column("serial", String(40), primary_key=True),
    Column("authority", String(40), nullable=False),
    Column("profile", String(40), nullable=False),
    Column("profile_digest", String(64), nullable=False),
    Column("state", String(12), nullable=False),  # CertificateState
    Column("subject", String(1000), nullable=False),  # RFC 4514
    Column("subject_digest", String(64), nullable=False),  # SHA-256 of the Name's DER
    Column("key_fingerprint", String(64), nullable=False),
    # The fingerprint again while the certificate lives: unique, so that no two live certificates
    # hold one key, whichever process issues them.
    Column("live_key", String(64), unique=True),
    Column("requester", String(200), nullable=False),
    Column("reference", String(200), nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("not_after", UtcDateTime, nullable=False),
    Column("tbs", LargeBinary),  # until issued; then inside `certificate`
    Column("certificate", LargeBinary),
    Column("intended_at", UtcDateTime, nullable=False),
    Column("issued_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("reason", String(24)),  # RevocationReason
    Column("crl_shard", Integer, nullable=False),  # 0: the complete list alone
    Column("crl_until", UtcDateTime, nullable=False),  # an entry is listed until then
    # The signing certificate that this encryption certificate goes with, and ends with.
    Column("companion_of", String(40)),
    Index("ix_ca_certificates_key", "key_fingerprint"),
    Index("ix_ca_certificates_reference", "reference"),
    Index("ix_ca_certificates_companion", "companion_of"),
    # Only intents: a register of millions has a handful.
    partial_index(
        "ix_ca_certificates_pending", "authority", "intended_at", where="state = 'intended'"
    ),
)

# Narrow, apart from the certificates: a list of a million entries reads nothing else.
crl_entries = Table(
    "ca_crl_entries",
    metadata,
    Column("serial", String(40), primary_key=True),
    Column("authority", String(40), nullable=False),
    Column("shard", Integer, nullable=False),
    Column("entry", LargeBinary, nullable=False),  # ready DER
    Column("listed", Boolean, nullable=False),  # False: removeFromCRL, for delta lists alone
    Column("until", UtcDateTime, nullable=False),
    Column("version", _COUNTER, nullable=False),  # in which the status last changed
    Index("ix_ca_crl_entries_version", "authority", "version"),
    Index("ix_ca_crl_entries_shard", "authority", "shard", "version"),
)

status_versions = Table(
    "ca_status_versions",
    metadata,
    Column("authority", String(40), primary_key=True),
    Column("version", _COUNTER, nullable=False),
)

crl_numbers = Table(
    "ca_crl_numbers",
    metadata,
    Column("authority", String(40), primary_key=True),
    Column("number", _COUNTER, nullable=False),
)

crls = Table(
    "ca_crls",
    metadata,
    Column("authority", String(40), primary_key=True),
    Column("shard", Integer, primary_key=True, autoincrement=False),  # 0: everything
    Column("delta", Boolean, primary_key=True),
    Column("number", _COUNTER, primary_key=True, autoincrement=False),
    Column("base_number", _COUNTER),  # of a delta list
    Column("this_update", UtcDateTime, nullable=False),
    Column("next_update", UtcDateTime, nullable=False),
    Column("status_version", _COUNTER, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("crl", LargeBinary, nullable=False),
)

ocsp_answers = Table(
    "ca_ocsp_answers",
    metadata,
    Column("serial", String(40), primary_key=True),
    Column("authority", String(40), nullable=False),
    Column("version", _COUNTER, nullable=False),  # the status version that it was made under
    Column("asked_at", UtcDateTime),  # None: made ahead, never asked for
    Column("this_update", UtcDateTime),
    Column("next_update", UtcDateTime),
    Column("answer", LargeBinary),  # None: asked for, not yet made ahead
    Index("ix_ca_ocsp_answers_due", "authority", "next_update"),
)

ocsp_responders = Table(
    "ca_ocsp_responders",
    metadata,
    Column("authority", String(40), primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("label", String(40), nullable=False),  # of the key in the token
    Column("claimed_at", UtcDateTime, nullable=False),
    Column("certificate", LargeBinary),  # None until issued
)

mass_jobs = Table(
    "ca_mass_jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("reason", String(24), nullable=False),  # RevocationReason
    Column("actor", String(200), nullable=False),
    Column("total", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
)

reissues = Table(
    "ca_reissues",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("old_authority", String(40), nullable=False),
    Column("new_authority", String(40), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("total", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
)

reissue_items = Table(
    "ca_reissue_items",
    metadata,
    Column("job", String(32), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("serial", String(40), nullable=False),
    Column("outcome", String(16)),  # None: still to do
    Column("successor", String(40)),  # serial of the new certificate
    Index("ix_ca_reissue_items_open", "job", "outcome"),
    # What is left, in its order: a job of millions does not walk over what it has done.
    partial_index("ix_ca_reissue_items_left", "job", "position", where="outcome IS NULL"),
)

mass_items = Table(
    "ca_mass_items",
    metadata,
    Column("job", String(32), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("serial", String(40), nullable=False),
    Column("outcome", String(16)),  # None: still to do
    Index("ix_ca_mass_items_open", "job", "outcome"),
    # What is left, in its order: a job of millions does not walk over what it has done.
    partial_index("ix_ca_mass_items_left", "job", "position", where="outcome IS NULL"),
)
