"""Authorization codes and access tokens: whose they are, how long and how often they are good."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text, update

from kernel.clock import FixedClock
from records.database import Database
from records.events import Event
from records.journal import records
from signing_service.sso.card_login import ProvenCard
from signing_service.sso.grants import CodeGrant, NewTokens
from signing_service.sso.services import SsoServices
from signing_service.sso.tables import codes
from tests.signing_service.sso.cards import Card, Registry
from tests.signing_service.sso.flow import (
    CALLBACK,
    SOMEBODY,
    Platform,
    basic,
    bearer,
    code_for,
    is_sign_in,
    registered,
    tokens_for,
)

# -- codes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "v" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code": "x" * 43}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "é"}, "unsupported_grant_type"),
        ({"grant_type": None}, "unsupported_grant_type"),
    ],
)
def test_a_code_is_bound_to_verifier_and_redirect_uri(
    signed_in: FlaskClient, platform: Platform, change: dict[str, str | None], error: str
) -> None:
    change = dict(change)
    code = code_for(signed_in, platform)
    refused = platform.redeem(signed_in, change.pop("code", code), None, **change)
    assert (refused.status_code, refused.get_json()["error"]) == (400, error)


def test_a_code_is_bound_to_its_platform(
    signed_in: FlaskClient, platform: Platform, services: SsoServices
) -> None:
    thief = Platform(registered(services, "thief"), verifier=platform.verifier)
    code = code_for(signed_in, platform)
    assert thief.redeem(signed_in, code).get_json()["error"] == "invalid_grant"
    assert platform.redeem(signed_in, code).status_code == 200


def test_a_code_lasts_a_minute(
    signed_in: FlaskClient, platform: Platform, clock: FixedClock
) -> None:
    code = code_for(signed_in, platform)
    clock.advance(timedelta(seconds=60))
    assert platform.redeem(signed_in, code).get_json()["error"] == "invalid_grant"


def test_a_code_that_comes_twice_revokes_what_it_gave(
    signed_in: FlaskClient, platform: Platform, services: SsoServices
) -> None:
    code = code_for(signed_in, platform)
    token = platform.redeem(signed_in, code).get_json()["access_token"]
    other = tokens_for(signed_in, platform)["access_token"]
    assert platform.redeem(signed_in, code).get_json()["error"] == "invalid_grant"
    assert signed_in.get("/oidc/userinfo", headers=bearer(token)).status_code == 401
    assert signed_in.get("/oidc/userinfo", headers=bearer(other)).status_code == 200
    with services.database.reading() as connection:
        assert Event.PLATFORM_CODE_REUSED in {r.event for r in records(connection)}


def test_of_many_that_redeem_a_code_at_once_one_gets_it(
    any_database: Database, make_services: Callable[..., SsoServices], card: Card
) -> None:
    services = make_services(any_database)
    platform = Platform(registered(services))
    opened = services.sessions.open(ProvenCard(card.certificate, card.holder))
    code = "c" * 43 if any_database.is_sqlite else "d" * 43
    grant = CodeGrant(
        client_id=platform.client_id,
        sid=opened.signed_in.session,
        redirect_uri=CALLBACK,
        scope="openid",
        nonce=None,
        code_challenge="x" * 43,
    )
    services.grants.save_code(code, grant)
    with ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(services.grants.take_code, code, platform.client_id) for _ in range(8)]
        grants = [attempt.result() for attempt in tries]
    assert sum(grant is not None for grant in grants) == 1


def test_a_code_reused_before_its_token_is_stored_gives_none(
    signed_in: FlaskClient, platform: Platform, services: SsoServices
) -> None:
    code = code_for(signed_in, platform)
    grant = services.grants.take_code(code, platform.client_id)
    assert grant is not None
    assert services.grants.take_code(code, platform.client_id) is None
    assert not services.grants.save_tokens(NewTokens("t" * 43), grant, SOMEBODY)
    assert services.grants.access("t" * 43) is None


def test_a_code_whose_reuse_is_being_recorded_gives_no_token(
    postgresql_database: Database, make_services: Callable[..., SsoServices], card: Card
) -> None:
    """The token waits for the row, and then sees what was written there meanwhile."""
    services = make_services(postgresql_database)
    platform = Platform(registered(services))
    opened = services.sessions.open(ProvenCard(card.certificate, card.holder))
    code = CodeGrant(
        platform.client_id, opened.signed_in.session, CALLBACK, "openid", None, "x" * 43
    )
    services.grants.save_code("c" * 43, code)
    grant = services.grants.take_code("c" * 43, platform.client_id)
    assert grant is not None
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    def blocked() -> bool:
        with postgresql_database.reading() as connection:
            return bool(connection.execute(waiting).scalar_one())

    reused = update(codes).where(codes.c.code_hash == grant.code_hash)
    with ThreadPoolExecutor(1) as pool:
        with postgresql_database.transaction() as connection:
            connection.execute(reused.values(reused_at=services.clock.now()))
            saved = pool.submit(services.grants.save_tokens, NewTokens("t" * 43), grant, SOMEBODY)
            while not (is_blocked := blocked()) and not saved.done():
                time.sleep(0.01)
            assert is_blocked
        assert saved.result() is False
    assert services.grants.access("t" * 43) is None


# -- client authentication -----------------------------------------------------------------------


def test_a_platform_must_prove_itself(signed_in: FlaskClient, platform: Platform) -> None:
    code = code_for(signed_in, platform)
    secret = platform.registration.secret
    assert secret is not None
    for headers in (
        {},
        basic(platform.client_id, "wrong"),
        basic(platform.client_id, ""),
        basic("unknown", secret),
        {"Authorization": "Basic /////w=="},
        {"Authorization": "Basic !"},
        {"Authorization": "Bearer " + secret},
    ):
        refused = platform.redeem(signed_in, code, headers, client_id=platform.client_id)
        assert (refused.status_code, refused.get_json()["error"]) == (401, "invalid_client")
    in_body = platform.redeem(
        signed_in, code, {}, client_id=platform.client_id, client_secret=secret
    )
    assert in_body.status_code == 401
    assert platform.redeem(signed_in, code).status_code == 200


def test_token_parameters_come_in_the_body_once(signed_in: FlaskClient, platform: Platform) -> None:
    code = code_for(signed_in, platform)
    assert signed_in.post(f"/oidc/token?code={code}").get_json()["error"] == "invalid_request"
    twice = {"grant_type": "authorization_code", "code": [code, code]}
    assert signed_in.post("/oidc/token", data=twice).get_json()["error"] == "invalid_request"
    assert signed_in.get("/oidc/token").status_code == 405
    assert signed_in.post("/oidc/token", data={"code": "x" * 20_000}).status_code == 413


# -- access tokens -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [{}, bearer(""), bearer("x" * 43), {"Authorization": "Basic eDp5"}, bearer("é".encode().hex())],
)
def test_userinfo_wants_a_live_token(browser: FlaskClient, headers: dict[str, str]) -> None:
    refused = browser.get("/oidc/userinfo", headers=headers)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_access_token_lasts_five_minutes(
    signed_in: FlaskClient, platform: Platform, clock: FixedClock
) -> None:
    token = tokens_for(signed_in, platform)["access_token"]
    clock.advance(timedelta(minutes=5))
    assert signed_in.get("/oidc/userinfo", headers=bearer(token)).status_code == 401


def test_a_revoked_card_ends_everything(
    signed_in: FlaskClient, platform: Platform, card: Card, registry: Registry
) -> None:
    token = tokens_for(signed_in, platform)["access_token"]
    code = code_for(signed_in, platform)
    registry.revoke(card.certificate)
    assert signed_in.get("/oidc/userinfo", headers=bearer(token)).status_code == 401
    assert platform.redeem(signed_in, code).get_json()["error"] == "invalid_grant"
    assert is_sign_in(signed_in.get(platform.request()))


def test_ending_the_sessions_of_a_card_ends_its_tokens_at_once(
    signed_in: FlaskClient, platform: Platform, card: Card, services: SsoServices
) -> None:
    token = tokens_for(signed_in, platform)["access_token"]
    assert services.sessions.end_sessions_of_card(card.holder.card) == 1
    assert signed_in.get("/oidc/userinfo", headers=bearer(token)).status_code == 401
