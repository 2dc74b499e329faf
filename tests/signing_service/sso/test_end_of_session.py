"""A platform ends the session (RP-initiated logout)."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from kernel.clock import FixedClock
from tests.signing_service.sso.cards import Card
from tests.signing_service.sso.flow import (
    CALLBACK,
    GOODBYE,
    Platform,
    answer_of,
    sign_in,
    tokens_for,
)


def ended(browser: FlaskClient) -> bool:
    return not browser.get("/sso/session").get_json()["signed_in"]


def test_a_platform_ends_the_session_and_gets_the_browser_back(
    signed_in: FlaskClient, platform: Platform
) -> None:
    hint = tokens_for(signed_in, platform)["id_token"]
    query = {"id_token_hint": hint, "post_logout_redirect_uri": GOODBYE, "state": "s&t"}
    done = signed_in.get("/oidc/end-session", query_string=query)
    assert answer_of(done, GOODBYE) == {"state": "s&t"}
    assert ended(signed_in)


def test_an_expired_id_token_still_names_the_session(
    signed_in: FlaskClient, platform: Platform, clock: FixedClock
) -> None:
    hint = tokens_for(signed_in, platform)["id_token"]
    clock.advance(timedelta(minutes=10))
    done = signed_in.get("/oidc/end-session", query_string={"id_token_hint": hint})
    assert done.status_code == 200
    assert ended(signed_in)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"post_logout_redirect_uri": "https://evil.example/"}, "oidc.post-logout-redirect-uri"),
        ({"post_logout_redirect_uri": CALLBACK}, "oidc.post-logout-redirect-uri"),
        ({"client_id": "another"}, "oidc.client-unknown"),
        ({"id_token_hint": "a.b.c"}, "oidc.id-token-hint"),
    ],
)
def test_an_address_or_hint_that_is_not_known_is_refused(
    signed_in: FlaskClient, platform: Platform, change: dict[str, str], code: str
) -> None:
    hint = tokens_for(signed_in, platform)["id_token"]
    query = {"id_token_hint": hint, "post_logout_redirect_uri": GOODBYE, **change}
    refused = signed_in.get("/oidc/end-session", query_string=query)
    assert (refused.status_code, refused.get_json()["code"]) == (400, code)
    assert not ended(signed_in)


def test_without_a_hint_the_holder_is_asked(signed_in: FlaskClient) -> None:
    query = {"post_logout_redirect_uri": GOODBYE}
    asked = signed_in.get("/oidc/end-session", query_string=query)
    assert asked.status_code == 200
    assert 'action="/sso/sign-out"' in asked.text
    assert not ended(signed_in)


def test_a_hint_for_another_session_does_not_end_this_one(
    signed_in: FlaskClient, platform: Platform, other_card: Card
) -> None:
    hint = tokens_for(signed_in, platform)["id_token"]
    sign_in(signed_in, other_card)
    asked = signed_in.get("/oidc/end-session", query_string={"id_token_hint": hint})
    assert 'action="/sso/sign-out"' in asked.text
    assert not ended(signed_in)
