"""Sign-ins, end to end over HTTP, on PostgreSQL: challenge, proof with the card, code, tokens.

Load generator, service and database share this machine, so what is told first is sign-ins for each
second of processor time that service and database spend together: per second and core, whoever
else is busy. The constant Flask answers beside it are counted in the same way, four to a sign-in.
`signin.postgresql.wall` is what the same rounds did by the clock on the wall, load generator and
all. The holders' keys are in software: their signatures are made on their own computers, and
sixteen logged-in tokens in the generator would only slow it.
"""

import base64
import hashlib
import http.client
import itertools
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields, organization_identifier
from kernel.identifiers import serial_text, uscc_check_character
from portseal.sandbox.ports import free_port
from portseal.sandbox.postgresql import PostgreSQL
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card, CardState
from ra_portal.people import people_rows
from ra_portal.people.people import Enterprise, Operator
from records.database import new_id
from signing_service.sso.authentication_token import make_authentication_token
from signing_service.sso.platforms import Registration
from tests.bench.loopback import serving
from tests.bench.processor_time import processor_seconds
from tests.bench.site import Site, open_site
from tests.bench.timing import Measure, Pace, Row, best
from tests.software_keys import SoftwareKey
from tests.token import TokenBench

_HOLDERS = 16
_AT_ONCE = 4
_CALLBACK = "https://platform.example/callback"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}


def signing_in(site: Site, pace: Pace) -> list[Row]:
    """`site` is on SQLite; this has a site of its own."""
    with tempfile.TemporaryDirectory(prefix="portseal-signin-") as directory:
        place = Path(directory)
        tokens = TokenBench(place / "softhsm")
        with (
            PostgreSQL() as server,
            server.fresh_database() as url,
            open_site(place, tokens, url) as ours,
        ):
            return _rows(ours, _database_process(server), pace)


def _rows(site: Site, database: int, pace: Pace) -> list[Row]:
    platform = site.house.sso.platforms.register_platform("Bench", [_CALLBACK], actor="bench")
    holders = [_holder(site) for _ in range(_HOLDERS)]
    environment = {**os.environ, "PORTSEAL_CONFIG": str(site.settings_file)}
    serve = [sys.executable, "-m", "portseal.cli", "serve"]
    port = free_port()
    flask = f"http://127.0.0.1:{port}"
    constant = [sys.executable, "-m", "tests.bench.constant_flask", str(port)]
    with (
        serving(serve, f"{site.origin}/health/ready", environment) as service,
        serving(constant, f"{flask}/") as peer,
    ):
        people = [Person(site.origin, platform, *holder) for holder in holders]
        visitors = [Visitor(flask) for _ in range(_AT_ONCE)]
        walls: dict[str, list[float]] = {"ours": [], "flask": []}
        rates = best(
            {
                "ours": _per_core(
                    [each.sign_in for each in people], walls["ours"], service.pid, database
                ),
                "flask": _per_core([each.visit for each in visitors], walls["flask"], peer.pid),
            },
            pace,
        )
    name = "constant Flask answers, four to a sign-in"
    return [
        Row("signin.postgresql", rates["ours"], rates["flask"] / 4, name),
        Row("signin.postgresql.wall", max(walls["ours"]), max(walls["flask"]) / 4, name),
    ]


def _per_core(
    works: list[Callable[[], None]], by_the_clock: list[float], *processes: int
) -> Measure:
    """How often the works are done in one second of these processes' processor time; each round's
    rate by the clock is noted, too.

    Each work is done by one thread at a time."""

    def measure(seconds: float) -> float:
        started = time.monotonic()
        until = started + seconds

        def repeat(mine: list[Callable[[], None]]) -> int:
            count = 0
            for work in itertools.cycle(mine):
                work()
                count += 1
                if time.monotonic() >= until:
                    break
            return count

        before = processor_seconds(*processes)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            done = sum(pool.map(repeat, [works[each::_AT_ONCE] for each in range(_AT_ONCE)]))
        by_the_clock.append(done / (time.monotonic() - started))
        spent = processor_seconds(*processes) - before
        return done / max(spent, 0.01)

    return measure


