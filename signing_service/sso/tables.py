"""Rows of sign-in: challenges, sessions, platforms, codes and access tokens.

Secrets that a browser or platform holds (session, code, access token, client secret) stand here
as SHA-256 only: each has 256 bits of entropy, so a slow hash would add nothing.
"""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, String, Table, Text

from records.database import UtcDateTime, metadata

_HASH = LargeBinary(32)

challenges = Table(
    "sso_challenge",
    metadata,
    Column("nonce", String(64), primary_key=True),
    Column("browser_hash", _HASH, nullable=False),
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
    Index("ix_sso_session_card", "card"),
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
    Column("registered_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
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
    Column("code_challenge", String(128), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("redeemed_at", UtcDateTime),
    Column("reused_at", UtcDateTime),
    Index("ix_sso_code_expires", "expires_at"),
)

access_tokens = Table(
    "sso_access_token",
    metadata,
    Column("token_hash", _HASH, primary_key=True),
    Column("code_hash", _HASH, nullable=False),
    Column("client_id", String(64), ForeignKey("sso_platform.client_id"), nullable=False),
    Column("sid", String(32), ForeignKey("sso_session.sid"), nullable=False),
    Column("scope", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Index("ix_sso_access_token_code", "code_hash"),
    Index("ix_sso_access_token_expires", "expires_at"),
)
