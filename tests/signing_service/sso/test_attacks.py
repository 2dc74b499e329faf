"""Attacks on sign-in (RFC 9700, 4; OpenID Connect Core, 16), each tried and each without effect.

Others have tests where their defence is: codes in test_codes.py, redirect URIs in
test_authorization_requests.py, assertions in
test_client_authentication.py, refresh tokens in test_refresh.py, headers in
test_client_certificate.py.
"""

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import ORIGIN, Card
from tests.signing_service.sso.flow import (
    CALLBACK,
    GOODBYE,
    Platform,
    answer_of,
    bearer,
    code_for,
    is_sign_in,
    registered,
    sign_in,
    tokens_for,
)


def test_code_injection_the_victims_code_is_bound_to_the_victims_verifier(
    signed_in: FlaskClient, platform: Platform
) -> None:
    """4.5: an attacker puts a stolen code into a flow of his own at the same platform."""
    stolen = code_for(signed_in, platform)
    attackers_flow = Platform(platform.registration)
    refused = attackers_flow.redeem(signed_in, stolen)
    assert refused.get_json()["error"] == "invalid_grant"
    assert platform.redeem(signed_in, stolen).status_code == 400, "a tried code is spent"


def test_pkce_downgrade_a_verifier_is_needed_even_if_the_request_had_no_challenge(
    signed_in: FlaskClient, platform: Platform
) -> None:
    """4.8.2: there is no flow without a challenge, and none whose verifier may be left out."""
    bare = signed_in.get(platform.request(code_challenge=None, code_challenge_method=None))
    assert answer_of(bare)["error"] == "invalid_request"
    code = code_for(signed_in, platform)
    refused = platform.redeem(signed_in, code, code_verifier=None)
    assert refused.get_json()["error"] == "invalid_request"
    assert platform.redeem(signed_in, code).status_code == 400, "a tried code is spent"


def test_mix_up_every_answer_names_its_issuer(signed_in: FlaskClient, platform: Platform) -> None:
    """4.4, RFC 9207: codes and errors alike."""
    assert answer_of(signed_in.get(platform.request()))["iss"] == ORIGIN
    assert answer_of(signed_in.get(platform.request(scope="x")))["iss"] == ORIGIN
    told = signed_in.get("/.well-known/openid-configuration").get_json()
    assert told["authorization_response_iss_parameter_supported"] is True


@pytest.mark.parametrize(
    "uri",
    [
        "https://platform.example.evil.example/callback",
        "https://platform.example@evil.example/callback",
        "https://platform.example/callback/../evil",
        "https://platform.example/callback%2f..%2fevil",
        "https://platform.example/callback#@evil.example/",
        "https://platform.example:443/callback",
        "https://PLATFORM.example/callback",
        "http://platform.example/callback",
        "//evil.example/callback",
        "https://platform.example\\@evil.example/callback",
        "https://platform.example/callback\r\nX: y",
        " https://platform.example/callback",
        "javascript:alert(1)",
        "",
    ],
)
def test_redirect_uris_are_compared_character_by_character(
    signed_in: FlaskClient, platform: Platform, uri: str
) -> None:
    refused = signed_in.get(platform.request(redirect_uri=uri))
    assert refused.status_code == 400
    assert "Location" not in refused.headers


@pytest.mark.parametrize(
    "uri", ["https://evil.example/", GOODBYE + "/", GOODBYE + "?x=1", "//evil.example", CALLBACK]
)
def test_no_open_redirect_when_signing_out(
    signed_in: FlaskClient, platform: Platform, uri: str
) -> None:
    hint = tokens_for(signed_in, platform)["id_token"]
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": uri}
    refused = signed_in.get("/oidc/end-session", query_string=asked)
    assert refused.status_code == 400
    del asked["id_token_hint"]
    bare = signed_in.get("/oidc/end-session", query_string=asked)
    assert "Location" not in {*refused.headers.keys(), *bare.headers.keys()}


@pytest.mark.parametrize(
    "path",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example",
     "javascript:x", "https:evil.example", "\\\\evil.example"],
)  # fmt: skip
def test_no_open_redirect_after_signing_in(browser: FlaskClient, card: Card, path: str) -> None:
    shown = browser.get("/sso/sign-in", query_string={"next": path})
    assert 'name="next" value="/"' in shown.text
    arrived = browser.get("/sso/arrived", query_string={"next": path})
    assert arrived.location == "/"


def test_session_fixation_a_planted_cookie_is_worth_nothing_after_sign_in(
    app: Flask, card: Card
) -> None:
    planted = "a" * 43
    victim, attacker = app.test_client(), app.test_client()
    victim.set_cookie("portseal-session", planted)
    sign_in(victim, card)
    assert victim.get("/sso/session").get_json()["signed_in"]
    attacker.set_cookie("portseal-session", planted)
    assert not attacker.get("/sso/session").get_json()["signed_in"]


def test_a_new_proof_changes_the_cookie_so_that_a_stolen_one_is_worth_nothing(
    app: Flask, card: Card
) -> None:
    victim, thief = app.test_client(), app.test_client()
    sign_in(victim, card)
    stolen = victim.get_cookie("portseal-session")
    assert stolen is not None
    thief.set_cookie("portseal-session", stolen.value)
    assert thief.get("/sso/session").get_json()["signed_in"]
    sign_in(victim, card)
    assert not thief.get("/sso/session").get_json()["signed_in"]


