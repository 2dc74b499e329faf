"""What was granted for the holder of a key is worth nothing to anybody else (RFC 9449, 5-10)."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from kernel.clock import FixedClock
from kernel.refusals import Unprocessable
from records.database import Database
from signing_service.sso.platform import REMOTE_SCOPES, PlatformDraft, PlatformTerms
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card, Registry
from tests.signing_service.sso.dpop.holder import PAR, USERINFO, KeyHolder, proof_of
from tests.signing_service.sso.flow import (
    Platform,
    answer_of,
    basic,
    bearer,
    code_for,
    registered,
    sign_in,
    tokens_for,
)
from tests.signing_service.sso.test_platform_pages import draft, make_officer

PUBLIC: dict[str, Any] = {
    "confidential": False,
    "terms": PlatformTerms(auth_method="none", refresh=True),
}
REFRESHING: dict[str, Any] = {"terms": PlatformTerms(refresh=True)}


@pytest.fixture
def services(database: Database, make_services: Callable[..., SsoServices]) -> SsoServices:
    return make_services(database, dpop_nonces=False)


@pytest.fixture
def holder(clock: FixedClock) -> KeyHolder:
    return KeyHolder(clock)


@pytest.fixture
def thief(clock: FixedClock) -> KeyHolder:
    return KeyHolder(clock)


@pytest.fixture(params=[PUBLIC, REFRESHING], ids=["public", "confidential"])
def either(request: pytest.FixtureRequest, services: SsoServices) -> Platform:
    return Platform(registered(services, **request.param))


def error_of(response: TestResponse, status: int = 400) -> str:
    assert response.status_code == status, response.text
    return str(response.get_json()["error"])


def bound(browser: FlaskClient, platform: Platform, holder: KeyHolder) -> dict[str, Any]:
    answer = holder.redeem(browser, platform, code_for(browser, platform))
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def introspected(browser: FlaskClient, platform: Platform, token: str) -> dict[str, Any]:
    headers = basic(platform.client_id, platform.registration.secret or "")
    answer = browser.post("/oidc/introspect", data={"token": token}, headers=headers)
    return dict(answer.get_json())


def test_a_token_is_for_the_key_that_asked(
    signed_in: FlaskClient, either: Platform, holder: KeyHolder, card: Card
) -> None:
    tokens = bound(signed_in, either, holder)
    assert tokens["token_type"] == "DPoP"
    told = holder.userinfo(signed_in, tokens["access_token"])
    assert told.get_json()["sub"] == card.holder.subject
    assert holder.userinfo(signed_in, tokens["access_token"], scheme="dpop").status_code == 200


def test_without_a_proof_everything_is_as_before(
    signed_in: FlaskClient, platform: Platform
) -> None:
    tokens = tokens_for(signed_in, platform)
    assert tokens["token_type"] == "Bearer"
    answer = signed_in.get(USERINFO, headers=bearer(tokens["access_token"]))
    assert answer.status_code == 200
    assert "DPoP-Nonce" not in answer.headers
    told = introspected(signed_in, platform, tokens["access_token"])
    assert (told["token_type"], "cnf" in told) == ("Bearer", False)


def test_without_a_proof_the_store_of_used_ones_is_not_even_asked(
    signed_in: FlaskClient, platform: Platform, services: SsoServices
) -> None:
    """So the rate of sign-ins is what it was."""
    asked: list[str] = []

    def note(connection: object, cursor: object, statement: str, *more: object) -> None:
        asked.append(statement)

    event.listen(services.database.engine, "before_cursor_execute", note)
    try:
        token = tokens_for(signed_in, platform)["access_token"]
        assert signed_in.get(USERINFO, headers=bearer(token)).status_code == 200
    finally:
        event.remove(services.database.engine, "before_cursor_execute", note)
    assert any("sso_access_token" in each for each in asked)
    assert not any("sso_client_assertion" in each for each in asked)


def test_a_stolen_token_is_worth_nothing(
    signed_in: FlaskClient, either: Platform, holder: KeyHolder, thief: KeyHolder
) -> None:
    token = bound(signed_in, either, holder)["access_token"]
    assert error_of(signed_in.get(USERINFO, headers=bearer(token)), 401) == "invalid_token"
    assert error_of(signed_in.post(USERINFO, data={"access_token": token}), 401) == "invalid_token"
    assert error_of(holder.userinfo(signed_in, token, scheme="Bearer"), 401) == "invalid_token"
    assert error_of(thief.userinfo(signed_in, token), 401) == "invalid_token"
    alone = signed_in.get(USERINFO, headers={"Authorization": f"DPoP {token}"})
    assert error_of(alone, 401) == "invalid_dpop_proof"
    assert holder.userinfo(signed_in, token).status_code == 200


def test_a_proof_for_one_token_is_none_for_another(
    signed_in: FlaskClient, either: Platform, holder: KeyHolder
) -> None:
    first, second = (bound(signed_in, either, holder)["access_token"] for _ in range(2))
    mixed = {
        "Authorization": f"DPoP {second}",
        "DPoP": holder.proof(USERINFO, "GET", token=first),
    }
    assert error_of(signed_in.get(USERINFO, headers=mixed), 401) == "invalid_dpop_proof"


def test_a_recorded_request_cannot_be_played_again(
    signed_in: FlaskClient, either: Platform, holder: KeyHolder
) -> None:
    token = bound(signed_in, either, holder)["access_token"]
    headers = {"Authorization": f"DPoP {token}", "DPoP": holder.proof(USERINFO, "GET", token=token)}
    assert signed_in.get(USERINFO, headers=headers).status_code == 200
    assert error_of(signed_in.get(USERINFO, headers=headers), 401) == "invalid_dpop_proof"
    assert error_of(signed_in.post(USERINFO, headers=headers), 401) == "invalid_dpop_proof"


def test_one_proof_redeems_one_code(
    signed_in: FlaskClient, either: Platform, holder: KeyHolder
) -> None:
    codes = [code_for(signed_in, either) for _ in range(2)]
    jti = "the-same-for-both"
    assert holder.redeem(signed_in, either, codes[0], jti=jti).status_code == 200
    assert error_of(holder.redeem(signed_in, either, codes[1], jti=jti)) == "invalid_dpop_proof"


def test_a_bearers_token_is_not_passed_off_as_bound(
    signed_in: FlaskClient, platform: Platform, holder: KeyHolder
) -> None:
    token = tokens_for(signed_in, platform)["access_token"]
    assert error_of(holder.userinfo(signed_in, token), 401) == "invalid_token"


def test_the_refusals_say_which_schemes_and_algorithms_there_are(
    signed_in: FlaskClient, either: Platform, holder: KeyHolder, thief: KeyHolder
) -> None:
    """RFC 9449, 7.1; RFC 6750, 3."""
    algs = 'algs="ES256 ES384 PS256 PS384 RS256"'
    nothing = signed_in.get(USERINFO).headers.getlist("WWW-Authenticate")
    assert nothing == ['Bearer realm="PortSeal"', f'DPoP realm="PortSeal", {algs}']
    token = bound(signed_in, either, holder)["access_token"]
    stolen = thief.userinfo(signed_in, token).headers.getlist("WWW-Authenticate")
    assert stolen == [f'{nothing[1]}, error="invalid_token"']
    as_bearer = signed_in.get(USERINFO, headers=bearer(token)).headers.getlist("WWW-Authenticate")
    assert as_bearer[0] == 'Bearer realm="PortSeal", error="invalid_token"'


def test_introspection_names_the_key(
    signed_in: FlaskClient, services: SsoServices, holder: KeyHolder
) -> None:
    """RFC 9449, 6.2. The refresh token is held by the platform's own secret."""
    platform = Platform(registered(services, **REFRESHING))
    tokens = bound(signed_in, platform, holder)
    told = introspected(signed_in, platform, tokens["access_token"])
    assert told["token_type"] == "DPoP"
    assert told["cnf"] == {"jkt": holder.thumbprint}
    assert "cnf" not in introspected(signed_in, platform, tokens["refresh_token"])


