"""Refresh tokens rotate; one that comes twice costs the whole family; none outlives the session."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, text
from werkzeug.test import TestResponse

from kernel.clock import FixedClock
from records.database import Database
from records.events import Event
from records.journal import records
from signing_service.sso.card_login import ProvenCard
from signing_service.sso.claims import PREFIX
from signing_service.sso.grants import CodeGrant, NewTokens, Terms
from signing_service.sso.platform import ClaimsPermission, PlatformDraft, PlatformTerms
from signing_service.sso.platform import Platform as Registered
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card, Registry
from tests.signing_service.sso.flow import (
    CALLBACK,
    SOMEBODY,
    Platform,
    basic,
    bearer,
    code_for,
    read_id_token,
    registered,
    tokens_for,
)


@pytest.fixture
def refreshing(services: SsoServices) -> Platform:
    return Platform(registered(services, terms=PlatformTerms(refresh=True)))


def refresh(browser: FlaskClient, platform: Platform, token: str, **more: str) -> TestResponse:
    headers = basic(platform.client_id, platform.registration.secret or "")
    form = {"grant_type": "refresh_token", "refresh_token": token, **more}
    return browser.post("/oidc/token", data=form, headers=headers)


def test_a_refresh_token_gives_new_tokens_and_a_new_refresh_token(
    signed_in: FlaskClient, refreshing: Platform, clock: FixedClock
) -> None:
    first = tokens_for(signed_in, refreshing)
    signed_at = read_id_token(signed_in, first["id_token"])["auth_time"]
    clock.advance(timedelta(minutes=10))
    signed_in.get("/sso/session")  # somebody is there: the session does not idle out
    second = refresh(signed_in, refreshing, first["refresh_token"]).get_json()
    assert second["refresh_token"] != first["refresh_token"]
    claims = read_id_token(signed_in, second["id_token"])
    assert claims["auth_time"] == signed_at
    assert "nonce" not in claims
    told = signed_in.get("/oidc/userinfo", headers=bearer(second["access_token"]))
    assert told.status_code == 200


def test_one_that_comes_twice_revokes_the_family_and_is_journalled(
    signed_in: FlaskClient, refreshing: Platform, services: SsoServices
) -> None:
    first = tokens_for(signed_in, refreshing)
    second = refresh(signed_in, refreshing, first["refresh_token"]).get_json()
    stolen = refresh(signed_in, refreshing, first["refresh_token"])
    assert stolen.get_json()["error"] == "invalid_grant"
    assert refresh(signed_in, refreshing, second["refresh_token"]).status_code == 400
    for token in (first["access_token"], second["access_token"]):
        assert signed_in.get("/oidc/userinfo", headers=bearer(token)).status_code == 401
    with services.database.reading() as connection:
        assert Event.PLATFORM_TOKEN_REUSED in {each.event for each in records(connection)}
        assert services.journal.verify(connection).intact


def test_a_code_that_comes_twice_revokes_the_refresh_token_too(
    signed_in: FlaskClient, refreshing: Platform
) -> None:
    code = code_for(signed_in, refreshing)
    tokens = refreshing.redeem(signed_in, code).get_json()
    assert refreshing.redeem(signed_in, code).status_code == 400
    assert refresh(signed_in, refreshing, tokens["refresh_token"]).status_code == 400


def test_of_many_that_use_one_refresh_token_at_once_one_gets_it(
    any_database: Database, make_services: Callable[..., SsoServices], card: Card
) -> None:
    services = make_services(any_database)
    refreshing = Platform(registered(services, terms=PlatformTerms(refresh=True)))
    opened = services.sessions.open(ProvenCard(card.certificate, card.holder))
    terms = Terms("acr", ("pop",), 0)
    grant = CodeGrant(
        refreshing.client_id, opened.signed_in.session, CALLBACK, "openid", None, "x" * 43,
        terms=terms,
    )  # fmt: skip
    services.grants.save_code("c" * 43, grant)
    taken = services.grants.take_code("c" * 43, refreshing.client_id)
    assert taken is not None
    assert services.grants.save_tokens(NewTokens("a" * 43, "r" * 43), taken, SOMEBODY)
    with ThreadPoolExecutor(8) as pool:
        tries = [
            pool.submit(services.grants.take_refresh, "r" * 43, refreshing.client_id)
            for _ in range(8)
        ]
        found = [attempt.result() for attempt in tries]
    assert sum(grant is not None for grant in found) == 1
    assert services.grants.access("a" * 43) is None


@pytest.mark.parametrize("how", ["reused", "revoked"])
def test_tokens_that_are_just_being_given_are_revoked_with_their_family(
    postgresql_database: Database,
    make_services: Callable[..., SsoServices],
    card: Card,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """A thief and the platform come with one refresh token at the same moment."""
    database, services = postgresql_database, make_services(postgresql_database)
    grants = services.grants
    platform = Platform(registered(services, terms=PlatformTerms(refresh=True))).client_id
    session = services.sessions.open(ProvenCard(card.certificate, card.holder)).signed_in.session
    terms = Terms("acr", ("pop",), 0)
    grant = CodeGrant(platform, session, CALLBACK, "openid", None, "x" * 43, terms=terms)
    grants.save_code("c" * 43, grant)
    taken = grants.take_code("c" * 43, platform)
    assert taken is not None
    assert grants.save_tokens(NewTokens("a" * 43, "r" * 43), taken, SOMEBODY)
    used = grants.take_refresh("r" * 43, platform)
    assert used is not None

    inserted, goes_on, append = threading.Event(), threading.Event(), services.journal.append

    def held(connection: Connection, event: Event, **facts: Any) -> None:
        if event is Event.PLATFORM_TOKEN_REFRESHED:  # its tokens are inserted, and not committed
            inserted.set()
            assert goes_on.wait(10)
        append(connection, event, **facts)

    monkeypatch.setattr(services.journal, "append", held)
    end = {"reused": grants.take_refresh, "revoked": grants.revoke}[how]
    with ThreadPoolExecutor(2) as pool:
        new = NewTokens("b" * 43, "s" * 43)
        giving = pool.submit(grants.save_refreshed, new, used, "openid", SOMEBODY)
        assert inserted.wait(10)
        ending = pool.submit(end, "r" * 43, platform)
        waits = text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with database.engine.connect() as onlooker:
            while not ending.done() and not onlooker.execute(waits).scalar_one():
                onlooker.rollback()
        goes_on.set()
        assert giving.result(10)
        ending.result(10)
    for token in ("a" * 43, "b" * 43):
        assert grants.access(token) is None
    assert grants.take_refresh("s" * 43, platform) is None


def test_it_is_bound_to_its_platform_and_never_gives_more_than_was_granted(
    signed_in: FlaskClient, refreshing: Platform, services: SsoServices
) -> None:
    tokens = tokens_for(signed_in, refreshing, scope="openid profile")
    thief = Platform(registered(services, "thief", terms=PlatformTerms(refresh=True)))
    assert refresh(signed_in, thief, tokens["refresh_token"]).status_code == 400
    narrow = refresh(signed_in, refreshing, tokens["refresh_token"], scope="openid").get_json()
    assert narrow["scope"] == "openid"
    assert "name" not in read_id_token(signed_in, narrow["id_token"])
    wide = refresh(signed_in, refreshing, narrow["refresh_token"], scope="openid rights")
    assert wide.get_json()["error"] == "invalid_scope"


@pytest.mark.parametrize("end", ["signed out", "revoked", "frozen", "disabled", "idle"])
def test_it_is_worth_nothing_when_the_session_is_over(
    signed_in: FlaskClient,
    refreshing: Platform,
    services: SsoServices,
    registry: Registry,
    card: Card,
    clock: FixedClock,
    end: str,
) -> None:
    token = tokens_for(signed_in, refreshing)["refresh_token"]
    if end == "signed out":
        signed_in.delete("/api/v1/sign-in")
    elif end == "revoked":
        registry.revoke(card.certificate)
    elif end == "frozen":
        registry.set_state(card.certificate, "frozen")
    elif end == "disabled":
        services.platforms.disable(refreshing.client_id, actor="administrator")
    else:
        clock.advance(timedelta(minutes=31))
    assert refresh(signed_in, refreshing, token).status_code in (400, 401)


def test_a_platform_that_is_not_to_have_one_gets_none(
    signed_in: FlaskClient, platform: Platform
) -> None:
    assert "refresh_token" not in tokens_for(signed_in, platform)
    assert refresh(signed_in, platform, "x" * 43).get_json()["error"] == "unauthorized_client"


@pytest.mark.parametrize("form", [{}, {"refresh_token": "x" * 300}, {"refresh_token": "é"}])
def test_a_malformed_request_is_refused(
    browser: FlaskClient, refreshing: Platform, form: dict[str, Any]
) -> None:
    headers = basic(refreshing.client_id, refreshing.registration.secret or "")
    body = {"grant_type": "refresh_token", **form}
    assert browser.post("/oidc/token", data=body, headers=headers).status_code == 400


def test_what_the_department_no_longer_permits_is_not_told_again(
    signed_in: FlaskClient, services: SsoServices
) -> None:
    registration = registered(services, terms=PlatformTerms(refresh=True))
    platform = Platform(registration)
    tokens = tokens_for(signed_in, platform)
    assert "name" in read_id_token(signed_in, tokens["id_token"])
    few = ClaimsPermission((PREFIX + "card",), "海关总署示例司", "示例〔2026〕2号")
    draft = _draft(registration.platform, few)
    proposal = services.proposals.change(draft, by="officer:a")
    services.proposals.confirm(proposal.id, by="officer:b")
    again = refresh(signed_in, platform, tokens["refresh_token"]).get_json()
    claims = read_id_token(signed_in, again["id_token"])
    assert "name" not in claims
    assert PREFIX + "card" in claims


def _draft(platform: Registered, permission: ClaimsPermission) -> PlatformDraft:
    return PlatformDraft(
        platform.client_id,
        platform.name,
        platform.redirect_uris,
        scopes=tuple(platform.scopes),
        terms=replace(platform.terms, permission=permission),
    )
