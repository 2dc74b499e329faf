"""Back-channel logout: a session's end reaches the platforms, which end their own."""

import html
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from flask import Flask, request
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import select

from kernel.clock import FixedClock
from kernel.refusals import Malformed
from portseal.demo.platform import create_platform, logout_session
from records.database import Database
from records.tables import outbox_lease
from signing_service.sso.back_channel import EVENT, TOKEN_TYPE
from signing_service.sso.end_notices import channel_of
from signing_service.sso.services import SsoServices
from signing_service.sso.tokens import IdTokenKeys
from tests.signing_service.sso.cards import Card, CardAuthority, Registry
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.served import served
from tests.software_keys import SoftwareKey


class Scene:
    """The provider, the platforms around it and one browser."""

    def __init__(self, services: SsoServices, stack: ExitStack) -> None:
        self.services = services
        self._stack = stack
        self.browser = requests.Session()

    def platform(self, client_id: str, logout: str | None = "/logged-out") -> str:
        """Register a platform and serve it; its address."""

        def make(address: str) -> Flask:
            made = self.services.platforms.register_platform(
                "平台",
                [f"{address}/callback"],
                actor="administrator",
                client_id=client_id,
                backchannel_logout_uri=None if logout is None else urljoin(address, logout),
            )
            assert made.secret is not None
            origin = self.services.settings.origin
            return create_platform("平台", origin, client_id, made.secret)

        return self._stack.enter_context(served(make))

    def sign_in(self, address: str, card: Card) -> None:
        """Through the platform, as a browser without JavaScript."""
        page = self.browser.get(f"{address}/login", timeout=10)
        if 'name="nonce"' not in page.text:
            return
        found = re.findall(r'name="(csrf_token|nonce|next)" value="([^"]*)"', page.text)
        fields = {name: html.unescape(value) for name, value in found}
        origin = self.services.settings.origin
        fields["token"] = json.dumps(card.answer(fields["nonce"], origin))
        done = self.browser.post(f"{origin}/sso/sign-in", data=fields, timeout=10)
        target = done.headers["Refresh"].removeprefix("0; url=")
        self.browser.get(urljoin(origin, target), timeout=10)

    def who(self, address: str) -> dict[str, Any] | None:
        holder: dict[str, Any] | None
        holder = self.browser.get(f"{address}/me", timeout=10).json()["holder"]
        return holder

    def end(self, sid: str) -> None:
        assert self.services.sessions.end(sid, reason="signed-out", actor="holder")


@pytest.fixture
def scene(any_database: Database, make_services: Callable[..., SsoServices]) -> Iterator[Scene]:
    made: list[SsoServices] = []

    def make(origin: str) -> Flask:
        made.append(make_services(any_database, origin=origin))
        return application(made[0])

    with ExitStack() as stack:
        stack.enter_context(served(make))
        yield Scene(made[0], stack)


def test_both_platforms_end_their_sessions_when_ours_ends(scene: Scene, card: Card) -> None:
    first, second = scene.platform("declare"), scene.platform("manifest")
    scene.sign_in(first, card)
    scene.sign_in(second, card)
    holder = scene.who(first)
    assert holder is not None
    assert scene.who(second) is not None

    scene.end(holder["sid"])
    sent = scene.services.back_channel.deliver()

    assert [(each.delivered, each.waiting, each.failure) for each in sent] == [(1, 0, None)] * 2
    assert (scene.who(first), scene.who(second)) == (None, None)


def test_only_platforms_that_were_opened_and_asked_for_it_are_told(
    scene: Scene, card: Card
) -> None:
    silent = scene.platform("silent", logout=None)
    scene.platform("stranger")
    scene.sign_in(silent, card)
    holder = scene.who(silent)
    assert holder is not None

    scene.end(holder["sid"])

    assert scene.services.back_channel.deliver() == []
    assert scene.who(silent) is not None


def test_a_platform_that_is_down_is_told_later_and_holds_up_no_other(
    scene: Scene, card: Card, clock: FixedClock
) -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}/logged-out"
        down, up = scene.platform("a-down", logout=nowhere), scene.platform("b-up")
        scene.sign_in(down, card)
        scene.sign_in(up, card)
        holder = scene.who(down)
        assert holder is not None
        scene.end(holder["sid"])
        for _ in range(7):  # an absence is never counted as a refusal
            sent = scene.services.back_channel.deliver(at_once=True)
            assert [(each.waiting, each.refused) for each in sent if each.failure] == [(1, 0)]
    assert scene.who(up) is None
    assert scene.who(down) is not None


def test_platforms_that_have_nothing_to_be_told_are_not_looked_at(scene: Scene, card: Card) -> None:
    told = scene.platform("told")
    for number in range(5):
        scene.services.platforms.register_platform(
            "平台",
            ["https://quiet.example/callback"],
            actor="administrator",
            client_id=f"quiet-{number}",
            backchannel_logout_uri="https://quiet.example/logged-out",
        )
    scene.sign_in(told, card)
    holder = scene.who(told)
    assert holder is not None
    scene.end(holder["sid"])

    assert [each.delivered for each in scene.services.back_channel.deliver()] == [1]

    with scene.services.database.reading() as connection:
        leases = connection.execute(select(outbox_lease.c.channel)).scalars().all()
    assert leases == [channel_of("told")]


