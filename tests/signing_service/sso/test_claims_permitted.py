"""A platform learns what the department permitted, whatever it asks for; hints and the claims
parameter (OpenID Connect Core, 5.5 and 3.1.2.1)."""

import html
import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from signing_service.sso.claims import PREFIX
from signing_service.sso.platform import ClaimsPermission, PlatformTerms
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card
from tests.signing_service.sso.flow import (
    Platform,
    answer_of,
    bearer,
    is_sign_in,
    read_id_token,
    registered,
    sign_in,
    tokens_for,
)

FEW = ClaimsPermission((PREFIX + "enterprise_uscc",), "海关总署示例司 示例人", "示例〔2026〕1号")
HOLDER_CLAIMS = {"name", *(PREFIX + each for each in ("rights", "card", "customs_code", "roles"))}


def test_claims_that_were_not_permitted_are_not_told_anywhere(
    signed_in: FlaskClient, services: SsoServices, card: Card
) -> None:
    platform = Platform(registered(services, terms=PlatformTerms(permission=FEW)))
    wanted = json.dumps({part: {name: {"essential": True} for name in HOLDER_CLAIMS}
                         for part in ("id_token", "userinfo")})  # fmt: skip
    tokens = tokens_for(signed_in, platform, claims=wanted)
    claims = read_id_token(signed_in, tokens["id_token"])
    told = signed_in.get("/oidc/userinfo", headers=bearer(tokens["access_token"])).get_json()
    for found in (claims, told):
        assert found[PREFIX + "enterprise_uscc"] == card.holder.enterprise_uscc
        assert not HOLDER_CLAIMS & found.keys()
        assert PREFIX + "enterprise_name" not in found
        assert PREFIX + "holder_kind" not in found


def test_claims_are_asked_for_one_by_one_where_they_shall_stand(
    signed_in: FlaskClient, platform: Platform
) -> None:
    wanted = json.dumps({"userinfo": {"name": None}, "id_token": {PREFIX + "card": None}})
    tokens = tokens_for(signed_in, platform, scope="openid", claims=wanted)
    claims = read_id_token(signed_in, tokens["id_token"])
    told = signed_in.get("/oidc/userinfo", headers=bearer(tokens["access_token"])).get_json()
    assert (PREFIX + "card" in claims, "name" in claims) == (True, False)
    assert (PREFIX + "card" in told, "name" in told) == (False, True)


@pytest.mark.parametrize(
    "text",
    ["x", "[]", "{" * 2000, '{"id_token": []}', '{"id_token": {"name": 5}}',
     '{"id_token": {"sub": {"value": 5}}}', '{"id_token": {"acr": {"values": "x"}}}',
     '{"id_token": {"acr": {"essential": "yes"}}}'],
)  # fmt: skip
def test_a_malformed_claims_parameter_is_refused(
    signed_in: FlaskClient, platform: Platform, text: str
) -> None:
    assert answer_of(signed_in.get(platform.request(claims=text)))["error"] == "invalid_request"


def test_another_holder_than_the_hint_names_is_not_passed_off(
    app: Flask, platform: Platform, card: Card, other_card: Card
) -> None:
    with app.test_client() as browser:
        sign_in(browser, card)
        hint = tokens_for(browser, platform)["id_token"]
        assert "code" in answer_of(browser.get(platform.request(id_token_hint=hint)))
        sign_in(browser, other_card)
        silent = answer_of(browser.get(platform.request(id_token_hint=hint, prompt="none")))
        assert silent["error"] == "login_required"
        asked = browser.get(platform.request(id_token_hint=hint))
        assert is_sign_in(asked)
        page = sign_in(browser, other_card, asked.location)
        refused = answer_of(browser.get(_target(page.text)))
        assert refused["error"] == "login_required"


def test_the_claims_parameter_may_name_the_holder(
    signed_in: FlaskClient, platform: Platform, card: Card
) -> None:
    def asking(subject: str) -> str:
        wanted = json.dumps({"id_token": {"sub": {"value": subject}}})
        return platform.request(claims=wanted, prompt="none")

    assert "code" in answer_of(signed_in.get(asking(card.holder.subject)))
    assert answer_of(signed_in.get(asking("somebody")))["error"] == "login_required"


def test_a_login_hint_is_shown_to_the_holder_and_binds_nobody(
    browser: FlaskClient, platform: Platform, card: Card
) -> None:
    asked = browser.get(platform.request(login_hint="卡号 <OP-2026>"))
    page = browser.get(asked.location).text
    assert "卡号 &lt;OP-2026&gt;" in page
    done = sign_in(browser, card, asked.location)
    assert "code" in answer_of(browser.get(_target(done.text)))


@pytest.mark.parametrize("hint", ["x" * 201, "a\nb"])
def test_a_hint_that_cannot_be_shown_is_refused(
    signed_in: FlaskClient, platform: Platform, hint: str
) -> None:
    assert answer_of(signed_in.get(platform.request(login_hint=hint)))["error"] == "invalid_request"


def test_a_hint_that_we_did_not_sign_is_refused(signed_in: FlaskClient, platform: Platform) -> None:
    answer = answer_of(signed_in.get(platform.request(id_token_hint="e30.e30.x")))
    assert answer["error"] == "invalid_request"


def _target(page: str) -> str:
    return html.unescape(page.split('id="continue"')[1].split('href="')[1].split('"')[0])
