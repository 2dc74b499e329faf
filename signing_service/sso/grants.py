"""What platforms were granted: authorization codes, good once, and short access tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from kernel.clock import Clock
from records.database import Database
from records.events import Event
from records.journal import Journal
from signing_service.sso.challenges import secret_hash
from signing_service.sso.settings import SsoSettings
from signing_service.sso.tables import access_tokens, codes

_KEPT_FOR_REUSE_DETECTION = timedelta(hours=1)


@dataclass(frozen=True)
class CodeGrant:
    """What one authorization code stands for; the shape that Authlib's grant asks for."""

    code_hash: bytes
    client_id: str
    sid: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str
    details: str | None = None
    """What else was granted, in JSON: the digests that a seal may be used for."""
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass(frozen=True)
class AccessGrant:
    """What one access token stands for."""

    client_id: str
    sid: str
    scope: str
    expires_at: datetime


class Grants:
    """Keeps codes and access tokens, by their hashes."""

    def __init__(
        self, database: Database, journal: Journal, clock: Clock, settings: SsoSettings
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._settings = settings

    def save_code(
        self,
        code: str,
        *,
        client_id: str,
        sid: str,
        redirect_uri: str,
        scope: str,
        nonce: str | None,
        code_challenge: str,
        details: str | None = None,
    ) -> None:
        now = self._clock.now()
        row = {
            "code_hash": secret_hash(code),
            "client_id": client_id,
            "sid": sid,
            "redirect_uri": redirect_uri,
            "scope": scope,
            "nonce": nonce,
            "details": details,
            "code_challenge": code_challenge,
            "expires_at": now + timedelta(seconds=self._settings.code_seconds),
        }
        with self._database.transaction() as connection:
            forgotten = codes.c.expires_at <= now - _KEPT_FOR_REUSE_DETECTION
            connection.execute(delete(codes).where(forgotten))
            connection.execute(delete(access_tokens).where(access_tokens.c.expires_at <= now))
            connection.execute(insert(codes), row)

    def redeem_code(self, code: str, client_id: str) -> CodeGrant | None:
        """Take a code for its client, once; None when it is unknown, expired or used.

        A code that comes a second time revokes what it gave (RFC 6749, 4.1.2).
        """
        now = self._clock.now()
        mine = (codes.c.code_hash == secret_hash(code)) & (codes.c.client_id == client_id)
        with self._database.transaction() as connection:
            row = connection.execute(
                update(codes)
                .where(mine, codes.c.redeemed_at.is_(None))
                .values(redeemed_at=now)
                .returning(codes)
            ).one_or_none()
            if row is None:
                self._revoke_reused(connection, secret_hash(code), client_id, now)
        if row is None or row.expires_at <= now:
            return None
        return CodeGrant(
            row.code_hash,
            row.client_id,
            row.sid,
            row.redirect_uri,
            row.scope,
            row.nonce,
            row.code_challenge,
            row.details,
        )

    def save_access_token(self, token: str, grant: CodeGrant, subject: str) -> bool:
        """Keep a fresh access token; False when its code was reused meanwhile."""
        now = self._clock.now()
        row = {
            "token_hash": secret_hash(token),
            "code_hash": grant.code_hash,
            "client_id": grant.client_id,
            "sid": grant.sid,
            "scope": grant.scope,
            "expires_at": now + timedelta(seconds=self._settings.access_token_seconds),
        }
        with self._database.transaction() as connection:
            # Locked, so that a reuse is either seen here or finds the token that it revokes.
            query = select(codes.c.reused_at).where(codes.c.code_hash == grant.code_hash)
            found = connection.execute(query.with_for_update()).one_or_none()
            if found is None or found.reused_at is not None:
                return False
            connection.execute(insert(access_tokens), row)
            self._journal.append(
                connection,
                Event.PLATFORM_TOKEN_ISSUED,
                subject=subject,
                actor=grant.client_id,
                session=grant.sid,
                scope=grant.scope,
            )
        return True

    def access(self, token: str) -> AccessGrant | None:
        """What a live access token stands for; whether its session lives is for the caller."""
        query = select(access_tokens).where(
            access_tokens.c.token_hash == secret_hash(token),
            access_tokens.c.revoked_at.is_(None),
            access_tokens.c.expires_at > self._clock.now(),
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return AccessGrant(row.client_id, row.sid, row.scope, row.expires_at)

    def _revoke_reused(
        self, connection: Connection, code_hash: bytes, client_id: str, now: datetime
    ) -> None:
        """Mark a code as reused, if it exists, and revoke the tokens that it gave."""
        mine = (codes.c.code_hash == code_hash) & (codes.c.client_id == client_id)
        reused = connection.execute(
            update(codes).where(mine).values(reused_at=now).returning(codes.c.sid)
        ).one_or_none()
        if reused is None:
            return
        connection.execute(
            update(access_tokens)
            .where(access_tokens.c.code_hash == code_hash, access_tokens.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        self._journal.append(
            connection,
            Event.PLATFORM_CODE_REUSED,
            subject=client_id,
            actor=client_id,
            session=reused.sid,
        )
