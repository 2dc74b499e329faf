"""What a browser holds: two opaque cookies, and where it may be sent next."""

import re
from urllib.parse import parse_qs, urlsplit

from flask import Response, current_app, request

from kernel.json_bodies import json_octets, read_object
from kernel.refusals import Forbidden
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import SignedIn, new_secret

EXTENSION = "portseal-sso"
# In the request's environment and not in `g`, which outlives a request where an application
# context was pushed around it: one holder must never be taken for the next.
_SIGNED_IN = "portseal.signed_in"
_SAFE_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,4095}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
AUTHORIZE_PATH = "/oidc/authorize"
END_SESSION_PATH = "/oidc/end-session"
DECLINE_PATH = "/oidc/decline"
CAS_LOGIN_PATH = "/cas/login"
REMOTE_AUTHORIZE_PATH = "/csc/v2/oauth2/authorize"


class Cookies:
    """The names and terms of our cookies: HttpOnly, Secure with https, SameSite=Lax.

    With https the names carry `__Host-`: no neighbouring host can plant such a cookie.
    """

    def __init__(self, services: SsoServices) -> None:
        self._services = services
        self._secure = services.settings.is_secure
        prefix = "__Host-" if self._secure else ""
        self.browser_name = prefix + "portseal-browser"
        self.session_name = prefix + "portseal-session"

    def browser(self) -> str | None:
        """The anonymous browser's secret, which challenges are bound to."""
        return _secret(self.browser_name)

    def session(self) -> str | None:
        """The secret of a session that may be live."""
        return _secret(self.session_name)

    def new_browser(self) -> str:
        return new_secret(self._services.entropy)

    def remember_browser(self, response: Response, secret: str) -> None:
        seconds = self._services.settings.session_absolute_seconds
        self._set(response, self.browser_name, secret, seconds)

    def remember_session(self, response: Response, secret: str) -> None:
        """The session's cookie ends with the browser; the anonymous one has done its work."""
        self._set(response, self.session_name, secret, None)
        self._forget(response, self.browser_name)

    def forget_session(self, response: Response) -> None:
        self._forget(response, self.session_name)

    def _set(self, response: Response, name: str, secret: str, seconds: int | None) -> None:
        response.set_cookie(
            name,
            secret,
            max_age=seconds,
            secure=self._secure,
            httponly=True,
            samesite="Lax",
            path="/",
        )

    def _forget(self, response: Response, name: str) -> None:
        response.delete_cookie(name, secure=self._secure, httponly=True, samesite="Lax", path="/")


def current_session() -> SignedIn | None:
    """Who is signed in with this request; looked up once per request.

    Raises Unavailable, the first time in a request, when the card's status cannot be told; after
    that nobody is signed in, so that an error page with the usual layout can be drawn. For any
    room's routes, through the front hall; None where the sign-in routes are not mounted.
    """
    extension = current_app.extensions.get(EXTENSION)
    if extension is None:
        return None
    if _SIGNED_IN not in request.environ:
        services, cookies = extension
        # What fails is told once: the page that says so is for nobody in particular.
        set_current_session(None)
        set_current_session(services.sessions.use(cookies.session()))
    signed_in: SignedIn | None = request.environ[_SIGNED_IN]
    return signed_in


def set_current_session(signed_in: SignedIn | None) -> None:
    """After a sign-in or sign-out within this request: what the rest of it sees."""
    request.environ[_SIGNED_IN] = signed_in


def safe_next(path: str | None, home: str) -> str:
    """`path` if it is a path of our own origin, else `home`: never an open redirect.

    Printable ASCII only: browsers drop tabs and line ends and read a backslash as a slash.
    """
    return path if path is not None and _SAFE_PATH.fullmatch(path) else home


def leads_to_a_platform(next_path: str) -> bool:
    """Whether the holder is on the way to another origin."""
    return next_path.partition("?")[0] in (AUTHORIZE_PATH, CAS_LOGIN_PATH)


def asking_platform(services: SsoServices, next_path: str) -> str | None:
    """The name of the platform on whose behalf the holder is asked to sign in."""
    parts = urlsplit(next_path)
    asked = parse_qs(parts.query)
    if parts.path == CAS_LOGIN_PATH:
        named = asked.get("service", [])
        platform = services.platforms.by_cas_service(named[0]) if len(named) == 1 else None
    elif parts.path in (AUTHORIZE_PATH, REMOTE_AUTHORIZE_PATH):
        named = asked.get("client_id", [])
        platform = services.platforms.find(named[0]) if len(named) == 1 else None
    else:
        platform = None
    return None if platform is None else platform.name


def require_own_origin(services: SsoServices) -> None:
    """Raises Forbidden `signin.foreign-origin` when another site's page sent the request."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "none")
    if (origin is not None and origin != services.settings.origin) or site not in {
        "none",
        "same-origin",
    }:
        raise Forbidden("signin.foreign-origin", "the request comes from another site's page")


def json_object(max_octets: int) -> dict[str, object]:
    """The request's JSON object. Raises Malformed `request.media-type`,
    `request.malformed`, TooLarge `request.too-large`."""
    return read_object(json_octets(request, max_octets))


def _secret(name: str) -> str | None:
    value = request.cookies.get(name, "")
    return value if _SECRET.fullmatch(value) else None
