"""A platform (relying party): what is registered of it, and what of that can be safe."""

import hmac
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any
from urllib.parse import urlsplit

from kernel.refusals import Unprocessable
from signing_service.sso.challenges import secret_hash
from signing_service.sso.claims import PERMITTABLE, SCOPES, UNLISTED
from signing_service.sso.client_keys import require_client_keys
from signing_service.sso.settings import is_loopback

REMOTE_SCOPES = ("service", "credential")
"""For remote signing (CSC API): to see an enterprise's seals, and to use one."""

NONE, SECRET = "none", "client_secret_basic"
PRIVATE_KEY = "private_key_jwt"
TLS, SELF_SIGNED_TLS = "tls_client_auth", "self_signed_tls_client_auth"
AUTH_METHODS = (SECRET, PRIVATE_KEY, TLS, SELF_SIGNED_TLS, NONE)
"""How a platform proves who it is (OpenID Connect Core, 9; RFC 7523; RFC 8705, 2)."""

_URI = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{8,2000}")
_HOST = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_THUMBPRINT = re.compile(r"[0-9a-f]{64}")
_MAX_URIS = 20
_LONGEST_NAME = 200


@dataclass(frozen=True)
class ClaimsPermission:
    """What the competent department lets a platform learn. Data leaves only with its leave."""

    claims: tuple[str, ...] = UNLISTED
    permitted_by: str = ""
    """The department, and who signed for it."""
    evidence: str = ""
    """Where its decision is found: document number and date."""


@dataclass(frozen=True)
class PlatformTerms:
    """Everything about a platform beyond names and addresses; kept as one JSON object."""

    auth_method: str = SECRET
    jwks: tuple[dict[str, Any], ...] = ()
    """Public keys of a `private_key_jwt` platform (RFC 7517)."""
    tls_subject: str | None = None
    """RFC 4514 name in the certificate of a `tls_client_auth` platform (RFC 8705, 2.1.2)."""
    tls_thumbprint: str | None = None
    """SHA-256 of the certificate of a `self_signed_tls_client_auth` platform, hexadecimal."""
    frontchannel_logout_uri: str | None = None
    refresh: bool = False
    """Whether it is given refresh tokens; they die with the holder's session."""
    pushed_only: bool = False
    """Whether its requests come pushed alone (RFC 9126, 6)."""
    endpoint_audience: bool = False
    """Whether its assertions may be made out to an endpoint of ours instead of the issuer, as
    older programs do. For a platform that signs people in nowhere else: another provider could
    have it make one out to our endpoint, and use it here (RFC 7523bis, FAPI 2.0, 5.3.2.1)."""
    dpop_bound: bool = False
    """Whether it is given tokens for a key alone (RFC 9449, 5.2 `dpop_bound_access_tokens`)."""
    cas_services: tuple[str, ...] = ()
    """Service addresses of the CAS protocol, matched exactly."""
    permission: ClaimsPermission = field(default_factory=ClaimsPermission)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "PlatformTerms":
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in found.items() if name in known}
        for name in ("jwks", "cas_services"):
            values[name] = tuple(values.get(name, ()))
        permission = dict(values.pop("permission", {}))
        if "claims" in permission:
            permission["claims"] = tuple(permission["claims"])
        return cls(permission=ClaimsPermission(**permission), **values)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Platform:
    """A registered platform."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    scopes: frozenset[str]
    secret_digest: bytes | None
    """None: the platform has no shared secret with us."""
    backchannel_logout_uri: str | None = None
    """Where the platform is told that a session is over; None: it is not told."""
    terms: PlatformTerms = field(default_factory=PlatformTerms)

    @property
    def auth_method(self) -> str:
        return self.terms.auth_method

    @property
    def claims(self) -> frozenset[str]:
        """The claims that the department permitted."""
        return frozenset(self.terms.permission.claims)

    def granted_scope(self, scope: str | None) -> str | None:
        """What is asked and permitted; None without `openid` (OpenID Connect Core, 3.1.2.1)."""
        asked = dict.fromkeys((scope or "").split())
        granted = [each for each in asked if each in self.scopes and each in SCOPES]
        return " ".join(granted) if "openid" in granted else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Exactly, character for character (RFC 9700, 4.1.3)."""
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        if self.secret_digest is None:
            return False
        return hmac.compare_digest(self.secret_digest, secret_hash(client_secret))


