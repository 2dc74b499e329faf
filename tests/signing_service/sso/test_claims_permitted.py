"""A platform learns what the department permitted, whatever it asks for; hints and the claims
parameter (OpenID Connect Core, 5.5 and 3.1.2.1)."""

import html
import json
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from signing_service.ports import RightPeriod
from signing_service.sso.claims import PERMITTABLE, PREFIX
from signing_service.sso.platform import ClaimsPermission, PlatformTerms
from signing_service.sso.platform_form import draft_of
from signing_service.sso.services import SsoServices
from signing_service.sso.tables import platforms as platforms_table
from tests.signing_service.sso.cards import Card, Registry
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
EMPLOYEE, PERIODS = PREFIX + "employee_number", PREFIX + "rights_detail"
HOLDER_CLAIMS = {
    "name", EMPLOYEE, PERIODS,
    *(PREFIX + each for each in ("rights", "card", "customs_code", "roles")),
}  # fmt: skip


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


def test_a_platform_that_they_were_permitted_by_name_learns_number_and_periods(
    signed_in: FlaskClient, services: SsoServices
) -> None:
    named = ClaimsPermission((EMPLOYEE, PERIODS), "海关总署示例司", "示例〔2026〕3号")
    platform = Platform(registered(services, terms=PlatformTerms(permission=named)))
    tokens = tokens_for(signed_in, platform, scope="openid profile rights")
    told = signed_in.get("/oidc/userinfo", headers=bearer(tokens["access_token"])).get_json()
    for found in (read_id_token(signed_in, tokens["id_token"]), told):
        assert found[EMPLOYEE] == "E-001"
        assert found[PERIODS] == [
            {
                "right": "declare-import",
                "from": "2026-01-04T16:30:00Z",
                "until": "2099-12-31T16:00:00Z",
            }
        ]
        assert PREFIX + "rights" not in found


def test_a_right_without_an_end_has_no_until_and_who_has_no_number_is_told_none(
    signed_in: FlaskClient, services: SsoServices, registry: Registry, card: Card
) -> None:
    endless = RightPeriod("declare-import", card.holder.right_periods[0].valid_from, None)
    changed = replace(card.holder, right_periods=(endless,), employee_number=None)
    registry.holders[card.certificate.fingerprint] = changed
    named = ClaimsPermission((EMPLOYEE, PERIODS), "海关总署示例司", "示例〔2026〕3号")
    platform = Platform(registered(services, terms=PlatformTerms(permission=named)))
    claims = read_id_token(signed_in, tokens_for(signed_in, platform)["id_token"])
    assert claims[PERIODS] == [{"right": "declare-import", "from": "2026-01-04T16:30:00Z"}]
    assert EMPLOYEE not in claims


@pytest.mark.parametrize("stored", ["{}", '{"permission": {}}', '{"cas_services": []}'])
def test_an_entry_that_lists_no_claims_permits_none_that_must_be_named(
    signed_in: FlaskClient, services: SsoServices, stored: str
) -> None:
    platform = Platform(registered(services))
    mine = platforms_table.c.client_id == platform.client_id
    with services.database.transaction() as connection:
        connection.execute(update(platforms_table).where(mine).values(terms=stored))
    wanted = json.dumps({"id_token": {EMPLOYEE: {"essential": True}, PERIODS: None}})
    claims = read_id_token(signed_in, tokens_for(signed_in, platform, claims=wanted)["id_token"])
    assert claims[PREFIX + "rights"] == ["declare-import"]
    assert not {EMPLOYEE, PERIODS} & claims.keys()


def test_a_draft_without_a_list_permits_none_that_must_be_named() -> None:
    fields = {"name": "报关平台", "redirect_uris": ["https://platform.example/callback"]}
    permitted = draft_of(fields).terms.permission.claims
    assert set(PERMITTABLE) - set(permitted) == {EMPLOYEE, PERIODS}
    few = draft_of({**fields, "scopes": ["openid", "rights"]}).terms.permission.claims
    assert set(few) == {PREFIX + "holder_kind", PREFIX + "rights", PREFIX + "roles"}


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
