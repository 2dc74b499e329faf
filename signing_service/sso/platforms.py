"""Platforms (relying parties): who may ask who is signed in, and what they may learn."""

import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Conflict, NotFound, Unprocessable
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from signing_service.sso.challenges import secret_hash
from signing_service.sso.claims import SCOPES
from signing_service.sso.sessions import new_secret
from signing_service.sso.settings import is_loopback
from signing_service.sso.tables import platforms

_URI = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{8,2000}")
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_URIS = 20
REMOTE_SCOPES = ("service", "credential")
"""For remote signing (CSC API): to see an enterprise's seals, and to use one."""


@dataclass(frozen=True)
class Platform:
    """A registered platform; also what Authlib asks of a client (RFC 6749, 2)."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    scopes: frozenset[str]
    secret_digest: bytes | None
    """None: a public client, which PKCE alone protects."""
    backchannel_logout_uri: str | None = None
    """Where the platform is told that a session is over; None: it is not told."""

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: every request names its redirect URI."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What is asked and permitted; None without `openid` (OpenID Connect Core, 3.1.2.1)."""
        asked = dict.fromkeys((scope or "").split())
        granted = [each for each in asked if each in self.scopes and each in SCOPES]
        return " ".join(granted) if "openid" in granted else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        if self.secret_digest is None:
            return False
        return hmac.compare_digest(self.secret_digest, secret_hash(client_secret))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == ("none" if self.secret_digest is None else "client_secret_basic")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass(frozen=True)
class Registration:
    platform: Platform
    secret: str | None
    """The client secret, shown this once; None for a public client."""


class Platforms:
    """Registers and finds platforms."""

    def __init__(
        self, database: Database, journal: Journal, clock: Clock, entropy: Entropy
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy

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
    ) -> Registration:
        """Register a platform; redirect URIs are https, or http on loopback, without fragment;
        so is `backchannel_logout_uri` (OpenID Connect Back-Channel Logout 1.0, 2.2).

        Raises Unprocessable `platform.name`, `platform.client-id`, `platform.redirect-uri`,
        `platform.scope`; Conflict `platform.exists`.
        """
        uris, after_logout = _checked_uris(redirect_uris), _checked_uris(post_logout_redirect_uris)
        if backchannel_logout_uri is not None:
            _checked_uris([backchannel_logout_uri])
        permitted = frozenset(scopes) | {"openid"}
        if not uris:
            raise Unprocessable("platform.redirect-uri", "a platform has a redirect URI")
        if not permitted <= {*SCOPES, *REMOTE_SCOPES}:
            raise Unprocessable("platform.scope", "no such scope")
        if not 0 < len(name.strip()) <= 200 or not name.isprintable():
            raise Unprocessable("platform.name", "a platform's name has 1 to 200 characters")
        client_id = client_id or new_id()
        if not _CLIENT_ID.fullmatch(client_id):
            raise Unprocessable("platform.client-id", "letters, digits, dots, dashes: at most 64")
        secret = new_secret(self._entropy) if confidential else None
        digest = None if secret is None else secret_hash(secret)
        platform = Platform(
            client_id, name.strip(), uris, after_logout, permitted, digest, backchannel_logout_uri
        )
        self._insert(platform, actor)
        return Registration(platform, secret)

    def find(self, client_id: str) -> Platform | None:
        """The platform of that name, unless it was disabled."""
        if not _CLIENT_ID.fullmatch(client_id):
            return None
        wanted = (platforms.c.client_id == client_id) & platforms.c.disabled_at.is_(None)
        with self._database.reading() as connection:
            row = connection.execute(select(platforms).where(wanted)).one_or_none()
        if row is None:
            return None
        return Platform(
            row.client_id,
            row.name,
            tuple(json.loads(row.redirect_uris)),
            tuple(json.loads(row.post_logout_redirect_uris)),
            frozenset(row.scopes.split()),
            row.secret_hash,
            row.backchannel_logout_uri,
        )

    def with_back_channel(self) -> list[str]:
        """The names of the platforms that are told when a session is over."""
        told = select(platforms.c.client_id).where(
            platforms.c.backchannel_logout_uri.is_not(None), platforms.c.disabled_at.is_(None)
        )
        with self._database.reading() as connection:
            return list(connection.execute(told.order_by(platforms.c.client_id)).scalars())

    def disable(self, client_id: str, *, actor: str) -> None:
        """From now on the platform is unknown. Raises NotFound `platform.unknown`."""
        live = (platforms.c.client_id == client_id) & platforms.c.disabled_at.is_(None)
        with self._database.transaction() as connection:
            gone = update(platforms).where(live).values(disabled_at=self._clock.now())
            if connection.execute(gone).rowcount != 1:
                raise NotFound("platform.unknown", "no such platform")
            self._journal.append(
                connection, Event.PLATFORM_DISABLED, subject=client_id, actor=actor
            )

    def _insert(self, platform: Platform, actor: str) -> None:
        row = {
            "client_id": platform.client_id,
            "name": platform.name,
            "secret_hash": platform.secret_digest,
            "redirect_uris": json.dumps(platform.redirect_uris),
            "post_logout_redirect_uris": json.dumps(platform.post_logout_redirect_uris),
            "backchannel_logout_uri": platform.backchannel_logout_uri,
            "scopes": " ".join(sorted(platform.scopes)),
            "registered_at": self._clock.now(),
        }
        try:
            with self._database.transaction() as connection:
                connection.execute(insert(platforms), row)
                self._journal.append(
                    connection,
                    Event.PLATFORM_REGISTERED,
                    subject=platform.client_id,
                    actor=actor,
                    name=platform.name,
                    scopes=" ".join(sorted(platform.scopes)),
                    confidential=platform.secret_digest is not None,
                )
        except IntegrityError:
            raise Conflict("platform.exists", "this client_id is taken") from None


def _checked_uris(uris: Iterable[str]) -> tuple[str, ...]:
    checked = tuple(dict.fromkeys(uris))
    if len(checked) > _MAX_URIS or not all(_is_safe(uri) for uri in checked):
        raise Unprocessable(
            "platform.redirect-uri",
            "a redirect URI is https (http on loopback alone), absolute, without a fragment",
        )
    return checked


def _is_safe(uri: str) -> bool:
    if not _URI.fullmatch(uri) or "#" in uri:
        return False
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