@dataclass(frozen=True)
class PlatformDraft:
    """What somebody wants registered."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    scopes: tuple[str, ...] = SCOPES
    terms: PlatformTerms = field(default_factory=PlatformTerms)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "PlatformDraft":
        values = {**found, "terms": PlatformTerms.from_json(found["terms"])}
        for name in ("redirect_uris", "post_logout_redirect_uris", "scopes"):
            values[name] = tuple(values[name])
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def checked(self) -> "PlatformDraft":
        """The draft, tidied.

        Redirect URIs are https, or http on loopback, without fragment; so are all other
        addresses. Raises Unprocessable `platform.name`, `platform.client-id`,
        `platform.redirect-uri`, `platform.scope`, `platform.dpop`, `platform.claims`,
        `platform.auth-method`, `platform.keys`, `platform.certificate`.
        """
        terms = self.terms
        uris = _checked_uris(self.redirect_uris)
        after_logout = _checked_uris(self.post_logout_redirect_uris)
        single = (self.backchannel_logout_uri, terms.frontchannel_logout_uri)
        _checked_uris(uri for uri in single if uri is not None)
        services = _checked_uris(terms.cas_services)
        if not uris and not services:
            raise Unprocessable("platform.redirect-uri", "a platform has a redirect URI")
        scopes = tuple(sorted({*self.scopes, "openid"}))
        if not set(scopes) <= {*SCOPES, *REMOTE_SCOPES}:
            raise Unprocessable("platform.scope", "no such scope")
        if terms.dpop_bound and not set(scopes).isdisjoint(REMOTE_SCOPES):
            raise Unprocessable("platform.dpop", "tokens of remote signing are not bound by DPoP")
        if not set(terms.permission.claims) <= set(PERMITTABLE):
            raise Unprocessable("platform.claims", "no such claim")
        for text in (terms.permission.permitted_by, terms.permission.evidence):
            if len(text) > _LONGEST_NAME or not text.isprintable():
                raise Unprocessable("platform.permission", "at most 200 printable characters")
        name = self.name.strip()
        if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
            raise Unprocessable("platform.name", "a platform's name has 1 to 200 characters")
        if not _CLIENT_ID.fullmatch(self.client_id):
            raise Unprocessable("platform.client-id", "letters, digits, dots, dashes: at most 64")
        _require_proof(terms)
        return replace(
            self,
            name=name,
            redirect_uris=uris,
            post_logout_redirect_uris=after_logout,
            scopes=scopes,
            terms=replace(terms, cas_services=services),
        )


def is_client_id(text: str) -> bool:
    return _CLIENT_ID.fullmatch(text) is not None


def _require_proof(terms: PlatformTerms) -> None:
    """What the platform is to be known by is there."""
    if terms.auth_method not in AUTH_METHODS:
        raise Unprocessable("platform.auth-method", "no such way to authenticate a platform")
    if terms.auth_method == PRIVATE_KEY:
        require_client_keys(terms.jwks)
    if terms.auth_method == TLS and not (terms.tls_subject or "").strip():
        raise Unprocessable("platform.certificate", "name the subject of the certificate")
    if terms.auth_method == SELF_SIGNED_TLS and not _THUMBPRINT.fullmatch(
        terms.tls_thumbprint or ""
    ):
        raise Unprocessable("platform.certificate", "name the SHA-256 of the certificate")


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
    # Hosts go into a Content-Security-Policy as they are (`openid.logout.frame_sources`).
    if not _HOST.fullmatch(parts.netloc):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
