"""Rows of the authority: certificates, the version of status, revocation lists."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from records.database import UtcDateTime, metadata

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
    Column("crl_entry", LargeBinary),  # ready DER
    Column("status_version", _COUNTER),  # the version in which the status last changed
    Index("ix_ca_certificates_key", "key_fingerprint"),
    Index("ix_ca_certificates_reference", "reference"),
    Index("ix_ca_certificates_pending", "authority", "state", "intended_at"),
    Index("ix_ca_certificates_revoked", "authority", "revoked_at"),
    Index("ix_ca_certificates_version", "authority", "status_version"),
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
    Column("number", _COUNTER, primary_key=True, autoincrement=False),
    Column("this_update", UtcDateTime, nullable=False),
    Column("next_update", UtcDateTime, nullable=False),
    Column("status_version", _COUNTER, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("crl", LargeBinary, nullable=False),
)