def test_no_proxy_of_the_surroundings_sees_a_logout(
    services: SsoServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def make(address: str) -> Flask:
        app = Flask("platform")

        @app.post("/logged-out")
        def logged_out() -> str:
            told.append(request.form["logout_token"])
            return ""

        services.platforms.register_platform(
            "平台",
            [f"{address}/callback"],
            actor="administrator",
            client_id="told",
            backchannel_logout_uri=f"{address}/logged-out",
        )
        return app

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with served(make):
        services.back_channel.send({"client_id": "told", "sid": "s" * 32, "sub": "op-1"})
    assert len(told) == 1


def test_a_platform_that_refuses_is_set_aside(scene: Scene, card: Card) -> None:
    address = scene.platform("refusing", logout="/nothing-here")
    scene.sign_in(address, card)
    holder = scene.who(address)
    assert holder is not None
    scene.end(holder["sid"])

    for _ in range(5):
        (sent,) = scene.services.back_channel.deliver(at_once=True)

    assert (sent.waiting, sent.refused) == (0, 1)


def test_a_logout_token_says_what_the_standard_asks_and_is_no_id_token(
    services: SsoServices,
) -> None:
    keys = KeySet.import_key_set(services.id_token_keys.jwks())  # type: ignore[arg-type]
    issuer = services.settings.origin
    token = services.back_channel.logout_token("platform-1", "s" * 32, "op-1")

    assert logout_session(token, keys, issuer, "platform-1") == "s" * 32
    with pytest.raises(Malformed, match=r"oidc\.id-token-hint"):
        services.id_token_keys.read(token, issuer)
    for other in ((issuer, "platform-2"), ("https://other.example", "platform-1")):
        with pytest.raises(JoseError):
            logout_session(token, keys, *other)


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "n"}, {"events": None}, {"events": {}}, {"events": {EVENT: 1}}, {"sid": None},
        {"exp": 1}, {"iat": None}, {"jti": None}, {"aud": "platform-2"},
    ],
)  # fmt: skip
def test_a_platform_accepts_no_other_logout_token(
    services: SsoServices, clock: FixedClock, change: dict[str, object]
) -> None:
    keys = KeySet.import_key_set(services.id_token_keys.jwks())  # type: ignore[arg-type]
    now, issuer = int(clock.now().timestamp()), services.settings.origin
    good: dict[str, object] = {
        "iss": issuer, "aud": "platform-1", "sub": "op-1", "iat": now, "exp": now + 120,
        "jti": "1", "sid": "s", "events": {EVENT: {}},
    }  # fmt: skip
    signed = services.id_token_keys.sign
    assert logout_session(signed(good, TOKEN_TYPE), keys, issuer, "platform-1") == "s"
    bad = {name: value for name, value in (good | change).items() if value is not None}
    with pytest.raises((JoseError, ValueError)):
        logout_session(signed(bad, TOKEN_TYPE), keys, issuer, "platform-1")


def test_a_platform_accepts_no_other_kind_or_key(services: SsoServices, clock: FixedClock) -> None:
    keys = KeySet.import_key_set(services.id_token_keys.jwks())  # type: ignore[arg-type]
    now, issuer = int(clock.now().timestamp()), services.settings.origin
    good: dict[str, object] = {
        "iss": issuer, "aud": "platform-1", "iat": now, "exp": now + 120, "jti": "1", "sid": "s",
        "events": {EVENT: {}},
    }  # fmt: skip
    forged = IdTokenKeys(SoftwareKey.generate()).sign(good, TOKEN_TYPE)
    for token in (services.id_token_keys.sign(good), forged, "", "a.b.c"):
        with pytest.raises((JoseError, ValueError)):
            logout_session(token, keys, issuer, "platform-1")


def test_a_forged_logout_ends_nothing(scene: Scene, card: Card) -> None:
    address = scene.platform("declare")
    scene.sign_in(address, card)
    answer = requests.post(f"{address}/logged-out", data={"logout_token": "a.b.c"}, timeout=10)
    assert answer.status_code == 400
    assert scene.who(address) is not None


def test_a_session_that_times_out_is_told_too(
    scene: Scene, card: Card, clock: FixedClock, registry: Registry
) -> None:
    address = scene.platform("declare")
    scene.sign_in(address, card)
    clock.advance(timedelta(seconds=scene.services.settings.session_idle_seconds))
    assert scene.services.sessions.end_expired() == 1
    with scene.services.database.reading() as connection:
        assert scene.services.outbox.waiting(connection, channel_of("declare")) == 1


def test_a_name_with_markup_is_shown_as_text(
    scene: Scene, card: Card, registry: Registry, card_authority: CardAuthority
) -> None:
    """On the demonstration's platform, as on any that an integrator would write."""
    name = "<img src=x onerror=alert(1)>"
    certificate = card_authority.issue(card.key)
    hostile = Card(card.key, certificate, registry.register(certificate, "card-9", name))
    address = scene.platform("declare")
    scene.sign_in(address, hostile)

    page = scene.browser.get(f"{address}/", timeout=10)

    assert "&lt;img src=x onerror=alert(1)&gt;" in page.text
    assert "<img" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
