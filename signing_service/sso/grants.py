"""What platforms were granted: authorization codes, good once, and the tokens that they gave.

All tokens that come from one code are one family. A code or a refresh token that comes a second
time was stolen, from the platform or by it: the whole family is revoked (RFC 6749, 4.1.2;
RFC 9700, 4.14).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from kernel.clock import Clock
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.prepared import Prepared, Step
from signing_service.sso.challenges import secret_hash
from signing_service.sso.sessions import Arrival
from signing_service.sso.settings import SsoSettings
from signing_service.sso.tables import access_tokens, codes, refresh_tokens

_KEPT = timedelta(hours=25)
"""Codes stay longer than any session: reuse is seen, and who must be told of its end is known."""
_NEW_ACCESS = {
    name: bindparam(name, type_=access_tokens.c[name].type)
    for name in (
        "token_hash", "code_hash", "client_id", "sid", "scope", "terms", "certificate_hash",
        "dpop_key", "issued_at", "expires_at",
    )
}  # fmt: skip
_OF_FAMILY = Step(insert(access_tokens).values(_NEW_ACCESS))
_LOCK_CODE = Step(
    select(codes.c.reused_at).where(codes.c.code_hash == bindparam("code")).with_for_update()
)
_OF_CODE = Step(
    insert(access_tokens).from_select(
        list(_NEW_ACCESS),
        select(*_NEW_ACCESS.values())
        .where(codes.c.code_hash == bindparam("code_hash"), codes.c.reused_at.is_(None))
        .with_for_update(),
    )
)
"""The code's row is locked, so that a reuse is either seen here or finds what it revokes."""
_NEW_CODE = insert(codes).values(
    {
        name: bindparam(name)
        for name in (
            "code_hash", "client_id", "sid", "redirect_uri", "scope", "nonce", "details", "terms",
            "code_challenge", "dpop_key", "expires_at",
        )
    }
)  # fmt: skip
_TAKE_CODE = (
    update(codes)
    .where(
        codes.c.code_hash == bindparam("code"),
        codes.c.client_id == bindparam("client"),
        codes.c.redeemed_at.is_(None),
    )
    .values(redeemed_at=bindparam("now"))
    .returning(codes)
)


@dataclass(frozen=True)
class Terms:
    """How the holder was known when the grant was made, and which claims were asked for."""

    acr: str
    amr: tuple[str, ...]
    auth_time: int
    """Seconds since 1970. A later proof in the same session changes nothing in this grant."""
    id_token_claims: tuple[str, ...] = ()
    userinfo_claims: tuple[str, ...] = ()
    acts: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Terms":
        found: dict[str, Any] = json.loads(text)
        lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
        return cls(**{**found, **lists})


@dataclass(frozen=True)
class CodeGrant:
    """What one authorization code stands for."""

    client_id: str
    sid: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str
    details: str | None = None
    """What else was granted, in JSON: the digests that a seal may be used for."""
    terms: Terms | None = None
    """None: the code is not for an ID token."""
    code_hash: bytes = b""
    dpop_key: bytes | None = None
    """SHA-256 thumbprint of the key that must be proven with it (RFC 9449, 10); None: any."""


@dataclass(frozen=True)
class TokenGrant:
    """What an access or refresh token stands for."""

    family: bytes
    client_id: str
    sid: str
    scope: str
    issued_at: datetime
    expires_at: datetime
    terms: Terms | None = None
    certificate_hash: bytes | None = None
    """SHA-256 of the client certificate that must come with it (RFC 8705, 3); None: any may."""
    dpop_key: bytes | None = None
    """SHA-256 thumbprint of the key that must be proven with it (RFC 9449, 6); None: none."""


@dataclass(frozen=True)
class NewTokens:
    """Tokens that are to be kept. `refresh` with the time it is good until at most."""

    access: str
    refresh: str | None = None
    certificate_hash: bytes | None = None
    dpop_key: bytes | None = None
    """What the access token is bound to."""
    dpop_key_of_refresh: bytes | None = None
    """What the refresh token is bound to, where its platform proves itself by no other means."""