def test_login_csrf_a_foreign_page_signs_nobody_in(
    app: Flask, card: Card, other_card: Card
) -> None:
    """The attacker's own, valid answer, sent through the victim's browser."""
    victim, attacker = app.test_client(), app.test_client()
    nonce = attacker.post("/api/v1/sign-in/challenges", json={}).get_json()["nonce"]
    answer = other_card.answer(nonce)
    form = {"token": json.dumps(answer), "nonce": nonce, "next": "/"}
    assert victim.post("/sso/sign-in", data=form).status_code == 400
    foreign = {"Origin": "https://evil.example"}
    body = {"token": answer, "nonce": nonce}
    refused = victim.post("/api/v1/sign-in", json=body, headers=foreign)
    assert refused.get_json()["code"] == "signin.foreign-origin"
    # Even from our own origin: the challenge is the attacker's browser's.
    refused = victim.post("/api/v1/sign-in", json=body)
    assert refused.get_json()["code"] == "signin.challenge-missing"
    assert not victim.get("/sso/session").get_json()["signed_in"]


def test_a_replayed_answer_is_worth_nothing(app: Flask, card: Card) -> None:
    with app.test_client() as browser:
        nonce = browser.post("/api/v1/sign-in/challenges", json={}).get_json()["nonce"]
        body = {"token": card.answer(nonce), "nonce": nonce}
        assert browser.post("/api/v1/sign-in", json=body).status_code == 200
        replayed = browser.post("/api/v1/sign-in", json=body)
        assert replayed.get_json()["code"] == "signin.challenge-missing"


def test_an_answer_made_at_another_site_is_not_over_our_origin(
    browser: FlaskClient, card: Card
) -> None:
    nonce = browser.post("/api/v1/sign-in/challenges", json={}).get_json()["nonce"]
    relayed = {"token": card.answer(nonce, "https://evil.example"), "nonce": nonce}
    refused = browser.post("/api/v1/sign-in", json=relayed)
    assert refused.get_json()["code"] == "signin.signature"


def test_tokens_of_one_platform_open_nothing_at_another(
    signed_in: FlaskClient, platform: Platform, services: SsoServices
) -> None:
    other = Platform(registered(services, "other"))
    tokens = tokens_for(signed_in, platform)
    code = code_for(signed_in, platform)
    assert other.redeem(signed_in, code).get_json()["error"] == "invalid_grant"
    claims = tokens["id_token"].split(".")[1]
    audience = json.loads(base64.urlsafe_b64decode(claims + "=="))["aud"]
    assert audience == platform.client_id
    hinted = signed_in.get(
        "/oidc/end-session",
        query_string={"id_token_hint": tokens["id_token"], "client_id": other.client_id},
    )
    assert hinted.get_json()["code"] == "oidc.client-unknown"


def test_an_id_token_is_no_access_token_and_a_logout_token_no_hint(
    signed_in: FlaskClient, platform: Platform, services: SsoServices
) -> None:
    tokens = tokens_for(signed_in, platform)
    assert signed_in.get("/oidc/userinfo", headers=bearer(tokens["id_token"])).status_code == 401
    notice = services.back_channel.logout_token(platform.client_id, "sid", "subject")
    refused = signed_in.get("/oidc/end-session", query_string={"id_token_hint": notice})
    assert refused.get_json()["code"] == "oidc.id-token-hint"


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": "ES256", "jwk": {}}])
def test_a_hint_whose_algorithm_was_changed_is_refused(
    signed_in: FlaskClient, platform: Platform, header: dict[str, object]
) -> None:
    _, claims, signature = tokens_for(signed_in, platform)["id_token"].split(".")
    forged = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    for tail in ("", signature):
        hint = f"{forged}.{claims}.{tail}"
        refused = signed_in.get("/oidc/end-session", query_string={"id_token_hint": hint})
        assert refused.get_json()["code"] == "oidc.id-token-hint"


def test_request_objects_are_refused_whatever_their_algorithm(
    signed_in: FlaskClient, platform: Platform
) -> None:
    for header in ({"alg": "none"}, {"alg": "HS256"}, {"alg": "ES256"}):
        head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        body = base64.urlsafe_b64encode(b'{"redirect_uri":"https://evil.example/"}').decode()
        answer = answer_of(signed_in.get(platform.request(request=f"{head}.{body.rstrip('=')}.")))
        assert answer["error"] == "request_not_supported"


def test_no_page_of_sign_in_can_be_framed_or_kept(
    signed_in: FlaskClient, platform: Platform
) -> None:
    for path in ("/sso/sign-in", platform.request(), "/oidc/end-session", "/cas/logout"):
        answer = signed_in.get(path)
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"


def test_a_code_does_not_stay_in_the_address_of_a_page_of_ours(
    signed_in: FlaskClient, platform: Platform
) -> None:
    """4.2: it goes to the platform alone, in a redirect that is not kept."""
    answer = signed_in.get(platform.request())
    assert urlsplit(answer.location).netloc == "platform.example"
    assert "code" in parse_qs(urlsplit(answer.location).query)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_form_of_another_site_is_answered_by_a_get_without_a_307(
    browser: FlaskClient, platform: Platform
) -> None:
    """4.12: a 307 would post the holder's form on."""
    query = urlsplit(platform.request()).query
    form = {name: values[0] for name, values in parse_qs(query).items()}
    assert browser.post("/oidc/authorize", data=form).status_code == 303
    assert is_sign_in(browser.get(platform.request()))
