"""One beat: a small HTTP request from the agent to the service behind an allowed origin."""

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from key_agent.origins import LOOPBACK

PATH = "/api/v1/sign-in/presence"
_SECONDS = 3
_MAX_ANSWER_BYTES = 4096


@dataclass(frozen=True)
class Told:
    """What came back."""

    status: int | None
    """Of HTTP; None when nobody answered."""
    code: str | None = None
    """Of a refusal."""

    @property
    def heard(self) -> bool:
        return self.status == 204


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The secret is for the origin alone."""

    def redirect_request(self, *_: Any) -> None:
        return None


def tell(origin: str, secret: str, present: bool) -> Told:
    """`origin` is one that `parse_origin` passed. TLS by the system's own list of authorities;
    a proxy as the system says, but for loopback. Never raises for what the other end does."""
    request = urllib.request.Request(  # noqa: S310 `parse_origin` lets http and https through alone
        origin + PATH,
        data=json.dumps({"secret": secret, "present": present}).encode(),
        headers={"Content-Type": "application/json", "Accept": "application/problem+json"},
    )
    try:
        with _opener(origin).open(request, timeout=_SECONDS) as answer:
            return Told(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return Told(error.code, _code(error))
    except (OSError, HTTPException):
        return Told(None)


def _opener(origin: str) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [
        _NoRedirects(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
    ]
    if urlsplit(origin).hostname in LOOPBACK:
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)


def _code(error: urllib.error.HTTPError) -> str | None:
    try:
        problem = json.loads(error.read(_MAX_ANSWER_BYTES))
    except (OSError, HTTPException, ValueError):
        return None
    code = problem.get("code") if isinstance(problem, dict) else None
    return code if isinstance(code, str) else None
