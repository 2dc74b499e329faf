"""Replays and mix-ups: what was meant for one origin, browser or provider, used at another.

Two whole providers on loopback, both of which trust the same authority's cards; between them a
holder, a platform as integrators write it, and somebody who runs one of the two.
"""

import html
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey

from kernel.clock import FixedClock
from portseal.demo.platform import create_platform
from records.database import Database
from signing_service.sso.openid.client_assertions import TYPE
from signing_service.sso.platform import PRIVATE_KEY, PlatformTerms
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import ORIGIN, Card
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.flow import CALLBACK, Platform, code_for, registered
from tests.signing_service.sso.served import served

TIMEOUT = 10


@dataclass(frozen=True)
class Provider:
    origin: str
    services: SsoServices

    def challenge(self, browser: requests.Session) -> str:
        """As the sign-in page's script asks for one."""
        answer = browser.post(
            f"{self.origin}/api/v1/sign-in/challenges", json={}, timeout=TIMEOUT,
            headers={"Origin": self.origin},
        )  # fmt: skip
        return str(answer.json()["nonce"])

    def prove(
        self, browser: requests.Session, answer: dict[str, str], nonce: str | None
    ) -> requests.Response:
        body = {"token": answer, **({} if nonce is None else {"nonce": nonce})}
        return browser.post(
            f"{self.origin}/api/v1/sign-in", json=body, timeout=TIMEOUT,
            headers={"Origin": self.origin},
        )  # fmt: skip

    def who(self, browser: requests.Session) -> bool:
        told = browser.get(f"{self.origin}/sso/session", timeout=TIMEOUT).json()
        return bool(told["signed_in"])


@pytest.fixture
def providers(
    sqlite_template: Path, tmp_path: Path, make_services: Callable[..., SsoServices]
) -> Iterator[tuple[Provider, Provider]]:
    @contextmanager
    def provider(name: str) -> Iterator[Provider]:
        made: list[SsoServices] = []
        database = Database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / name)}")

        def make(origin: str) -> Flask:
            made.append(make_services(database, origin=origin))
            return application(made[0])

        with served(make) as origin:
            yield Provider(origin, made[0])
        database.dispose()

    with ExitStack() as stack:
        yield (
            stack.enter_context(provider("honest.db")),
            stack.enter_context(provider("other.db")),
        )


def test_one_card_at_two_providers_neither_can_sign_its_holder_in_at_the_other(
    providers: tuple[Provider, Provider], card: Card
) -> None:
    """The other one relays the honest one's challenge to its own page, live: what the agent signs
    is over the page's origin."""
    honest, other = providers
    attacker = requests.Session()
    nonce = honest.challenge(attacker)
    relayed = card.answer(nonce, other.origin)
    refused = honest.prove(attacker, relayed, nonce)
    assert (refused.status_code, refused.json()["code"]) == (401, "signin.signature")
    assert not honest.who(attacker)
    holder = requests.Session()
    own = honest.challenge(holder)
    assert honest.prove(holder, card.answer(own, honest.origin), own).status_code == 200
    assert honest.who(holder)


def test_what_signed_a_holder_in_at_one_is_worth_nothing_at_the_other(
    providers: tuple[Provider, Provider], card: Card
) -> None:
    honest, other = providers
    holder, attacker = requests.Session(), requests.Session()
    nonce = other.challenge(holder)
    answer = card.answer(nonce, other.origin)
    assert other.prove(holder, answer, nonce).status_code == 200
    honest.challenge(attacker)
    for named in (nonce, None):
        refused = honest.prove(attacker, answer, named)
        assert refused.status_code == 401
        assert refused.json()["code"] in {"signin.challenge-missing", "signin.signature"}
    attacker.cookies.update(holder.cookies)
    assert not honest.who(attacker)


def test_an_answer_is_good_for_its_challenge_in_its_browser_once(
    providers: tuple[Provider, Provider], card: Card
) -> None:
    honest, _ = providers
    holder, thief = requests.Session(), requests.Session()
    first, second = honest.challenge(holder), honest.challenge(holder)
    foreign = honest.challenge(thief)
    answer = card.answer(first, honest.origin)
    codes = [
        honest.prove(browser, answer, named).json().get("code")
        for browser, named in (
            (thief, first), (thief, foreign), (holder, second), (holder, first), (holder, first),
        )
    ]  # fmt: skip
    missing, wrong = "signin.challenge-missing", "signin.signature"
    assert codes == [missing, wrong, wrong, None, missing]
    assert honest.who(holder)
    assert not honest.who(thief)