# -- codes -----------------------------------------------------------------------------------------


def test_a_code_asked_for_a_key_is_for_its_holder_alone(
    signed_in: FlaskClient, either: Platform, holder: KeyHolder, thief: KeyHolder
) -> None:
    """RFC 9449, 10 `dpop_jkt`."""

    def code() -> str:
        return code_for(signed_in, either, dpop_jkt=holder.thumbprint)

    assert error_of(thief.redeem(signed_in, either, code())) == "invalid_grant"
    form: dict[str, str] = {}
    own = proof_of(either, form)
    assert error_of(either.redeem(signed_in, code(), own, **form)) == "invalid_grant"
    assert holder.redeem(signed_in, either, code()).status_code == 200


@pytest.mark.parametrize("key", ["x", "", "x" * 42, "x" * 44, "x" * 42 + "=", "_" * 43, "é" * 43])
def test_what_is_no_thumbprint_is_refused(
    signed_in: FlaskClient, platform: Platform, key: str
) -> None:
    answer = answer_of(signed_in.get(platform.request(dpop_jkt=key)))
    assert answer["error"] == "invalid_request"


def push(
    browser: FlaskClient, platform: Platform, proof: str, **changes: str | None
) -> TestResponse:
    query = parse_qs(urlsplit(platform.request(**changes)).query)
    form = {name: values[0] for name, values in query.items()}
    own = proof_of(platform, form)
    return browser.post(PAR, data=form, headers={**own, "DPoP": proof})


def test_a_proof_with_a_pushed_request_binds_its_code(
    signed_in: FlaskClient, either: Platform, holder: KeyHolder, thief: KeyHolder
) -> None:
    """RFC 9449, 10.1."""

    def code() -> str:
        pushed = push(signed_in, either, holder.proof(PAR))
        assert pushed.status_code == 201, pushed.text
        name = pushed.get_json()["request_uri"]
        address = f"/oidc/authorize?client_id={either.client_id}&request_uri={name}"
        return answer_of(signed_in.get(address))["code"]

    assert error_of(thief.redeem(signed_in, either, code())) == "invalid_grant"
    assert holder.redeem(signed_in, either, code()).status_code == 200


