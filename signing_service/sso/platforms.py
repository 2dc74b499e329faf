"""Registers and finds platforms. Who may register is decided in `proposals`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Conflict, NotFound, Unprocessable
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from records.prepared import Prepared
from signing_service.sso.cas import addresses as cas_addresses
from signing_service.sso.cas.addresses import LostAddress
from signing_service.sso.challenges import secret_hash
from signing_service.sso.claims import SCOPES
from signing_service.sso.platform import (
    NONE,
    REMOTE_SCOPES,
    SECRET,
    Platform,
    PlatformDraft,
    PlatformTerms,
    is_client_id,
)
from signing_service.sso.sessions import new_secret
from signing_service.sso.tables import cas_services, platforms

__all__ = ["REMOTE_SCOPES", "ListedPlatform", "Platform", "Platforms", "Registration"]

_FIND = select(platforms)
_FIND_LIVE = _FIND.where(
    platforms.c.client_id == bindparam("client"), platforms.c.disabled_at.is_(None)
)
_FIND_BY_SERVICE = (
    _FIND.join(cas_services, cas_services.c.client_id == platforms.c.client_id)
    .where(cas_services.c.address == bindparam("address"))
    .where(platforms.c.disabled_at.is_(None))
)


@dataclass(frozen=True)
class Registration:
    platform: Platform
    secret: str | None
    """The client secret, shown this once; None for a platform without one."""


@dataclass(frozen=True)
class ListedPlatform:
    platform: Platform
    disabled: bool


class Platforms:
    """Registers, finds and disables platforms."""

    def __init__(
        self, database: Database, journal: Journal, clock: Clock, entropy: Entropy
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._find = Prepared(database, _FIND_LIVE)
        self._find_by_service = Prepared(database, _FIND_BY_SERVICE)

    def register_platform(
        self,
        name: str,
        redirect_uris: Iterable[str],
        *,
        actor: str,
        scopes: Iterable[str] = SCOPES,
        post_logout_redirect_uris: Iterable[str] = (),
        confidential: bool = True,
        client_id: str | None = None,
        backchannel_logout_uri: str | None = None,
        terms: PlatformTerms | None = None,
    ) -> Registration:
        """Register a platform at once. Raises as `PlatformDraft.checked`; Conflict
        `platform.exists`, `platform.cas-service`."""
        draft = PlatformDraft(
            client_id=new_id() if client_id is None else client_id,
            name=name,
            redirect_uris=tuple(redirect_uris),
            post_logout_redirect_uris=tuple(post_logout_redirect_uris),
            backchannel_logout_uri=backchannel_logout_uri,
            scopes=tuple(scopes),
            terms=terms or PlatformTerms(auth_method=SECRET if confidential else NONE),
        ).checked()
        try:
            with self._database.transaction() as connection:
                return self.add(connection, draft, actor=actor)
        except IntegrityError:
            raise _taken() from None

    def add(self, connection: Connection, draft: PlatformDraft, *, actor: str) -> Registration:
        """`register_platform` in the caller's transaction; `draft` is checked. Raises Conflict
        `platform.cas-service`; IntegrityError for a name that is taken."""
        secret = new_secret(self._entropy) if draft.terms.auth_method == SECRET else None
        digest = None if secret is None else secret_hash(secret)
        row = {**_columns(draft), "secret_hash": digest, "registered_at": self._clock.now()}
        connection.execute(insert(platforms), row)
        cas_addresses.claim(connection, draft)
        permission = draft.terms.permission
        self._journal.append(
            connection,
            Event.PLATFORM_REGISTERED,
            subject=draft.client_id,
            actor=actor,
            name=draft.name,
            scopes=" ".join(draft.scopes),
            auth_method=draft.terms.auth_method,
            claims=" ".join(sorted(permission.claims)),
            permitted_by=permission.permitted_by,
            evidence=permission.evidence,
        )
        return Registration(_of_draft(draft, digest), secret)

    def change(self, connection: Connection, draft: PlatformDraft, *, actor: str) -> Registration:
        """Put a platform on other terms. A secret that is still wanted stays; a new one is made
        where there was none. Raises NotFound `platform.unknown`, Conflict `platform.cas-service`;
        IntegrityError as `add`."""
        row = self._live_row(connection, draft.client_id)
        digest, secret = row.secret_hash, None
        if draft.terms.auth_method != SECRET:
            digest = None
        elif digest is None:
            secret = new_secret(self._entropy)
            digest = secret_hash(secret)
        columns = {**_columns(draft), "secret_hash": digest}
        mine = platforms.c.client_id == columns.pop("client_id")
        connection.execute(update(platforms).where(mine).values(columns))
        cas_addresses.claim(connection, draft)
        permission = draft.terms.permission
        self._journal.append(
            connection,
            Event.PLATFORM_CHANGED,
            subject=draft.client_id,
            actor=actor,
            scopes=" ".join(draft.scopes),
            auth_method=draft.terms.auth_method,
            claims=" ".join(sorted(permission.claims)),
            permitted_by=permission.permitted_by,
            evidence=permission.evidence,
        )
        return Registration(_of_draft(draft, digest), secret)

    def rotate_secret(self, connection: Connection, client_id: str, *, actor: str) -> Registration:
        """A new client secret; the old one is worth nothing from now on.

        Raises NotFound `platform.unknown`, Unprocessable `platform.no-secret`.
        """
        platform = _of_row(self._live_row(connection, client_id))
        if platform.secret_digest is None:
            raise Unprocessable("platform.no-secret", "this platform has no client secret")
        secret = new_secret(self._entropy)
        digest = secret_hash(secret)
        mine = platforms.c.client_id == client_id
        connection.execute(update(platforms).where(mine).values(secret_hash=digest))
        self._journal.append(
            connection, Event.PLATFORM_SECRET_ROTATED, subject=client_id, actor=actor
        )
        return Registration(replace(platform, secret_digest=digest), secret)

    def find(self, client_id: str) -> Platform | None:
        """The platform of that name, unless it was disabled."""
        if not is_client_id(client_id):
            return None
        row = self._find.first(client=client_id)
        return None if row is None else _of_row(row)

    def all(self) -> list[ListedPlatform]:
        """Every platform, by name; the disabled ones too."""
        with self._database.reading() as connection:
            rows = connection.execute(_FIND.order_by(platforms.c.name, platforms.c.client_id))
            return [ListedPlatform(_of_row(row), row.disabled_at is not None) for row in rows]

    def by_cas_service(self, service: str) -> Platform | None:
        """The platform that registered this service address, exactly."""
        row = self._find_by_service.first(address=service)
        return None if row is None else _of_row(row)

    def lost_addresses(self) -> list[LostAddress]:
        """CAS addresses that platforms name and that are not theirs."""
        with self._database.reading() as connection:
            return cas_addresses.lost_addresses(connection)

    def disable(self, client_id: str, *, actor: str) -> None:
        """From now on the platform is unknown. Raises NotFound `platform.unknown`."""
        live = (platforms.c.client_id == client_id) & platforms.c.disabled_at.is_(None)
        gone = update(platforms).where(live).values(disabled_at=self._clock.now())
        with self._database.transaction() as connection:
            if connection.execute(gone).rowcount != 1:
                raise NotFound("platform.unknown", "no such platform")
            cas_addresses.release(connection, client_id)
            self._journal.append(
                connection, Event.PLATFORM_DISABLED, subject=client_id, actor=actor
            )

    def _live_row(self, connection: Connection, client_id: str) -> Row[Any]:
        live = (platforms.c.client_id == client_id) & platforms.c.disabled_at.is_(None)
        row = connection.execute(_FIND.where(live).with_for_update()).one_or_none()
        if row is None:
            raise NotFound("platform.unknown", "no such platform")
        return row


def _taken() -> Conflict:
    return Conflict("platform.exists", "this client_id, or a service address, is taken")


def _columns(draft: PlatformDraft) -> dict[str, Any]:
    return {
        "client_id": draft.client_id,
        "name": draft.name,
        "redirect_uris": json.dumps(draft.redirect_uris),
        "post_logout_redirect_uris": json.dumps(draft.post_logout_redirect_uris),
        "backchannel_logout_uri": draft.backchannel_logout_uri,
        "scopes": " ".join(draft.scopes),
        "terms": json.dumps(draft.terms.to_json(), ensure_ascii=False),
    }


def _of_draft(draft: PlatformDraft, digest: bytes | None) -> Platform:
    return Platform(
        draft.client_id,
        draft.name,
        draft.redirect_uris,
        draft.post_logout_redirect_uris,
        frozenset(draft.scopes),
        digest,
        draft.backchannel_logout_uri,
        draft.terms,
    )


def _of_row(row: Row[Any]) -> Platform:
    terms = PlatformTerms.from_json(json.loads(row.terms))
    if row.secret_hash is None and terms.auth_method == SECRET:
        terms = replace(terms, auth_method=NONE)  # registered before there were other ways
    return Platform(
        row.client_id,
        row.name,
        tuple(json.loads(row.redirect_uris)),
        tuple(json.loads(row.post_logout_redirect_uris)),
        frozenset(row.scopes.split()),
        row.secret_hash,
        row.backchannel_logout_uri,
        terms,
    )
