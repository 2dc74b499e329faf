"""The layout around every room's pages: language, navigation, security headers."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

from flask import Flask, Response, has_request_context, request
from flask_babel import Babel, lazy_gettext
from flask_wtf.csrf import generate_csrf

from key_agent import DEFAULT_PORT
from portseal.web.agent_files import agent_source, install_agent_files
from portseal.web.navigation import current, navigation

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
STATIC = HERE / "static"
CATALOGUES = tuple(
    HERE.parents[1] / room / "translations"
    for room in ("portseal", "ra_portal", "signing_service", "key_centre")
)
"""Folders of message catalogues, one a room that has pages."""

LANGUAGES = {"zh": "中文", "en": "English"}
_LOCALES = {"zh": "zh_Hans", "en": "en_GB"}
"""British English writes the day before the month, and the month in letters where it can."""
_TAGS = {"zh": "zh-Hans", "en": "en"}
_COOKIE = "language"
_COOKIE_SECONDS = 365 * 24 * 3600

_KINDS = {
    "legal-person": lazy_gettext("Legal-person card"),
    "operator": lazy_gettext("Operator card"),
    "officer": lazy_gettext("Officer card"),
}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self' {agent}; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_HTTPS_ALONE = {"Strict-Transport-Security": "max-age=31536000"}
"""RFC 6797; not for hosts below ours: the status host speaks plain http (RFC 5280, 8)."""


class Visitor(Protocol):
    """What the layout needs to know of whoever is signed in."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str | None:
        """`legal-person`, `operator` or `officer`."""

    @property
    def branch(self) -> str | None:
        """Where an officer works; None: at the head office, or no officer."""

    @property
    def roles(self) -> frozenset[str]: ...

    def may(self, permission: str) -> bool:
        """Of `policies/permissions.toml`."""


def install_layout(
    app: Flask,
    visitor: Callable[[], Visitor | None],
    origin: str,
    agent_port: int = DEFAULT_PORT,
) -> None:
    """Give `app` the layout: templates and static files of this package, language, headers.

    `visitor` tells who is signed in with this request; `origin` is where the service is reached, as
    commands on pages name it, whatever Host a request says; `agent_port` is where pages look for
    the key agent. The application must have been made with `template_folder=TEMPLATES` and
    `static_folder=STATIC`.
    """
    Babel(
        app,
        default_locale="zh_Hans",
        default_timezone="Asia/Shanghai",
        default_translation_directories=";".join(map(str, CATALOGUES)),
        locale_selector=_locale,
    )
    app.jinja_env.globals["csrf_token"] = generate_csrf
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    install_agent_files(app, agent_port)
    headers = {
        name: value.format(agent=agent_source(agent_port)) for name, value in _HEADERS.items()
    }
    if origin.startswith("https:"):
        headers |= _HTTPS_ALONE

    @app.context_processor
    def layout() -> dict[str, object]:
        who = visitor()
        groups = tuple(
            navigation(None, lambda _: False)
            if who is None
            else navigation(who.kind, who.may, who.branch)
        )
        path = request.path if has_request_context() else "/"
        return {
            "service_origin": origin,
            "visitor": who,
            "visitor_kinds": _KINDS,
            "navigation": groups,
            "navigation_current": current(path, groups),
            "language": language(),
            "language_links": _language_links(),
            "locale": _TAGS[language()],
        }

    @app.after_request
    def finish(response: Response) -> Response:
        return _finish(response, headers)


def language() -> str:
    """`zh` or `en`: asked for in the address, chosen before, or what the browser prefers."""
    if not has_request_context():
        return "zh"
    for choice in (request.args.get("lang"), request.cookies.get(_COOKIE)):
        if choice in LANGUAGES:
            return choice
    return request.accept_languages.best_match(list(LANGUAGES), "zh")


def _locale() -> str:
    return _LOCALES[language()]


def _language_links() -> list[tuple[str, str, str]]:
    """Code, name and address of this page in each language; none on the answer to a form, which
    stays in the language of its moment (docs/decisions/0052)."""
    if not has_request_context() or request.method != "GET":
        return []
    kept = {name: value for name, value in request.args.items() if name != "lang"}
    return [
        (code, name, "?" + urlencode({**kept, "lang": code})) for code, name in LANGUAGES.items()
    ]


def _finish(response: Response, headers: dict[str, str]) -> Response:
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    # A file that is not there is answered with a page, which names who is signed in.
    is_file = request.endpoint in {"static", "agent.file"} and response.status_code < 400
    if not is_file:
        response.headers.setdefault("Cache-Control", "no-store")
    chosen = request.args.get("lang")
    if chosen in LANGUAGES:
        response.set_cookie(
            _COOKIE,
            chosen,
            max_age=_COOKIE_SECONDS,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure,
        )
    response.vary.update(("Accept-Language", "Cookie"))
    return response
