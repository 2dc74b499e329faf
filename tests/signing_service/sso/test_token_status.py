"""Introspection (RFC 7662) and revocation (RFC 7009), for a platform's own tokens alone."""

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from signing_service.sso.claims import ACR_CARD
from signing_service.sso.platform import PlatformTerms
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import ORIGIN, Card, Registry
from tests.signing_service.sso.flow import Platform, basic, bearer, registered, tokens_for


def ask(browser: FlaskClient, platform: Platform, endpoint: str, token: str) -> TestResponse:
    headers = basic(platform.client_id, platform.registration.secret or "")
    return browser.post(f"/oidc/{endpoint}", data={"token": token}, headers=headers)


@pytest.fixture
def refreshing(services: SsoServices) -> Platform:
    return Platform(registered(services, terms=PlatformTerms(refresh=True)))


def test_introspection_tells_what_a_live_token_is_worth(
    signed_in: FlaskClient, refreshing: Platform, card: Card
) -> None:
    tokens = tokens_for(signed_in, refreshing, scope="openid rights")
    told = ask(signed_in, refreshing, "introspect", tokens["access_token"]).get_json()
    assert told.pop("exp") - told.pop("iat") == 300
    assert told.pop("auth_time") > 0
    assert len(told.pop("sid")) == 32
    assert told == {
        "active": True,
        "iss": ORIGIN,
        "sub": card.holder.subject,
        "aud": refreshing.client_id,
        "client_id": refreshing.client_id,
        "scope": "openid rights",
        "token_type": "Bearer",
        "acr": ACR_CARD,
    }
    about = ask(signed_in, refreshing, "introspect", tokens["refresh_token"]).get_json()
    assert about["active"]
    assert "token_type" not in about


def test_nobody_learns_of_another_platforms_token(
    signed_in: FlaskClient, refreshing: Platform, platform: Platform
) -> None:
    token = tokens_for(signed_in, refreshing)["access_token"]
    assert ask(signed_in, platform, "introspect", token).get_json() == {"active": False}
    assert ask(signed_in, platform, "revoke", token).status_code == 200
    assert ask(signed_in, refreshing, "introspect", token).get_json()["active"]


def test_a_token_of_a_session_that_is_over_is_not_active(
    signed_in: FlaskClient, refreshing: Platform, registry: Registry, card: Card
) -> None:
    tokens = tokens_for(signed_in, refreshing)
    registry.revoke(card.certificate)
    for name in ("access_token", "refresh_token"):
        told = ask(signed_in, refreshing, "introspect", tokens[name]).get_json()
        assert told == {"active": False}


def test_giving_up_a_refresh_token_gives_up_all_that_it_gave(
    signed_in: FlaskClient, refreshing: Platform
) -> None:
    tokens = tokens_for(signed_in, refreshing)
    assert ask(signed_in, refreshing, "revoke", tokens["refresh_token"]).status_code == 200
    answer = signed_in.get("/oidc/userinfo", headers=bearer(tokens["access_token"]))
    assert answer.status_code == 401


def test_giving_up_an_access_token_leaves_the_refresh_token(
    signed_in: FlaskClient, refreshing: Platform
) -> None:
    tokens = tokens_for(signed_in, refreshing)
    assert ask(signed_in, refreshing, "revoke", tokens["access_token"]).status_code == 200
    assert not ask(signed_in, refreshing, "introspect", tokens["access_token"]).get_json()["active"]
    assert ask(signed_in, refreshing, "introspect", tokens["refresh_token"]).get_json()["active"]


@pytest.mark.parametrize("endpoint", ["introspect", "revoke"])
def test_only_a_platform_asks(
    browser: FlaskClient, services: SsoServices, platform: Platform, endpoint: str
) -> None:
    assert browser.post(f"/oidc/{endpoint}", data={"token": "x"}).status_code == 401
    assert ask(browser, platform, endpoint, "").get_json()["error"] == "invalid_request"
    assert ask(browser, platform, endpoint, "x" * 300).status_code == 400
    public = registered(services, confidential=False).platform.client_id
    form = {"token": "x", "client_id": public}
    expected = 401 if endpoint == "introspect" else 200
    assert browser.post(f"/oidc/{endpoint}", data=form).status_code == expected