@dataclass
class Visitor:
    """A kept-alive connection."""

    origin: str

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(self.origin.removeprefix("http://"))

    def call(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return answer, answer.read()

    def visit(self) -> None:
        answer, _ = self.call("GET", "/", None, {})
        assert answer.status == 200


class Person(Visitor):
    """A holder's browser, and behind it the platform that the holder signs in to."""

    def __init__(
        self, origin: str, platform: Registration, key: SoftwareKey, certificate: bytes
    ) -> None:
        super().__init__(origin)
        self._key, self._certificate = key, certificate
        self._client_id = platform.platform.client_id
        pair = f"{self._client_id}:{platform.secret}".encode()
        self._basic = {"Authorization": f"Basic {base64.b64encode(pair).decode()}", **_FORM}

    def sign_in(self) -> None:
        """A new browser session: challenge, proof, code, tokens. Raises RuntimeError."""
        told, body = self.call("POST", "/api/v1/sign-in/challenges", "{}", _JSON)
        browser = cookie_of(told)
        nonce = json.loads(body)["nonce"]
        token = make_authentication_token(
            self._key, self._certificate, self.origin, nonce, "bench/1"
        )
        proof = json.dumps({"token": token, "nonce": nonce})
        told, _ = self.call("POST", "/api/v1/sign-in", proof, {**_JSON, "Cookie": browser})
        verifier = secrets.token_urlsafe(32)
        told, _ = self.call("GET", self._request(verifier), None, {"Cookie": cookie_of(told)})
        code = parse_qs(urlsplit(told.headers["Location"]).query)["code"][0]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": _CALLBACK,
            "code_verifier": verifier,
        }
        told, body = self.call("POST", "/oidc/token", urlencode(form), self._basic)
        if told.status != 200 or "id_token" not in json.loads(body):
            raise RuntimeError(f"no token: {body[:200]!r}")

    def _request(self, verifier: str) -> str:
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": _CALLBACK,
            "scope": "openid profile enterprise rights card",
            "state": secrets.token_urlsafe(8),
            "nonce": secrets.token_urlsafe(8),
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return "/oidc/authorize?" + urlencode(asked)


def cookie_of(answer: http.client.HTTPResponse) -> str:
    """The cookie that was set, to be sent back."""
    found = [each for each in answer.headers.get_all("Set-Cookie") or [] if "Max-Age=0" not in each]
    if answer.status != 200 or not found:
        raise RuntimeError(f"no cookie, status {answer.status}")
    return found[0].partition(";")[0]


def _holder(site: Site) -> tuple[SoftwareKey, bytes]:
    """An operator with a card, as registration leaves them."""
    key, now = SoftwareKey.generate(), datetime.now(UTC)
    body = f"91330200{secrets.randbelow(10**9):09}"
    uscc = body + uscc_check_character(body)
    enterprise = Enterprise(
        new_id(), uscc, "宁波样例进出口有限公司", secrets.token_hex(5).upper(), "样例",
        "宁波", now,
    )  # fmt: skip
    operator = Operator(new_id(), enterprise.id, "李四", "0001", now)
    number = f"OP-2026-{''.join(secrets.choice('23456789ABCDEFGH') for _ in range(8))}"
    fields = SubjectFields(
        organization=enterprise.name,
        organization_identifier=organization_identifier(enterprise.uscc),
        common_name=operator.name,
        serial_number=number,
    )
    authority = site.house.authorities.issuing
    request = CertificateRequest(key.public_key, fields, requester="bench", reference=number)
    issued = authority.issue(authority.prepare("operator", request))
    card = Card(
        new_id(), number, operator.holder, CardState.ACTIVE, now,
        serial=serial_text(issued.certificate.serial),
        fingerprint=issued.certificate.fingerprint,
        certificate=issued.certificate.der,
        activated_at=now,
        not_after=issued.certificate.not_after,
    )  # fmt: skip
    with site.house.database.transaction() as connection:
        people_rows.add_enterprise(connection, enterprise)
        people_rows.add_operators(connection, [operator])
        card_rows.add(connection, card)
    return key, issued.certificate.der


def _database_process(server: PostgreSQL) -> int:
    return int((server.directory / "data" / "postmaster.pid").read_text().split()[0])
