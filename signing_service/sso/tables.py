"""Rows of sign-in: challenges, sessions, platforms and what they were granted.

Secrets that a browser or platform holds (session, code, tokens, client secret) stand here as
SHA-256 only: each has 256 bits of entropy, so a slow hash would add nothing. A CAS ticket stands
in clear once it is spent, for single logout names it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    text,
)

from records.database import Database, UtcDateTime, metadata

_HASH = LargeBinary(32)


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


challenges = Table(
    "sso_challenge",
    metadata,
    Column("nonce", String(64), primary_key=True),
    Column("browser_hash", _HASH, nullable=False),
    Column("purpose", String(64)),  # SHA-256 of what the proof is for, hexadecimal
    Column("confirmed", String(64)),  # SHA-256 of the acts that the card signs, hexadecimal
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_sso_challenge_browser", "browser_hash"),
    Index("ix_sso_challenge_expires", "expires_at"),
)

sessions = Table(
    "sso_session",
    metadata,
    Column("sid", String(32), primary_key=True),
    Column("secret_hash", _HASH, nullable=False, unique=True),
    Column("subject", String(200), nullable=False),
    Column("card", String(200), nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("serial", String(40), nullable=False),
    Column("auth_time", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("end_reason", String(40)),
    Column("way", String(20), nullable=False, server_default="card"),
    Column("purpose", String(64)),  # of the newest proof, until a platform was answered
    Column("presence_hash", _HASH),
    Column("present_until", UtcDateTime),
    Index("ix_sso_session_card", "card"),
    Index("ix_sso_session_ended", "ended_at", **_where("ended_at IS NOT NULL")),
    # Only what lives: the worker looks for what timed out, agents for what they watch over.
    Index("ix_sso_session_live", "expires_at", **_where("ended_at IS NULL")),
    Index(
        "ix_sso_session_presence",
        "presence_hash",
        unique=True,
        **_where("ended_at IS NULL AND presence_hash IS NOT NULL"),
    ),
)

platforms = Table(
    "sso_platform",
    metadata,
    Column("client_id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("secret_hash", _HASH),
    Column("redirect_uris", Text, nullable=False),
    Column("post_logout_redirect_uris", Text, nullable=False),
    Column("backchannel_logout_uri", Text),
    Column("scopes", Text, nullable=False),
    Column("terms", Text, nullable=False, server_default="{}"),  # JSON, see `PlatformTerms`
    Column("registered_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)

cas_services = Table(
    "sso_cas_service",
    metadata,
    # Of platforms that are not disabled; each address is one platform's alone.
    Column("address", Text, primary_key=True),
    Column("client_id", String(64), ForeignKey("sso_platform.client_id"), nullable=False),
    Index("ix_sso_cas_service_client", "client_id"),
)

proposals = Table(
    "sso_platform_proposal",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("action", String(20), nullable=False),
    Column("client_id", String(64), nullable=False),
    Column("draft", Text, nullable=False),
    Column("proposed_by", String(200), nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("decided_by", String(200)),
    Column("decided_at", UtcDateTime),
    Column("decision", String(20)),
    Index("ix_sso_platform_proposal_client", "client_id"),
    Index(
        "uq_sso_platform_proposal_open",
        "client_id",
        unique=True,
        postgresql_where=text("decision IS NULL"),
        sqlite_where=text("decision IS NULL"),
    ),
)

codes = Table(
    "sso_code",
    metadata,
    Column("code_hash", _HASH, primary_key=True),
    Column("client_id", String(64), ForeignKey("sso_platform.client_id"), nullable=False),
    Column("sid", String(32), ForeignKey("sso_session.sid"), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("nonce", Text),
    Column("details", Text),
    Column("terms", Text),  # JSON, see `Terms`
    Column("code_challenge", String(128), nullable=False),
    Column("dpop_key", _HASH),  # RFC 9449, 10: for the holder of this key alone
    Column("expires_at", UtcDateTime, nullable=False),
    Column("redeemed_at", UtcDateTime),
    Column("reused_at", UtcDateTime),
    Index("ix_sso_code_expires", "expires_at"),
    Index("ix_sso_code_sid", "sid"),
)

access_tokens = Table(
    "sso_access_token",
    metadata,
    Column("token_hash", _HASH, primary_key=True),
    Column("code_hash", _HASH, nullable=False),
    Column("client_id", String(64), ForeignKey("sso_platform.client_id"), nullable=False),
    Column("sid", String(32), ForeignKey("sso_session.sid"), nullable=False),
    Column("scope", Text, nullable=False),
    Column("terms", Text),
    Column("certificate_hash", _HASH),  # RFC 8705, 3: only with this client certificate
    Column("dpop_key", _HASH),  # RFC 9449, 6: only with a proof of this key
    Column("issued_at", UtcDateTime),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Index("ix_sso_access_token_code", "code_hash"),
    Index("ix_sso_access_token_expires", "expires_at"),
    Index("ix_sso_access_token_sid", "sid"),
)

refresh_tokens = Table(
    "sso_refresh_token",
    metadata,
    Column("token_hash", _HASH, primary_key=True),
    Column("code_hash", _HASH, nullable=False),  # the family: all that one sign-in gave
    Column("client_id", String(64), ForeignKey("sso_platform.client_id"), nullable=False),
    Column("sid", String(32), ForeignKey("sso_session.sid"), nullable=False),
    Column("scope", Text, nullable=False),
    Column("terms", Text, nullable=False),
    Column("certificate_hash", _HASH),
    Column("dpop_key", _HASH),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Index("ix_sso_refresh_token_code", "code_hash"),
    Index("ix_sso_refresh_token_expires", "expires_at"),
    Index("ix_sso_refresh_token_sid", "sid"),
)

pushed_requests = Table(
    "sso_pushed_request",
    metadata,
    Column("request_hash", _HASH, primary_key=True),
    Column("client_id", String(64), ForeignKey("sso_platform.client_id"), nullable=False),
    Column("parameters", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_sso_pushed_request_expires", "expires_at"),
)

client_assertions = Table(
    "sso_client_assertion",
    metadata,
    Column("client_id", String(64), primary_key=True),
    Column("jti_hash", _HASH, primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_sso_client_assertion_expires", "expires_at"),
)

signing_keys = Table(
    "sso_signing_key",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("label", String(64), nullable=False, unique=True),
    Column("spki", LargeBinary, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("signs_from", UtcDateTime, nullable=False),
    Column("published_until", UtcDateTime),
)

cas_tickets = Table(
    "sso_cas_ticket",
    metadata,
    Column("ticket_hash", _HASH, primary_key=True),
    Column("client_id", String(64), ForeignKey("sso_platform.client_id"), nullable=False),
    Column("sid", String(32), ForeignKey("sso_session.sid"), nullable=False),
    Column("service", Text, nullable=False),
    Column("from_new_login", Boolean, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("validated_at", UtcDateTime),
    Column("ticket", String(80)),
    Index("ix_sso_cas_ticket_sid", "sid"),
    Index("ix_sso_cas_ticket_expires", "expires_at"),
)


def forget_expired(database: Database, now: datetime, *tables: Table) -> None:
    """Delete the rows whose `expires_at` is past."""
    with database.transaction() as connection:
        for table in tables:
            connection.execute(delete(table).where(table.c.expires_at <= now))
