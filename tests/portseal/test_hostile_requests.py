"""No input gives a 500: every route of the running service under requests made to break it."""

import http.client
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import pytest

from tests.portseal import hostile
from tests.portseal.service import RunningService

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "X")
BARE = ("/ocsp", "/crl", "/certs", "/tsa")
PROGRAMS = ("/api/", "/oidc/token", "/oidc/userinfo", "/.well-known/", "/health/")
ENDS_THE_SESSION = {"/api/v1/sign-in", "/sso/sign-out", "/oidc/end-session"}
_LIST_ROUTES = """
import json
from portseal.factory import create
flask = create()._rest
print(json.dumps([[r.rule, sorted(r.methods)] for r in flask.url_map.iter_rules()]))
"""


@dataclass(frozen=True)
class Route:
    path: str
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Attacker:
    """Sends anything; notes every answer that a careful server does not give."""

    def __init__(self, origin: str, cookie: str = "") -> None:
        parts = urlsplit(origin)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._origin = origin
        self._cookie = cookie
        self._connection: http.client.HTTPConnection | None = None
        self.sent = 0
        self.faults: list[str] = []

    def __enter__(self) -> "Attacker":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        media_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer | None:
        """The answer, or None when the server closed the connection (it may, without a word)."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, self._port, timeout=60)
        connection = self._connection
        all_headers = {"Origin": self._origin, "X-PortSeal-Request": "x", **(headers or {})}
        if self._cookie:
            all_headers.setdefault("Cookie", self._cookie)
        if media_type is not None:
            all_headers["Content-Type"] = media_type
        self.sent += 1
        what = f"{method} {target[:80]} {media_type} {(body or b'')[:80]!r} {headers or ''!s:.80}"
        try:
            connection._validate_path = lambda path: None  # type: ignore[attr-defined]
            connection.putrequest(
                method, target, skip_host="Host" in all_headers, skip_accept_encoding=True
            )
            for name, value in all_headers.items():
                connection.putheader(name, value.encode("latin-1", "replace"))
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            answer = Answer(
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                response.read(),
            )
        except (http.client.HTTPException, ConnectionError):
            self._close()
            return None
        except TimeoutError:
            self._close()
            self.faults.append(f"no answer: {what}")
            return None
        if response.will_close:
            self._close()
        fault = self._fault(answer, target, method)
        if fault:
            self.faults.append(f"{fault}: {what}")
        return answer

    def _fault(self, answer: Answer, target: str, method: str) -> str | None:
        if answer.status >= 500:
            return f"{answer.status} {answer.body[:200]!r}"
        if b"Traceback" in answer.body or b"root:x:0" in answer.body:
            return "tells too much"
        if answer.status < 400 or method == "HEAD" or not target.startswith(PROGRAMS):
            return None
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        if target.startswith(("/oidc/", "/.well-known/")) and media_type == "application/json":
            # RFC 6750, 3.1: who sent no token is told so by the header alone.
            told = "error" in json.loads(answer.body) or "www-authenticate" in answer.headers
            return None if told else "no OAuth error"
        if not answer.body and "x-request-id" not in answer.headers:
            return None  # the HTTP server itself did not take it for a request
        if media_type != "application/problem+json":
            return f"{answer.status} is {media_type}"
        code = str(json.loads(answer.body)["code"])
        return None if re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", code) else f"code {code!r}"


@pytest.fixture(scope="session")
def routes(service: RunningService) -> list[Route]:
    """Every rule of the application, as the application itself lists them."""
    done = subprocess.run(
        [sys.executable, "-c", _LIST_ROUTES],
        env=service.site.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    listed = [Route(path, tuple(methods)) for path, methods in json.loads(done.stdout)]
    assert len(listed) > 50
    return listed


@pytest.fixture(autouse=True, scope="module")
def nothing_unforeseen_in_the_log(service: RunningService) -> Iterator[None]:
    before = len(service.log())
    yield
    assert "Traceback" not in service.log()[before:]


Attack = Callable[..., Attacker]


@pytest.fixture
def attack(service: RunningService) -> Iterator[Attack]:
    """Makes attackers, and says at the end what they found."""
    with ExitStack() as stack:
        made: list[Attacker] = []

        def make(cookie: str = "") -> Attacker:
            made.append(stack.enter_context(Attacker(service.origin, cookie)))
            return made[-1]

        yield make
        assert [fault for attacker in made for fault in attacker.faults] == []
        assert made


def cookie_of(service: RunningService, label: str | None) -> tuple[str, str]:
    """Cookie header of a session, signed in or not, and a form token that is valid in it."""
    conversation = service.anonymous() if label is None else service.signed_in(label)
    page = conversation.fetch("GET", "/apply", headers={"Accept": "text/html"}).text
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    jar = conversation.session.cookies
    return "; ".join(f"{each.name}={each.value}" for each in jar), found[1]


def targets(route: Route) -> list[str]:
    """The path with its variable segments filled in by what nobody has."""
    if "<" not in route.path:
        return [route.path]
    fillings = ("0" * 32, "OP-2026-ABCDEFGH", "%00", "%ed%a0%80", "..%2f..", "%c3%a9", "x" * 3000)
    return [re.sub(r"<[^>]+>", filling, route.path) for filling in fillings]


def test_any_method_on_any_route(
    attack: Attack, service: RunningService, routes: list[Route]
) -> None:
    attacker = attack()
    for route in routes:
        for target in targets(route):
            for method in METHODS:
                attacker.send(method, target)
    for path in BARE:
        for method in METHODS:
            attacker.send(method, path)
    assert attacker.sent > 1000


def test_any_path(attack: Attack) -> None:
    attacker = attack()
    for path in hostile.PATHS:
        for method in ("GET", "POST"):
            attacker.send(method, path.encode().decode("latin-1"))


@pytest.mark.long
@pytest.mark.parametrize("label", [None, "administrator", "registrar", "legal-person", "operator"])
def test_any_json_from_anybody(
    attack: Attack, service: RunningService, routes: list[Route], label: str | None
) -> None:
    cookie, _ = cookie_of(service, label)
    attacker = attack(cookie)
    bodies = hostile.json_bodies()
    for route in routes:
        if not route.path.startswith("/api/") or route.path in ENDS_THE_SESSION - {
            "/api/v1/sign-in" if label is None else ""
        }:
            continue
        for method in sorted({"POST", "PUT"} & set(route.methods)):
            for body in bodies:
                answer = attacker.send(method, targets(route)[0], body, "application/json")
                assert answer is None or answer.status not in (301, 302)
    assert attacker.sent > 900


@pytest.mark.long
@pytest.mark.parametrize("label", [None, "legal-person", "approver", "administrator"])
def test_any_form_and_query_from_anybody(
    attack: Attack, service: RunningService, routes: list[Route], label: str | None
) -> None:
    cookie, token = cookie_of(service, label)
    attacker = attack(cookie)
    page = {"Accept": "text/html"}
    for route in routes:
        if route.path in ENDS_THE_SESSION and label is not None:
            continue
        target = targets(route)[0]
        for query in hostile.QUERIES if "GET" in route.methods else ():
            attacker.send("GET", f"{target}?{query}", headers=page)
        for text in hostile.TEXTS if "POST" in route.methods else ():
            fields = dict.fromkeys(hostile.FORM_FIELDS, text.encode("utf-8", "surrogatepass"))
            body = urlencode({**fields, "csrf_token": token}).encode()
            attacker.send("POST", target, body, "application/x-www-form-urlencoded", page)
    assert attacker.sent > 500


def test_any_multipart(attack: Attack, service: RunningService, routes: list[Route]) -> None:
    cookie, token = cookie_of(service, None)
    attacker = attack(cookie)
    field = b'Content-Disposition: form-data; name="csrf_token"'
    for path in ("/api/v1/applications", "/api/v1/verifications", "/apply", "/verify"):
        for body in hostile.multiparts():
            whole = hostile.part(field, token.encode()) + body if path == "/apply" else body
            attacker.send("POST", path, whole, "multipart/form-data; boundary=edge")
            attacker.send("POST", path, body, "multipart/form-data; boundary=other")


def test_any_media_type(attack: Attack, service: RunningService, routes: list[Route]) -> None:
    attacker = attack(cookie_of(service, None)[0])
    paths = [targets(route)[0] for route in routes if {"POST", "PUT"} & set(route.methods)]
    for path in (*paths, *BARE):
        for media_type in hostile.MEDIA_TYPES:
            attacker.send("POST", path, b"a=b", media_type)


def test_any_header(attack: Attack) -> None:
    attacker = attack()
    paths = ("/", "/apply", "/api/v1/rights", "/oidc/userinfo", "/oidc/token", "/crl/issuing.crl")
    for headers in hostile.HEADERS:
        for path in (*paths, "/officer/applications", "/api/v1/operators", "/static/theme.css"):
            attacker.send("GET", path, headers=headers)
            attacker.send("POST", path, b"{}", "application/json", headers)


@pytest.mark.parametrize("path", ["/ocsp", "/tsa", "/api/v1/verifications", "/api/v1/enrolments"])
def test_an_oversized_body_is_refused_as_too_large(attack: Attack, path: str) -> None:
    attacker = attack()
    body = b"\x30" * (48 << 20)
    media_type = {
        "/ocsp": "application/ocsp-request",
        "/tsa": "application/timestamp-query",
        "/api/v1/verifications": "multipart/form-data; boundary=edge",
    }.get(path, "application/json")
    answer = attacker.send("POST", path, body, media_type)
    assert answer is None or answer.status == 413
    after = attack().send("GET", "/health/live")
    assert after is not None
    assert after.status == 200


def test_an_unknown_path_of_the_interface_is_a_problem(attack: Attack) -> None:
    answer = attack().send("GET", "/api/v1/nothing", headers={"Accept": "*/*"})
    assert answer is not None
    problem = json.loads(answer.body)
    assert (answer.status, problem["code"], problem["status"]) == (404, "http.not-found", 404)
    assert answer.headers["x-request-id"] == problem["request_id"]
