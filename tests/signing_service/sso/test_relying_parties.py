"""Two platforms, Authlib's client in each, a real HTTP server: one proof, two sign-ins."""

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urljoin

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask
from joserfc import jwt
from joserfc.jwk import KeySet

from kernel.keys import KeyHandle
from records.database import Database
from signing_service.sso.claims import PREFIX
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card, Registry
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.served import served


class CountingKey:
    """The card's key, counting how often the holder had to prove it."""

    def __init__(self, key: KeyHandle) -> None:
        self.public_key, self.suite = key.public_key, key.suite
        self._key, self.used = key, 0

    def sign(self, message: bytes) -> bytes:
        self.used += 1
        return self._key.sign(message)

    def sign_digest(self, digest: bytes) -> bytes:
        self.used += 1
        return self._key.sign_digest(digest)


class RelyingParty:
    """A platform as its developers would write it, from the discovery document alone."""

    def __init__(self, services: SsoServices, name: str) -> None:
        self.callback = f"https://{name}.example/callback"
        made = services.platforms.register_platform(name, [self.callback], actor="administrator")
        origin = services.settings.origin
        self._metadata = requests.get(
            f"{origin}/.well-known/openid-configuration", timeout=10
        ).json()
        self._client = OAuth2Session(
            made.platform.client_id,
            made.secret,
            scope="openid profile enterprise rights",
            redirect_uri=self.callback,
            code_challenge_method="S256",
        )
        self._verifier = "v" * 20 + name.ljust(40, "x")
        self.start, self._state = self._client.create_authorization_url(
            self._metadata["authorization_endpoint"],
            nonce=f"nonce-of-{name}",
            code_verifier=self._verifier,
        )
        self._name = name

    def finish(self, address: str) -> dict[str, object]:
        """From the redirect to the verified claims of the ID token."""
        token = self._client.fetch_token(
            self._metadata["token_endpoint"],
            authorization_response=address,
            state=self._state,
            code_verifier=self._verifier,
        )
        keys = KeySet.import_key_set(requests.get(self._metadata["jwks_uri"], timeout=10).json())
        read = jwt.decode(token["id_token"], keys, algorithms=["ES256"])
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self._metadata["issuer"]},
            aud={"essential": True, "value": self._client.client_id},
            nonce={"essential": True, "value": f"nonce-of-{self._name}"},
            exp={"essential": True},
        ).validate(read.claims)
        return dict(read.claims)

    def userinfo(self) -> requests.Response:
        answer: requests.Response = self._client.get(self._metadata["userinfo_endpoint"])
        return answer


@dataclass
class Person:
    """A browser without JavaScript, and the holder of a card in front of it."""

    card: Card
    origin: str

    def __post_init__(self) -> None:
        self.browser = requests.Session()

    def visit(self, address: str, platform: RelyingParty) -> str:
        """Follow redirects, sign in where asked; the address at the platform that one gets to."""
        for _ in range(10):
            if address.startswith(platform.callback):
                return address
            page = self.browser.get(address, allow_redirects=False, timeout=10)
            if page.is_redirect:
                address = urljoin(address, page.headers["Location"])
            else:
                address = self._sign_in(address, page)
        raise AssertionError("too many redirects")

    def _sign_in(self, address: str, page: requests.Response) -> str:
        found = re.findall(r'name="(csrf_token|nonce|next)" value="([^"]*)"', page.text)
        fields = {name: html.unescape(value) for name, value in found}
        fields["token"] = json.dumps(self.card.answer(fields["nonce"], self.origin))
        done = self.browser.post(address.partition("?")[0], data=fields, timeout=10)
        refresh = done.headers.get("Refresh")
        assert refresh is not None, done.text
        return urljoin(address, refresh.removeprefix("0; url="))


@pytest.fixture
def services(
    any_database: Database, make_services: Callable[..., SsoServices]
) -> Iterator[SsoServices]:
    made: list[SsoServices] = []

    def make(origin: str) -> Flask:
        made.append(make_services(any_database, origin=origin))
        return application(made[0])

    with served(make):
        yield made[0]


def test_the_second_platform_asks_for_no_pin_and_a_revoked_card_ends_both(
    services: SsoServices, card: Card, registry: Registry
) -> None:
    key = CountingKey(card.key)
    person = Person(replace(card, key=key), services.settings.origin)
    first, second = RelyingParty(services, "declare"), RelyingParty(services, "manifest")

    claims = first.finish(person.visit(first.start, first))
    assert key.used == 1
    assert claims["sub"] == card.holder.subject
    assert claims[PREFIX + "enterprise_uscc"] == card.holder.enterprise_uscc
    assert claims[PREFIX + "rights"] == ["declare-import"]

    again = second.finish(person.visit(second.start, second))
    assert key.used == 1
    assert (again["sub"], again["sid"]) == (claims["sub"], claims["sid"])
    assert again["aud"] != claims["aud"]
    assert second.userinfo().json()["name"] == card.holder.name

    registry.revoke(card.certificate)
    assert first.userinfo().status_code == 401
    assert second.userinfo().status_code == 401
    with pytest.raises(AssertionError, match=r"signin\.revoked"):
        person.visit(first.start, first)