def test_a_pushed_request_names_the_key_of_its_proof_or_none(
    signed_in: FlaskClient, either: Platform, holder: KeyHolder, thief: KeyHolder
) -> None:
    other = push(signed_in, either, thief.proof(PAR), dpop_jkt=holder.thumbprint)
    assert error_of(other) == "invalid_dpop_proof"
    same = push(signed_in, either, holder.proof(PAR), dpop_jkt=holder.thumbprint)
    assert same.status_code == 201
    elsewhere = push(signed_in, either, holder.proof("/oidc/token"))
    assert error_of(elsewhere) == "invalid_dpop_proof"
    proof = holder.proof(PAR)
    assert push(signed_in, either, proof).status_code == 201
    assert error_of(push(signed_in, either, proof)) == "invalid_dpop_proof"


# -- refresh tokens --------------------------------------------------------------------------------


def test_a_public_platforms_refresh_token_is_for_its_key(
    signed_in: FlaskClient, services: SsoServices, holder: KeyHolder, thief: KeyHolder
) -> None:
    """RFC 9449, 5: nothing else tells such a platform from a thief."""
    platform = Platform(registered(services, **PUBLIC))
    first = bound(signed_in, platform, holder)["refresh_token"]
    second = holder.refresh(signed_in, platform, first).get_json()
    assert second["token_type"] == "DPoP"
    assert holder.userinfo(signed_in, second["access_token"]).status_code == 200
    stolen = second["refresh_token"]
    assert error_of(thief.refresh(signed_in, platform, stolen)) == "invalid_grant"
    other = bound(signed_in, platform, holder)["refresh_token"]
    form = {
        "grant_type": "refresh_token", "refresh_token": other, "client_id": platform.client_id,
    }  # fmt: skip
    assert error_of(signed_in.post("/oidc/token", data=form)) == "invalid_grant"


def test_a_platform_with_a_secret_may_change_its_key(
    signed_in: FlaskClient, services: SsoServices, holder: KeyHolder, clock: FixedClock
) -> None:
    platform = Platform(registered(services, **REFRESHING))
    first = bound(signed_in, platform, holder)["refresh_token"]
    newer = KeyHolder(clock)
    second = newer.refresh(signed_in, platform, first).get_json()
    assert newer.userinfo(signed_in, second["access_token"]).status_code == 200
    assert error_of(holder.userinfo(signed_in, second["access_token"]), 401) == "invalid_token"


# -- platforms that must ---------------------------------------------------------------------------


def test_a_platform_registered_for_it_gets_no_bearers_token(
    signed_in: FlaskClient, services: SsoServices, holder: KeyHolder
) -> None:
    """RFC 9449, 5.2 `dpop_bound_access_tokens`; the code is not lost by the mistake."""
    platform = Platform(registered(services, terms=PlatformTerms(dpop_bound=True, refresh=True)))
    code = code_for(signed_in, platform)
    assert error_of(platform.redeem(signed_in, code)) == "invalid_dpop_proof"
    answer = holder.redeem(signed_in, platform, code)
    assert answer.get_json()["token_type"] == "DPoP"
    form = {"grant_type": "refresh_token", "refresh_token": answer.get_json()["refresh_token"]}
    unproven = signed_in.post("/oidc/token", data=form, headers=proof_of(platform, form))
    assert error_of(unproven) == "invalid_dpop_proof"
    assert holder.refresh(signed_in, platform, form["refresh_token"]).status_code == 200


def test_two_officers_see_that_a_platform_is_bound(
    app: Flask, services: SsoServices, registry: Registry, card: Card
) -> None:
    """As its other terms; the console writes the same field."""
    services.proposals.register(draft(dpop_bound="on"), by="officer:2")
    (waiting,) = services.proposals.waiting()
    browser = app.test_client()
    sign_in(browser, make_officer(registry, card, "administrator"))
    shown = browser.get("/admin/platforms").text
    assert re.search(r"own key alone \(DPoP\)</dt><dd>(<mark[^>]*>)?yes\s*<", shown)
    services.proposals.confirm(waiting.id, by="officer:3")
    platform = services.platforms.find("declare")
    assert platform is not None
    assert platform.terms.dpop_bound
    assert 'name="dpop_bound" checked' in browser.get("/admin/platforms/declare/change").text


def test_remote_signing_knows_no_proofs_so_no_platform_has_both() -> None:
    terms = PlatformTerms(dpop_bound=True)
    draft = PlatformDraft("p", "p", ("https://p.example/cb",), scopes=REMOTE_SCOPES, terms=terms)
    with pytest.raises(Unprocessable, match=r"platform\.dpop"):
        draft.checked()


def test_what_is_there_is_discovered(signed_in: FlaskClient) -> None:
    told = signed_in.get("/.well-known/openid-configuration").get_json()
    assert told["dpop_signing_alg_values_supported"] == [
        "ES256", "ES384", "PS256", "PS384", "RS256",
    ]  # fmt: skip
