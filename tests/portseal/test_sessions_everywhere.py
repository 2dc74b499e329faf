"""On a running service with its worker: a card that is frozen, or pulled out, is signed out at
every platform within seconds. The time is measured, not assumed."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from kernel.refusals import Refusal
from portseal.demo.signin_steps import register_platform
from portseal.holder.card import Card
from portseal.holder.service import Service
from tests.portseal.service import RunningService
from tests.signing_service.sso.flow import s256

WITHIN_SECONDS = 5.0


class Platform:
    """Two kinds of platform in one: it gets codes and tickets, and hears of ended sessions."""

    def __init__(self) -> None:
        self.heard: dict[str, float] = {}
        self.hears = threading.Condition()
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                with platform.hears:
                    platform.heard |= dict.fromkeys(parse_qs(body), time.monotonic())
                    platform.hears.notify_all()
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def enter(self, service: RunningService, browser: Service, client: dict[str, str]) -> None:
        """The holder signs in here, over OpenID Connect and over CAS."""
        verifier = "v" * 43
        asked = {
            "response_type": "code",
            "client_id": client["client_id"],
            "redirect_uri": f"{self.address}/callback",
            "scope": "openid",
            "code_challenge": s256(verifier),
            "code_challenge_method": "S256",
        }
        answer = browser.fetch("GET", "/oidc/authorize?" + urlencode(asked))
        code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": asked["redirect_uri"],
            "code_verifier": verifier,
        }
        pair = (client["client_id"], client["client_secret"])
        outside = service.anonymous().session
        token = outside.post(f"{service.origin}/oidc/token", data=form, auth=pair, timeout=20)
        assert token.status_code == 200, token.text
        where = {"service": f"{self.address}/cas"}
        there = browser.fetch("GET", "/cas/login?" + urlencode(where)).headers["Location"]
        where["ticket"] = parse_qs(urlsplit(there).query)["ticket"][0]
        told = outside.get(f"{service.origin}/cas/serviceValidate?{urlencode(where)}", timeout=20)
        assert "authenticationSuccess" in told.text

    def seconds_until_both_kinds_heard(self, since: float) -> float:
        with self.hears:
            everyone = {"logout_token", "logoutRequest"}
            assert self.hears.wait_for(lambda: everyone <= self.heard.keys(), timeout=60), (
                self.heard
            )
            return max(self.heard.values()) - since


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join(timeout=10)
    made.server.server_close()


@pytest.fixture
def client(service: RunningService, platform: Platform) -> dict[str, str]:
    name = f"heard-{time.monotonic_ns()}"
    return register_platform(
        service.stage, name, "--client-id", name,
        "--redirect-uri", f"{platform.address}/callback",
        "--backchannel-logout-uri", f"{platform.address}/logout",
        "--cas-service", f"{platform.address}/cas",
    )  # fmt: skip


@pytest.fixture
def card(service: RunningService) -> tuple[Card, str]:
    """A fresh operator's card and its number."""
    label = f"everywhere-{time.monotonic_ns()}"
    code = service.activation_code_of_new_operator()
    made = service.stage.usb_keys.make(label)
    number: str = service.anonymous().enrol(made, code)["card"]["number"]
    return made, number


def test_a_frozen_card_is_signed_out_everywhere_within_seconds(
    service: RunningService, platform: Platform, client: dict[str, str], card: tuple[Card, str]
) -> None:
    key, number = card
    browser = service.anonymous()
    browser.sign_in(key)
    platform.enter(service, browser, client)
    legal_person = service.signed_in("legal-person")
    begun = time.monotonic()
    legal_person.move_card(number, "freeze", reason="a test")
    assert not browser.call("GET", "/sso/session")["signed_in"]
    seconds = platform.seconds_until_both_kinds_heard(begun)
    assert seconds < WITHIN_SECONDS, f"{seconds:.1f} s"


def test_the_enterprises_history_holds_its_sign_ins_at_platforms_and_refused_tries(
    service: RunningService, platform: Platform, client: dict[str, str], card: tuple[Card, str]
) -> None:
    key, number = card
    browser = service.anonymous()
    browser.sign_in(key)
    platform.enter(service, browser, client)
    legal_person = service.signed_in("legal-person")
    legal_person.move_card(number, "freeze", reason="a test")
    with pytest.raises(Refusal):
        service.anonymous().sign_in(key)
    page = legal_person.fetch("GET", "/enterprise/history", headers={"Accept": "text/html"}).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    asked = {"format": "json", "what": "sign-ins", "csrf_token": token}
    address = f"{service.origin}/enterprise/history/export"
    taken = legal_person.session.post(address, data=asked, timeout=20).json()["deeds"]
    mine = [each for each in reversed(taken) if each["card"] == number]
    assert [each["event"] for each in mine] == [
        "signin.succeeded",
        "platform.token-issued",
        "platform.ticket-validated",
        "session.ended",
        "signin.refused",
    ]
    name = client["client_id"]  # so was it registered
    assert [each["facts"]["platform"] for each in mine[1:3]] == [name] * 2
    assert {each["name"] for each in mine} == {mine[0]["name"]}
    assert name in page


def test_a_card_that_is_pulled_out_is_signed_out_everywhere_within_seconds(
    service: RunningService, platform: Platform, client: dict[str, str], card: tuple[Card, str]
) -> None:
    key, _ = card
    browser = service.anonymous()
    challenge = browser.call("POST", "/api/v1/sign-in/challenges", {})
    token = key.answer(challenge["origin"], challenge["nonce"])
    body = {"token": token, "nonce": challenge["nonce"], "presence": True}
    secret = browser.call("POST", "/api/v1/sign-in", body)["presence"]["secret"]
    platform.enter(service, browser, client)
    agent = service.anonymous()
    begun = time.monotonic()
    agent.call("POST", "/api/v1/sign-in/presence", {"secret": secret, "present": False})
    assert not browser.call("GET", "/sso/session")["signed_in"]
    seconds = platform.seconds_until_both_kinds_heard(begun)
    assert seconds < WITHIN_SECONDS, f"{seconds:.1f} s"
