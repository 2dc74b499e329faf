"""OpenID Connect: what a platform gets, and every way in which it gets nothing."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text, update

from kernel.clock import FixedClock
from records.database import Database
from records.events import Event
from records.journal import records
from signing_service.sso.card_login import ProvenCard
from signing_service.sso.claims import ACR_CARD, ACR_CERTIFICATE, PREFIX
from signing_service.sso.grants import CodeGrant, NewTokens
from signing_service.sso.services import SsoServices
from signing_service.sso.tables import codes
from tests.signing_service.sso.cards import FILE_POLICY, ORIGIN, Card, CardAuthority, Registry
from tests.signing_service.sso.flow import (
    CALLBACK,
    GOODBYE,
    Platform,
    answer_of,
    basic,
    bearer,
    code_for,
    continued,
    is_sign_in,
    read_id_token,
    registered,
    sign_in,
    tokens_for,
)

# -- discovery -----------------------------------------------------------------------------------


def test_discovery_names_what_there_is(browser: FlaskClient) -> None:
    found = browser.get("/.well-known/openid-configuration")
    metadata = found.get_json()
    assert found.headers["Cache-Control"] == "public, max-age=300"
    assert metadata["issuer"] == ORIGIN
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["id_token_signing_alg_values_supported"] == ["ES256"]
    for name in ("authorization", "token", "userinfo", "end_session"):
        path = urlsplit(metadata[f"{name}_endpoint"]).path
        assert browser.open(path, method="OPTIONS").status_code == 200
    assert browser.get(urlsplit(metadata["jwks_uri"]).path).status_code == 200


# -- the way through -----------------------------------------------------------------------------


def test_a_holder_signs_in_on_the_way_and_the_platform_learns_who(
    browser: FlaskClient, platform: Platform, card: Card, clock: FixedClock
) -> None:
    to_sign_in = browser.get(platform.request())
    assert is_sign_in(to_sign_in)
    assert "You are signing in to 报关平台." in browser.get(to_sign_in.location).text
    page = sign_in(browser, card, to_sign_in.location)
    answer = answer_of(browser.get(continued(page)))
    assert answer["state"] == platform.state
    assert answer["iss"] == ORIGIN
    tokens = platform.redeem(browser, answer["code"]).get_json()
    claims = read_id_token(browser, tokens["id_token"])
    now = int(clock.now().timestamp())
    holder = card.holder
    assert len(str(claims.pop("at_hash"))) == 22
    assert len(str(claims.pop("sid"))) == 32
    assert claims == {
        "iss": ORIGIN,
        "sub": holder.subject,
        "aud": platform.client_id,
        "iat": now,
        "exp": now + 300,
        "auth_time": now,
        "nonce": platform.nonce,
        "acr": ACR_CARD,
        "amr": ["hwk", "pin"],
        "name": holder.name,
        PREFIX + "holder_kind": "operator",
        PREFIX + "enterprise_name": holder.enterprise_name,
        PREFIX + "enterprise_uscc": holder.enterprise_uscc,
        PREFIX + "customs_code": holder.customs_code,
        PREFIX + "rights": ["declare-import"],
        PREFIX + "card": holder.card,
    }


def test_the_token_response_is_what_the_standard_says(
    signed_in: FlaskClient, platform: Platform
) -> None:
    answer = platform.redeem(signed_in, code_for(signed_in, platform))
    tokens = answer.get_json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 300
    assert "refresh_token" not in tokens


def test_userinfo_tells_the_same_holder(
    signed_in: FlaskClient, platform: Platform, card: Card
) -> None:
    tokens = tokens_for(signed_in, platform, scope="openid rights")
    told = signed_in.get("/oidc/userinfo", headers=bearer(tokens["access_token"])).get_json()
    assert told == {
        "sub": card.holder.subject,
        PREFIX + "holder_kind": "operator",
        PREFIX + "rights": ["declare-import"],
    }


def test_a_public_client_needs_pkce_alone(signed_in: FlaskClient, services: SsoServices) -> None:
    public = Platform(registered(services, confidential=False))
    assert "id_token" in tokens_for(signed_in, public)


def test_a_key_that_may_be_in_a_file_is_called_no_hardware(
    browser: FlaskClient,
    platform: Platform,
    card: Card,
    registry: Registry,
    card_authority: CardAuthority,
) -> None:
    certificate = card_authority.issue(card.key, policies=(FILE_POLICY,))
    soft = Card(card.key, certificate, registry.register(certificate))
    sign_in(browser, soft)
    claims = read_id_token(browser, tokens_for(browser, platform)["id_token"])
    assert (claims["acr"], claims["amr"]) == (ACR_CERTIFICATE, ["pop"])


def test_an_issued_token_is_journalled_without_its_text(
    signed_in: FlaskClient, platform: Platform, services: SsoServices, card: Card
) -> None:
    tokens = tokens_for(signed_in, platform)
    with services.database.reading() as connection:
        (issued,) = (r for r in records(connection) if r.event == Event.PLATFORM_TOKEN_ISSUED)
        assert services.journal.verify(connection).intact
    assert (issued.subject, issued.actor) == (card.holder.subject, platform.client_id)
    assert tokens["access_token"] not in issued.facts


def test_another_sites_form_may_ask_too(signed_in: FlaskClient, platform: Platform) -> None:
    query = urlsplit(platform.request()).query
    posted = signed_in.post(
        "/oidc/authorize", data={name: values[0] for name, values in parse_qs(query).items()}
    )
    assert posted.status_code == 303
    assert "code" in answer_of(signed_in.get(posted.location))


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
    assert not services.grants.save_tokens(NewTokens("t" * 43), grant, "subject")
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
            saved = pool.submit(services.grants.save_tokens, NewTokens("t" * 43), grant, "subject")
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


# -- end of session ------------------------------------------------------------------------------


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
