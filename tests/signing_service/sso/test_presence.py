"""A session that a key agent watches over ends when the card is pulled or the agent is silent."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from kernel.clock import FixedClock
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card
from tests.signing_service.sso.flow import Platform, bearer, tokens_for
from tests.signing_service.sso.test_sessions import end_reasons

BEAT = "/api/v1/sign-in/presence"


@pytest.fixture
def watched(browser: FlaskClient, card: Card) -> str:
    """The secret that the agent was given by the page."""
    nonce = browser.post("/api/v1/sign-in/challenges", json={}).get_json()["nonce"]
    body = {"token": card.answer(nonce), "nonce": nonce, "presence": True}
    told = browser.post("/api/v1/sign-in", json=body).get_json()
    assert told["presence"]["every_seconds"] == 5
    return str(told["presence"]["secret"])


def signed_in(browser: FlaskClient) -> bool:
    return bool(browser.get("/sso/session").get_json()["signed_in"])


def test_beats_keep_the_session_and_silence_ends_it(
    browser: FlaskClient, watched: str, clock: FixedClock, services: SsoServices
) -> None:
    sid = browser.get("/sso/session").get_json()["session"]
    for _ in range(10):
        clock.advance(timedelta(seconds=10))
        assert browser.post(BEAT, json={"secret": watched, "present": True}).status_code == 204
    assert signed_in(browser)
    clock.advance(timedelta(seconds=15))
    assert services.sessions.end_expired() == 1
    assert not signed_in(browser)
    assert end_reasons(services, sid) == ["card-absent"]
    assert browser.post(BEAT, json={"secret": watched, "present": True}).status_code == 401


def test_silence_counts_before_the_worker_comes_round(
    browser: FlaskClient, watched: str, clock: FixedClock
) -> None:
    clock.advance(timedelta(seconds=15))
    assert not signed_in(browser)


def test_pulling_the_card_ends_the_session_at_once_for_every_platform(
    browser: FlaskClient, watched: str, platform: Platform, services: SsoServices
) -> None:
    token = tokens_for(browser, platform)["access_token"]
    sid = browser.get("/sso/session").get_json()["session"]
    assert browser.post(BEAT, json={"secret": watched, "present": False}).status_code == 204
    assert not signed_in(browser)
    assert browser.get("/oidc/userinfo", headers=bearer(token)).status_code == 401
    assert end_reasons(services, sid) == ["card-removed"]
    assert browser.post(BEAT, json={"secret": watched, "present": False}).status_code == 401


def test_a_session_that_nobody_watches_over_needs_no_beats(
    browser: FlaskClient, card: Card, clock: FixedClock
) -> None:
    nonce = browser.post("/api/v1/sign-in/challenges", json={}).get_json()["nonce"]
    body = {"token": card.answer(nonce), "nonce": nonce}
    assert "presence" not in browser.post("/api/v1/sign-in", json=body).get_json()
    clock.advance(timedelta(minutes=5))
    assert signed_in(browser)


@pytest.mark.parametrize(
    "body", [{}, {"secret": 5, "present": True}, {"secret": "x"}, {"secret": "x", "present": "no"}]
)
def test_a_malformed_beat_is_refused(browser: FlaskClient, body: dict[str, object]) -> None:
    assert browser.post(BEAT, json=body).status_code == 400
    assert browser.post(BEAT, json={"secret": "x" * 43, "present": True}).status_code == 401
