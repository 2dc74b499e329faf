"""A client library that we did not write proves its keys to us: requests-oauth2client."""

from collections.abc import Callable, Iterator

import pytest
import requests
from flask import Flask
from requests_oauth2client import BearerToken, DPoPToken, OAuth2Client
from requests_oauth2client.client_authentication import ClientSecretBasic, PublicApp

from records.database import Database
from signing_service.sso.platform import NONE, SECRET, PlatformTerms
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.served import served
from tests.signing_service.sso.test_strangers import Browser

CALLBACK = "https://strange.example/callback"


@pytest.fixture
def services(
    database: Database, make_services: Callable[..., SsoServices]
) -> Iterator[SsoServices]:
    made: list[SsoServices] = []

    def make(origin: str) -> Flask:
        made.append(make_services(database, origin=origin))
        return application(made[0])

    with served(make):
        yield made[0]


@pytest.fixture(params=["public", "confidential"])
def client(request: pytest.FixtureRequest, services: SsoServices) -> OAuth2Client:
    confidential = request.param == "confidential"
    made = services.platforms.register_platform(
        "陌生平台",
        [CALLBACK],
        actor="administrator",
        terms=PlatformTerms(SECRET if confidential else NONE, refresh=True, dpop_bound=True),
    )
    name, secret = made.platform.client_id, made.secret
    return OAuth2Client.from_discovery_endpoint(
        issuer=services.settings.origin,
        auth=ClientSecretBasic(name, secret) if secret else PublicApp(name),
        redirect_uri=CALLBACK,
        dpop_bound_access_tokens=True,
        testing=True,
    )


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "PS256"])
def test_it_pushes_signs_in_reads_refreshes_and_asks_with_its_key(
    client: OAuth2Client, services: SsoServices, card: Card, algorithm: str
) -> None:
    browser = Browser(card, services.settings.origin)
    asked = client.authorization_request(
        scope="openid profile", dpop=True, dpop_alg=algorithm, nonce="n" * 20
    )
    pushed = client.pushed_authorization_request(asked)
    page = browser.visit(str(pushed.uri), until=CALLBACK)
    answer = asked.validate_callback(page.url)
    token = client.authorization_code(answer, validate=False)
    assert isinstance(token, DPoPToken)
    for _ in range(2):
        told = requests.get(str(client.userinfo_endpoint), auth=token, timeout=10)
        assert told.json()["sub"] == card.holder.subject
    stolen = BearerToken(token.access_token)
    assert requests.get(str(client.userinfo_endpoint), auth=stolen, timeout=10).status_code == 401
    again = client.refresh_token(token)
    assert isinstance(again, DPoPToken)
    assert requests.get(str(client.userinfo_endpoint), auth=again, timeout=10).status_code == 200
