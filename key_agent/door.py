"""The HTTP door on loopback: what a request must be before the agent hears of it (WSGI)."""

import json
import logging
import re
import secrets
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from kernel.refusals import Forbidden, Malformed, NotFound, Refusal, TooLarge
from key_agent.agent import Agent
from key_agent.asking import Request
from key_agent.origins import parse_origin
from key_agent.peers import require_own_user

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_log = logging.getLogger("portseal.agent")
_PATH = re.compile(r"/v1/([a-z_]{1,40})")
_LOOPBACK = "127.0.0.1"
_PREFLIGHT_SECONDS = "600"


class _Misdirected(Refusal):
    """The request names another host (RFC 9110, 15.5.20)."""

    status = 421


class _NotAllowed(Refusal):
    status = 405


class Door:
    """Turns requests into calls of the agent, and refusals into application/problem+json."""

    def __init__(
        self,
        agent: Agent,
        port: int,
        require_peer: Callable[[int, int], None] = require_own_user,
    ) -> None:
        self._agent = agent
        self._port = port
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._require_peer = require_peer

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        headers: list[tuple[str, str]] = []
        try:
            self._require_surroundings(environ)
            origin = parse_origin(environ.get("HTTP_ORIGIN"))
            headers = _cross_origin(origin)
            if environ["REQUEST_METHOD"] == "OPTIONS":
                headers += self._preflight(environ)
                start_response("204 No Content", headers)
                return [b""]
            status, media, answer = 200, "application/json", self._answer(environ, origin)
        except Refusal as refusal:
            status, media, answer = refusal.status, "application/problem+json", _problem(refusal)
        except Exception as error:  # noqa: BLE001 the page hears that it failed; the log, why
            identifier = secrets.token_hex(6)
            _log.error("request %s failed", identifier, exc_info=error)
            status, media = 500, "application/problem+json"
            answer = {
                "code": "agent.failed",
                "detail": "something failed that should not have",
                "status": 500,
                "facts": {"request": identifier},
            }
        body = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
        headers += [
            ("Content-Type", media),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [body]

    def _require_surroundings(self, environ: "WSGIEnvironment") -> None:
        """Raises Forbidden `peer.not-loopback`, `peer.other-user`; Misdirected `host.unknown`."""
        if environ.get("REMOTE_ADDR") != _LOOPBACK:
            raise Forbidden("peer.not-loopback", "the key agent serves this computer alone")
        self._require_peer(int(environ.get("REMOTE_PORT") or 0), self._port)
        # A name that was rebound to loopback still stands in Host.
        if environ.get("HTTP_HOST") not in self._hosts:
            raise _Misdirected("host.unknown", "the key agent answers to its own address alone")

    def _preflight(self, environ: "WSGIEnvironment") -> list[tuple[str, str]]:
        """Raises NotFound `method.unknown`."""
        self._method_name(environ)
        allowed = [
            ("Access-Control-Allow-Methods", "POST"),
            ("Access-Control-Allow-Headers", "content-type"),
            ("Access-Control-Max-Age", _PREFLIGHT_SECONDS),
        ]
        if environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true":
            allowed.append(("Access-Control-Allow-Private-Network", "true"))
        return allowed

    def _answer(self, environ: "WSGIEnvironment", origin: str) -> dict[str, Any]:
        name = self._method_name(environ)
        if environ["REQUEST_METHOD"] != "POST":
            raise _NotAllowed("method.not-allowed", "send POST")
        if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != "application/json":
            raise Malformed("request.media-type", "send application/json")
        length = _length(environ.get("CONTENT_LENGTH"))
        limit = self._agent.method(name).limit
        if length > limit:
            raise TooLarge("request.too-large", "the request is too large", limit=limit)
        self._agent.patience.request(origin)
        data = environ["wsgi.input"].read(length)
        gone = environ.get("waitress.client_disconnected")
        request = Request(origin) if gone is None else Request(origin, gone)
        return self._agent.call(name, request, data)

    def _method_name(self, environ: "WSGIEnvironment") -> str:
        match = _PATH.fullmatch(environ.get("PATH_INFO", ""))
        if match is None or environ.get("QUERY_STRING"):
            raise NotFound("method.unknown", "the key agent has no such method")
        self._agent.method(match[1])
        return match[1]


def _cross_origin(origin: str) -> list[tuple[str, str]]:
    """The page may read the answer, refusals included; nobody else's page may."""
    return [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]


def _length(told: str | None) -> int:
    """Raises Malformed `request.length`."""
    if told is None or not re.fullmatch(r"\d{1,12}", told):
        raise Malformed("request.length", "tell the length of the request")
    return int(told)


def _problem(refusal: Refusal) -> dict[str, Any]:
    told = {"code": refusal.code, "detail": refusal.detail, "status": refusal.status}
    return {**told, **({"facts": dict(refusal.facts)} if refusal.facts else {})}
