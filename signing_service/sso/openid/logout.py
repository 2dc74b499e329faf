"""The end of a session, asked for by a platform (OpenID Connect RP-Initiated Logout 1.0), and
told to the others through the browser (Front-Channel Logout 1.0)."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from werkzeug.datastructures import MultiDict

from kernel.refusals import Malformed
from signing_service.sso.openid.redirects import with_parameters
from signing_service.sso.platform import Platform
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import SignedIn


@dataclass(frozen=True)
class EndRequest:
    """A platform shows by an ID token of ours that it knows the session."""

    platform: Platform
    sid: str
    target: str | None
    """Where the browser goes afterwards; registered by the platform, exactly."""


class Logout:
    def __init__(self, services: SsoServices) -> None:
        self._services = services

    def read(self, asked: MultiDict[str, str]) -> EndRequest | None:
        """None: without an `id_token_hint`, nobody has shown anything.

        Raises Malformed `oidc.id-token-hint`, `oidc.client-unknown`,
        `oidc.post-logout-redirect-uri`.
        """
        hint = asked.get("id_token_hint")
        if not hint:
            return None
        claims = self._services.id_token_keys.read(hint, self._services.settings.origin)
        platform = self._platform_of(claims, asked.get("client_id"))
        return EndRequest(platform, str(claims.get("sid")), _after_logout(platform, asked))

    def end(self, request: EndRequest, signed_in: SignedIn | None) -> list[str]:
        """End the session; the addresses that the browser must load so that platforms without a
        back channel learn of it."""
        frames = self.frames(request.sid) if signed_in is not None else []
        actor = request.platform.client_id
        self._services.sessions.end(request.sid, reason="platform-logout", actor=actor)
        return frames

    def frames(self, sid: str) -> list[str]:
        """Front-channel logout addresses of the platforms in this session, with iss and sid (3)."""
        origin = self._services.settings.origin
        found = []
        for client_id in self._services.notices.platforms_in(self._services.database, sid):
            platform = self._services.platforms.find(client_id)
            if platform is not None and platform.terms.frontchannel_logout_uri is not None:
                parameters = [("iss", origin), ("sid", sid)]
                found.append(with_parameters(platform.terms.frontchannel_logout_uri, parameters))
        return found

    def _platform_of(self, claims: dict[str, object], client_id: str | None) -> Platform:
        audience = claims.get("aud")
        if client_id is not None and client_id != audience:
            raise Malformed("oidc.client-unknown", "client_id is not the token's audience")
        platform = self._services.platforms.find(str(audience))
        if platform is None:
            raise Malformed("oidc.client-unknown", "no such platform is registered")
        return platform


def frame_sources(frames: list[str]) -> str:
    """The origins of the frames, for a Content-Security-Policy."""
    origins = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, frames)}
    return " ".join(sorted(origins))


def _after_logout(platform: Platform, asked: MultiDict[str, str]) -> str | None:
    target = asked.get("post_logout_redirect_uri")
    if target is None:
        return None
    if target not in platform.post_logout_redirect_uris:
        raise Malformed(
            "oidc.post-logout-redirect-uri", "the platform did not register this address"
        )
    state = asked.get("state")
    return with_parameters(target, [("state", state)]) if state else target
