"""Authorization requests: who is redirected, what is refused, when the card is asked anew."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from kernel.clock import FixedClock
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import ORIGIN, Card
from tests.signing_service.sso.flow import (
    CALLBACK,
    Platform,
    answer_of,
    bearer,
    code_for,
    continued,
    is_sign_in,
    read_id_token,
    sign_in,
    tokens_for,
)

# -- who is not redirected -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"client_id": "unknown"}, "oidc.client-unknown"),
        ({"client_id": None}, "oidc.client-unknown"),
        ({"client_id": "\0"}, "oidc.client-unknown"),
        ({"redirect_uri": None}, "oidc.redirect-uri"),
        ({"redirect_uri": "https://evil.example/"}, "oidc.redirect-uri"),
        ({"redirect_uri": CALLBACK + "/"}, "oidc.redirect-uri"),
        ({"redirect_uri": CALLBACK + "?a=b"}, "oidc.redirect-uri"),
        ({"redirect_uri": CALLBACK.upper()}, "oidc.redirect-uri"),
        ({"redirect_uri": '"é\n'}, "oidc.redirect-uri"),
        ({"state": "s" * 9000}, "oidc.request-length"),
    ],
)
def test_an_unknown_platform_or_address_gets_a_page_never_a_redirect(
    signed_in: FlaskClient, platform: Platform, change: dict[str, str | None], code: str
) -> None:
    refused = signed_in.get(platform.request(**change))
    assert (refused.status_code, refused.get_json()["code"]) == (400, code)
    assert refused.location is None


def test_a_parameter_that_stands_twice_is_refused(
    signed_in: FlaskClient, platform: Platform
) -> None:
    refused = signed_in.get(platform.request() + "&redirect_uri=https://evil.example/")
    assert refused.get_json()["code"] == "oidc.parameter-repeated"


def test_a_disabled_platform_gets_nothing(
    signed_in: FlaskClient, platform: Platform, services: SsoServices
) -> None:
    token = tokens_for(signed_in, platform)["access_token"]
    code = code_for(signed_in, platform)
    services.platforms.disable(platform.client_id, actor="administrator")
    assert signed_in.get("/oidc/userinfo", headers=bearer(token)).status_code == 401
    assert platform.redeem(signed_in, code).status_code == 401
    assert signed_in.get(platform.request()).status_code == 400


# -- requests that are refused to the platform ---------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": 'c"o\\dé'}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "c" * 43 + "\n"}, "invalid_request"),
        ({"code_challenge": "c" * 128}, "invalid_request"),
        ({"nonce": "\0"}, "invalid_request"),
        ({"nonce": "n" * 513}, "invalid_request"),
        ({"code_challenge": "é" * 43}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"prompt": "none consent"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"prompt": "LOGIN"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "9" * 30}, "invalid_request"),
        ({"max_age": "²"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example/"}, "request_uri_not_supported"),
    ],
)
def test_a_request_that_cannot_be_met_is_answered_with_an_error(
    signed_in: FlaskClient, platform: Platform, change: dict[str, str | None], error: str
) -> None:
    answer = answer_of(signed_in.get(platform.request(**change)))
    assert answer["error"] == error
    assert answer["state"] == platform.state
    assert answer["iss"] == ORIGIN
    assert "code" not in answer


# -- prompt and max_age --------------------------------------------------------------------------


def test_prompt_none_never_asks(browser: FlaskClient, platform: Platform, card: Card) -> None:
    assert answer_of(browser.get(platform.request(prompt="none")))["error"] == "login_required"
    sign_in(browser, card)
    assert "code" in answer_of(browser.get(platform.request(prompt="none")))


@pytest.mark.parametrize("change", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "60"}])
def test_a_fresh_proof_is_asked_for_once(
    signed_in: FlaskClient,
    platform: Platform,
    card: Card,
    clock: FixedClock,
    change: dict[str, str],
) -> None:
    clock.advance(timedelta(minutes=2))
    asked = signed_in.get(platform.request(**change))
    assert is_sign_in(asked)
    clock.advance(timedelta(seconds=5))
    page = sign_in(signed_in, card, asked.location)
    clock.advance(timedelta(seconds=5))
    answer = answer_of(signed_in.get(continued(page)))
    tokens = platform.redeem(signed_in, answer["code"]).get_json()
    fresh = int((clock.now() - timedelta(seconds=5)).timestamp())
    assert read_id_token(signed_in, tokens["id_token"])["auth_time"] == fresh


def test_going_back_without_a_new_proof_leads_to_sign_in_again(
    signed_in: FlaskClient, platform: Platform, clock: FixedClock
) -> None:
    clock.advance(timedelta(seconds=1))
    asked = signed_in.get(platform.request(prompt="login"))
    back = parse_qs(urlsplit(asked.location).query)["next"][0]
    assert is_sign_in(signed_in.get(back))


def test_a_note_for_another_request_or_a_forged_one_is_worth_nothing(
    signed_in: FlaskClient, platform: Platform, card: Card, clock: FixedClock
) -> None:
    clock.advance(timedelta(seconds=1))
    asked = signed_in.get(platform.request(prompt="login"))
    back = continued(sign_in(signed_in, card, asked.location))
    note = parse_qs(urlsplit(back).query)["portseal_asked"][0]
    another = platform.request(prompt="login", state="another", portseal_asked=note)
    assert is_sign_in(signed_in.get(another))
    for forged in (note[:-2] + "xx", "x", "WzEsMl0", "é"):
        assert is_sign_in(signed_in.get(platform.request(prompt="login", portseal_asked=forged)))
    assert "code" in answer_of(signed_in.get(back))
    clock.advance(timedelta(minutes=16))
    assert is_sign_in(signed_in.get(back))


def test_a_session_within_max_age_is_enough(
    signed_in: FlaskClient, platform: Platform, clock: FixedClock
) -> None:
    clock.advance(timedelta(seconds=60))
    assert "code" in answer_of(signed_in.get(platform.request(max_age="60")))
    clock.advance(timedelta(seconds=1))
    answer = answer_of(signed_in.get(platform.request(max_age="60", prompt="none")))
    assert answer["error"] == "login_required"
