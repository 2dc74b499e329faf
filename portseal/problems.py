"""One table from refusals to answers: application/problem+json (RFC 9457), or a page.

A program gets JSON; a person's browser gets a page that says the same in words. An error that
nobody foresaw is a bare 500 with the request's identifier, and its trace goes to the log only.
"""

import logging
import re
import secrets
import time
from typing import TypeVar

from flask import Flask, Response, current_app, g, jsonify, request
from flask_babel import format_datetime, gettext
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response as BaseResponse

from kernel.refusals import Refusal
from kernel.request_id import current_request
from portseal.logs import access
from portseal.web.errors import error_page

_log = logging.getLogger("portseal.web")
_API_PREFIXES = (
    "/api/",
    "/oidc/",
    "/.well-known/",
    "/health/",
    "/csc/v2/info",
    "/csc/v2/oauth2/token",
    "/csc/v2/credentials/",
    "/csc/v2/signatures/",
)
_PAGES = ("/oidc/authorize", "/oidc/decline", "/oidc/end-session")
"""Among them, what a person's browser is sent to."""
_REQUEST_ID = re.compile(r"^[0-9A-Za-z-]{8,64}$")


def install(app: Flask) -> None:
    """Give the application its error handlers and every request an identifier."""

    @app.before_request
    def identify() -> None:
        named = request.headers.get("X-Request-Id", "")
        g.request_id = named if _REQUEST_ID.fullmatch(named) else secrets.token_hex(8)
        g.started = time.monotonic()
        g.before = current_request.set(g.request_id)

    @app.after_request
    def tell(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        if "started" in g:
            rule = request.url_rule  # the address itself may hold what is nobody's business
            told = {
                "method": request.method,
                "route": "unknown" if rule is None else rule.rule,
                "status": response.status_code,
                "milliseconds": round((time.monotonic() - g.started) * 1000, 1),
            }
            access.info("%(method)s %(route)s %(status)d", told, extra=told)
        return response

    @app.teardown_request
    def forget(error: BaseException | None) -> None:
        if "before" in g:  # the thread goes on to another request
            current_request.reset(g.pop("before"))

    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> Response:
        answer = _answer(refusal.status, refusal.code, _in_words(refusal), dict(refusal.facts))
        if "retry_after" in refusal.facts:
            answer.headers["Retry-After"] = str(refusal.facts["retry_after"])
        return answer

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> BaseResponse:
        status = error.code or 500
        if error.response is not None:
            return error.response
        name = (error.name or "error").lower().replace(" ", "-")
        return _answer(status, f"http.{name}", error.description or error.name, {})

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        _log.error("request %s failed", g.get("request_id", ""), exc_info=error)
        return _answer(500, "internal", "something failed that should not have", {})


def _answer(
    status: int, code: str, detail: str, facts: dict[str, str | int | bool | None]
) -> Response:
    identifier = g.get("request_id", "")
    if wants_page():
        body, _ = error_page(status, code, _sayable(detail), identifier)
        return Response(body, status, mimetype="text/html")
    response = jsonify(
        {
            "type": f"urn:portseal:problem:{code}",
            "title": code,
            "status": status,
            "detail": _sayable(detail),
            "code": code,
            "request_id": identifier,
            **({"facts": {n: _sayable(v) for n, v in facts.items()}} if facts else {}),
        }
    )
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


def _in_words(refusal: Refusal) -> str:
    """In the language of a page, or of one whose script asks; a program that asks for none gets
    English."""
    is_for_a_person = bool(request.accept_languages) or wants_page()
    if not is_for_a_person or "babel" not in current_app.extensions:
        return refusal.detail
    return refusal.said(gettext, format_datetime)


FactT = TypeVar("FactT")


def _sayable(value: FactT) -> FactT | str:
    """Text that came with the request may hold lone surrogates, which no answer can carry."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def wants_page() -> bool:
    """Whether a person's browser asks: HTML preferred, and not one of the program interfaces."""
    if request.path.startswith(_API_PREFIXES) and request.path not in _PAGES:
        return False
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return best == "text/html"