@pytest.fixture
def demonstration(providers: tuple[Provider, Provider]) -> Iterator[str]:
    """The address of a platform that uses the honest provider, and of whose client ID the other
    provider knows as well."""
    honest, other = providers

    def make(address: str) -> Flask:
        callback = [f"{address}/callback"]
        made = registered(honest.services, client_id="declare", redirect_uris=callback)
        registered(other.services, client_id="declare", redirect_uris=callback)
        return create_platform("平台", honest.origin, "declare", made.secret or "")

    with served(make) as address:
        yield address


def signed_in_at(provider: Provider, browser: requests.Session, card: Card, start: str) -> str:
    """From an authorization request over the sign-in page to the answer's address."""
    page = browser.get(start, timeout=TIMEOUT)
    found = re.findall(r'name="(csrf_token|nonce|next)" value="([^"]*)"', page.text)
    fields = {name: html.unescape(value) for name, value in found}
    fields["token"] = json.dumps(card.answer(fields["nonce"], provider.origin))
    done = browser.post(f"{provider.origin}/sso/sign-in", data=fields, timeout=TIMEOUT)
    onward = provider.origin + done.headers["Refresh"].removeprefix("0; url=")
    return browser.get(onward, timeout=TIMEOUT, allow_redirects=False).headers["Location"]


def test_mix_up_a_platform_takes_no_answer_of_another_provider(
    providers: tuple[Provider, Provider], demonstration: str, card: Card
) -> None:
    """RFC 9207, 2.4: the browser was led to the other provider on the way."""
    honest, other = providers
    browser = requests.Session()
    begun = browser.get(f"{demonstration}/login", timeout=TIMEOUT, allow_redirects=False)
    asked = begun.headers["Location"]
    turned = asked.replace(honest.origin, other.origin)
    answer = signed_in_at(other, browser, card, turned)
    assert parse_qs(urlsplit(answer).query)["iss"] == [other.origin]
    assert browser.get(answer, timeout=TIMEOUT).status_code == 400
    for iss in ("", honest.origin):  # even if it lies, its code is worth nothing at ours
        lie = {**{k: v[0] for k, v in parse_qs(urlsplit(answer).query).items()}, "iss": iss}
        told = browser.get(f"{demonstration}/callback?{urlencode(lie)}", timeout=TIMEOUT)
        assert told.status_code == 400
    assert browser.get(f"{demonstration}/me", timeout=TIMEOUT).json()["holder"] is None


def test_login_csrf_a_platform_takes_no_answer_that_its_browser_did_not_ask_for(
    providers: tuple[Provider, Provider], demonstration: str, card: Card
) -> None:
    """The attacker's own answer, opened by the victim's browser."""
    honest, _ = providers
    attacker, victim = requests.Session(), requests.Session()
    begun = attacker.get(f"{demonstration}/login", timeout=TIMEOUT, allow_redirects=False)
    answer = signed_in_at(honest, attacker, card, begun.headers["Location"])
    assert victim.get(answer, timeout=TIMEOUT).status_code == 400
    assert victim.get(f"{demonstration}/me", timeout=TIMEOUT).json()["holder"] is None
    assert attacker.get(answer, timeout=TIMEOUT).status_code == 200
    assert attacker.get(answer, timeout=TIMEOUT).status_code == 400, "once"


def test_mix_up_a_provider_that_was_given_code_verifier_and_assertion_gets_nothing_for_them(
    signed_in: FlaskClient, services: SsoServices, clock: FixedClock
) -> None:
    """RFC 9700, 4.4.2: a platform believed the code to be the other provider's and took it there,
    with the verifier and with an assertion for that provider."""
    key = ECKey.generate_key("P-256", {"kid": "k-1", "use": "sig"}, private=True)
    terms = PlatformTerms(auth_method=PRIVATE_KEY, jwks=(key.as_dict(private=False),))
    platform = Platform(registered(services, terms=terms))
    code = code_for(signed_in, platform)

    def assertion(audience: str, number: int) -> str:
        claims = {
            "iss": platform.client_id, "sub": platform.client_id, "aud": audience,
            "exp": int(clock.now().timestamp()) + 60, "jti": f"assertion-{number}",
        }  # fmt: skip
        return jwt.encode({"alg": "ES256", "kid": "k-1"}, claims, key)

    def redeemed(audience: str, number: int) -> dict[str, str]:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK,
            "code_verifier": platform.verifier, "client_assertion_type": TYPE,
            "client_assertion": assertion(audience, number),
        }  # fmt: skip
        return dict(signed_in.post("/oidc/token", data=form).get_json())

    assert redeemed("https://other.example", 1) == {"error": "invalid_client"}
    assert redeemed(f"{ORIGIN}/oidc/token", 2) == {"error": "invalid_client"}
    assert "id_token" in redeemed(ORIGIN, 3), "the code is still the platform's"
