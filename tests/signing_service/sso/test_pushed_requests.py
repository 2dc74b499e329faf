"""Pushed authorization requests (RFC 9126): nothing that matters passes through the browser."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kernel.clock import FixedClock
from signing_service.sso.platform import PlatformTerms
from signing_service.sso.services import SsoServices
from signing_service.web.rate_limit import RateLimit
from tests.signing_service.sso.cards import Card
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.flow import (
    CALLBACK,
    Platform,
    answer_of,
    basic,
    continued,
    is_sign_in,
    registered,
    sign_in,
)


def push(browser: FlaskClient, platform: Platform, **changes: str | None) -> TestResponse:
    query = parse_qs(urlsplit(platform.request(**changes)).query)
    form = {name: values[0] for name, values in query.items()}
    headers = basic(platform.client_id, platform.registration.secret or "")
    return browser.post("/oidc/par", data=form, headers=headers)


def address(platform: Platform, pushed: TestResponse, **more: str) -> str:
    name = pushed.get_json()["request_uri"]
    return "/oidc/authorize?" + urlencode(
        {"client_id": platform.client_id, "request_uri": name, **more}
    )


def test_a_pushed_request_is_answered_once(signed_in: FlaskClient, platform: Platform) -> None:
    pushed = push(signed_in, platform)
    assert pushed.status_code == 201
    assert pushed.get_json()["expires_in"] == 590
    answer = answer_of(signed_in.get(address(platform, pushed)))
    assert answer["state"] == platform.state
    assert platform.redeem(signed_in, answer["code"]).status_code == 200
    again = signed_in.get(address(platform, pushed))
    assert again.get_json()["code"] == "oidc.request-uri"


def test_the_holder_may_sign_in_on_the_way(
    browser: FlaskClient, platform: Platform, card: Card
) -> None:
    to_sign_in = browser.get(address(platform, push(browser, platform, prompt="login")))
    assert is_sign_in(to_sign_in)
    page = sign_in(browser, card, to_sign_in.location)
    assert "code" in answer_of(browser.get(continued(page)))


def test_what_stands_beside_the_reference_changes_nothing(
    signed_in: FlaskClient, platform: Platform
) -> None:
    pushed = push(signed_in, platform)
    there = address(
        platform, pushed, state="forged", scope="openid", redirect_uri="https://evil.example/"
    )
    assert answer_of(signed_in.get(there))["state"] == platform.state


def test_who_pushes_without_a_secret_is_counted_by_address(
    services: SsoServices, platform: Platform
) -> None:
    """A public client's name is public: anybody could fill the table in its name."""
    limit = RateLimit(per_minute=1, burst=3)
    browser = application(services, lambda: limit.check("192.0.2.1")).test_client()
    public = Platform(registered(services, "public", confidential=False))
    query = parse_qs(urlsplit(public.request()).query)
    form = {name: values[0] for name, values in query.items()}
    told = [browser.post("/oidc/par", data=form).status_code for _ in range(5)]
    assert told == [201, 201, 201, 429, 429]
    assert push(browser, platform).status_code == 201, "a platform that proves itself is not"


def test_a_pushed_request_is_its_platforms_alone_and_ages(
    signed_in: FlaskClient, platform: Platform, services: SsoServices, clock: FixedClock
) -> None:
    pushed = push(signed_in, platform)
    thief = Platform(registered(services, "thief"))
    assert signed_in.get(address(thief, pushed)).get_json()["code"] == "oidc.request-uri"
    clock.advance(timedelta(seconds=601))
    assert signed_in.get(address(platform, pushed)).get_json()["code"] == "oidc.request-uri"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"client_id": "another"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
    ],
)
def test_a_bad_request_is_refused_when_it_is_pushed(
    browser: FlaskClient, platform: Platform, change: dict[str, Any], error: str
) -> None:
    refused = push(browser, platform, **change)
    assert (refused.status_code, refused.get_json()["error"]) == (400, error)


def test_only_the_platform_itself_pushes(browser: FlaskClient, platform: Platform) -> None:
    query = urlsplit(platform.request()).query
    form = {name: values[0] for name, values in parse_qs(query).items()}
    assert browser.post("/oidc/par", data=form).status_code == 401


def test_a_platform_can_be_bound_to_push(signed_in: FlaskClient, services: SsoServices) -> None:
    bound = Platform(registered(services, terms=PlatformTerms(pushed_only=True)))
    assert answer_of(signed_in.get(bound.request()))["error"] == "invalid_request"
    assert "code" in answer_of(signed_in.get(address(bound, push(signed_in, bound))))


@pytest.mark.parametrize("name", ["urn:ietf:params:oauth:request_uri:" + "x" * 43, "https://e.e/"])
def test_a_reference_that_nobody_pushed_leads_nowhere(
    signed_in: FlaskClient, platform: Platform, name: str
) -> None:
    query = urlencode({"client_id": platform.client_id, "request_uri": name})
    refused = signed_in.get(f"/oidc/authorize?{query}")
    assert refused.status_code == 400
    assert "Location" not in refused.headers
    beside = platform.request(request_uri="https://evil.example/", redirect_uri=CALLBACK)
    shown = signed_in.get(beside)
    assert answer_of(shown)["error"] == "request_uri_not_supported"