class Grants:
    """Keeps codes and tokens, by their hashes."""

    def __init__(
        self, database: Database, journal: Journal, clock: Clock, settings: SsoSettings
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._settings = settings
        self._new_code = Prepared(database, _NEW_CODE)
        self._take_code = Prepared(database, _TAKE_CODE)

    # -- codes -----------------------------------------------------------------------------------

    def save_code(self, code: str, grant: CodeGrant) -> None:
        row = {
            "code_hash": secret_hash(code),
            "client_id": grant.client_id,
            "sid": grant.sid,
            "redirect_uri": grant.redirect_uri,
            "scope": grant.scope,
            "nonce": grant.nonce,
            "details": grant.details,
            "terms": None if grant.terms is None else grant.terms.to_json(),
            "code_challenge": grant.code_challenge,
            "dpop_key": grant.dpop_key,
            "expires_at": self._clock.now() + timedelta(seconds=self._settings.code_seconds),
        }
        self._new_code.first(**row)

    def take_code(self, code: str, client_id: str) -> CodeGrant | None:
        """Take a code for its platform, once; None when it is unknown, expired or used."""
        now = self._clock.now()
        row = self._take_code.first(code=secret_hash(code), client=client_id, now=now)
        if row is None:
            with self._database.transaction() as connection:
                self._reused(connection, secret_hash(code), client_id)
            return None
        if row.expires_at <= now:
            return None
        return CodeGrant(
            row.client_id,
            row.sid,
            row.redirect_uri,
            row.scope,
            row.nonce,
            row.code_challenge,
            row.details,
            None if row.terms is None else Terms.from_json(row.terms),
            row.code_hash,
            row.dpop_key,
        )

    # -- tokens ----------------------------------------------------------------------------------

    def save_tokens(self, new: NewTokens, grant: CodeGrant, who: Arrival) -> bool:
        """Keep the first tokens of a code; False when the code was reused meanwhile."""
        now = self._clock.now()
        family = TokenGrant(
            grant.code_hash, grant.client_id, grant.sid, grant.scope, now, now, grant.terms
        )
        with self._database.transaction() as connection:
            first = Event.PLATFORM_TOKEN_ISSUED
            return self._insert(connection, _OF_CODE, new, family, grant.scope, who, first)

    def take_refresh(self, token: str, client_id: str) -> TokenGrant | None:
        """Use a refresh token, once; None when it is unknown, expired, used or revoked."""
        now, hashed = self._clock.now(), secret_hash(token)
        mine = (refresh_tokens.c.token_hash == hashed) & (refresh_tokens.c.client_id == client_id)
        with self._database.transaction() as connection:
            row = connection.execute(
                update(refresh_tokens)
                .where(mine, refresh_tokens.c.used_at.is_(None))
                .values(used_at=now)
                .returning(refresh_tokens)
            ).one_or_none()
        if row is None:
            # In a transaction of its own: PostgreSQL keeps the token's row locked even where it
            # is found used after a wait, and those who revoke lock the family's code before it.
            with self._database.transaction() as connection:
                self._refresh_reused(connection, hashed, client_id)
        if row is None or row.revoked_at is not None or row.expires_at <= now:
            return None
        return _grant(row)

    def save_refreshed(self, new: NewTokens, grant: TokenGrant, scope: str, who: Arrival) -> bool:
        """Keep the tokens that a refresh token gave; False when the family was revoked."""
        with self._database.transaction() as connection:
            self._lock_family(connection, grant.family)
            family = refresh_tokens.c.code_hash == grant.family
            query = select(refresh_tokens.c.revoked_at).where(family).with_for_update()
            if any(row.revoked_at is not None for row in connection.execute(query).all()):
                return False
            again = Event.PLATFORM_TOKEN_REFRESHED
            return self._insert(connection, _OF_FAMILY, new, grant, scope, who, again)

    def access(self, token: str) -> TokenGrant | None:
        """What a live access token stands for; whether its session lives is for the caller."""
        return self._live(access_tokens, token)

    def refresh(self, token: str) -> TokenGrant | None:
        """What a refresh token that may be used stands for; leaves it unused."""
        return self._live(refresh_tokens, token)

    def revoke(self, token: str, client_id: str) -> None:
        """RFC 7009: an access token alone; a refresh token with its whole family. Nothing
        happens for what is no token of this platform."""
        now, hashed = self._clock.now(), secret_hash(token)
        with self._database.transaction() as connection:
            query = select(refresh_tokens.c.code_hash).where(
                refresh_tokens.c.token_hash == hashed, refresh_tokens.c.client_id == client_id
            )
            family = connection.execute(query).scalar_one_or_none()
            if family is not None:
                count = self._revoke_family(connection, family)
            else:
                mine = access_tokens.c.token_hash == hashed
                mine &= access_tokens.c.client_id == client_id
                revoked = update(access_tokens).where(mine, access_tokens.c.revoked_at.is_(None))
                count = connection.execute(revoked.values(revoked_at=now)).rowcount
            if count:
                self._journal.append(
                    connection,
                    Event.PLATFORM_TOKEN_REVOKED,
                    subject=client_id,
                    actor=client_id,
                    tokens=count,
                )

    def tidy(self) -> None:
        """Forget what is long over (for the worker)."""
        now = self._clock.now()
        forgotten: Mapping[Table, datetime] = {
            codes: now - _KEPT,
            access_tokens: now,
            refresh_tokens: now,
        }
        with self._database.transaction() as connection:
            for table, before in forgotten.items():
                connection.execute(delete(table).where(table.c.expires_at <= before))

    def _insert(
        self,
        connection: Connection,
        step: Step,
        new: NewTokens,
        grant: TokenGrant,
        scope: str,
        who: Arrival,
        event: Event,
    ) -> bool:
        """`step` puts in the access token; False when it did not."""
        now, settings = self._clock.now(), self._settings
        row: dict[str, Any] = {
            "code_hash": grant.family,
            "client_id": grant.client_id,
            "sid": grant.sid,
            "terms": None if grant.terms is None else grant.terms.to_json(),
            "certificate_hash": new.certificate_hash,
            "issued_at": now,
        }
        access = {
            "token_hash": secret_hash(new.access),
            "scope": scope,
            "dpop_key": new.dpop_key,
            "expires_at": now + timedelta(seconds=settings.access_token_seconds),
        }
        if step.count(connection, **row, **access) != 1:
            return False
        if new.refresh is not None:
            refresh = {
                "token_hash": secret_hash(new.refresh),
                "scope": grant.scope,
                "dpop_key": new.dpop_key_of_refresh,
                "expires_at": now + timedelta(seconds=settings.refresh_token_seconds),
            }
            connection.execute(insert(refresh_tokens), {**row, **refresh})
        self._journal.append(
            connection,
            event,
            subject=who.subject,
            actor=grant.client_id,
            session=grant.sid,
            card=who.card,
            platform=who.platform,
            scope=scope,
        )
        return True

    def _live(self, table: Table, token: str) -> TokenGrant | None:
        query = select(table).where(
            table.c.token_hash == secret_hash(token),
            table.c.revoked_at.is_(None),
            table.c.expires_at > self._clock.now(),
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or getattr(row, "used_at", None) is not None:
            return None
        return _grant(row)

    # -- reuse -----------------------------------------------------------------------------------

    def _reused(self, connection: Connection, code_hash: bytes, client_id: str) -> None:
        """Mark a code as reused, if it exists, and revoke the tokens that it gave."""
        mine = (codes.c.code_hash == code_hash) & (codes.c.client_id == client_id)
        reused = connection.execute(
            update(codes).where(mine).values(reused_at=self._clock.now()).returning(codes.c.sid)
        ).one_or_none()
        if reused is None:
            return
        self._revoke_family(connection, code_hash)
        self._journal.append(
            connection,
            Event.PLATFORM_CODE_REUSED,
            subject=client_id,
            actor=client_id,
            session=reused.sid,
        )

    def _refresh_reused(self, connection: Connection, hashed: bytes, client_id: str) -> None:
        query = select(refresh_tokens.c.code_hash, refresh_tokens.c.sid).where(
            refresh_tokens.c.token_hash == hashed, refresh_tokens.c.client_id == client_id
        )
        row = connection.execute(query).one_or_none()
        if row is None:
            return
        self._revoke_family(connection, row.code_hash)
        self._journal.append(
            connection,
            Event.PLATFORM_TOKEN_REUSED,
            subject=client_id,
            actor=client_id,
            session=row.sid,
        )

    def _lock_family(self, connection: Connection, family: bytes) -> None:
        """Who gives tokens and who revokes them wait for each other: what is not committed yet,
        an UPDATE on PostgreSQL does not see."""
        _LOCK_CODE.first(connection, code=family)

    def _revoke_family(self, connection: Connection, family: bytes) -> int:
        self._lock_family(connection, family)
        now = self._clock.now()
        count = 0
        for table in (access_tokens, refresh_tokens):
            live = (table.c.code_hash == family) & table.c.revoked_at.is_(None)
            count += connection.execute(update(table).where(live).values(revoked_at=now)).rowcount
        return count


def _grant(row: Any) -> TokenGrant:
    return TokenGrant(
        row.code_hash,
        row.client_id,
        row.sid,
        row.scope,
        row.issued_at or row.expires_at,
        row.expires_at,
        None if row.terms is None else Terms.from_json(row.terms),
        row.certificate_hash,
        row.dpop_key,
    )
