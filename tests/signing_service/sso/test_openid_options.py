"""What a platform may ask for beside the usual: prompts, answers by form, tokens in a body."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, redirect, request
from flask.testing import FlaskClient
from lxml import html
from werkzeug.wrappers import Response as BaseResponse

from kernel.clock import FixedClock
from records.database import Database
from signing_service.sso.platform import PlatformTerms
from signing_service.sso.services import SsoServices
from tests.servers.chromium import launch_arguments
from tests.signing_service.sso.cards import ORIGIN, Card
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.flow import (
    CALLBACK,
    GOODBYE,
    Platform,
    answer_of,
    bearer,
    continued,
    is_sign_in,
    read_id_token,
    registered,
    sign_in,
    tokens_for,
)
from tests.signing_service.sso.served import served

STATIC = Path(__file__).parents[3] / "portseal" / "web" / "static"


@pytest.mark.parametrize("prompt", ["login", "consent", "select_account", "login consent"])
def test_every_prompt_but_none_asks_for_a_new_proof_once(
    signed_in: FlaskClient, platform: Platform, card: Card, prompt: str
) -> None:
    """Core, 3.1.2.1: the page that asks for the card names the platform and takes any card."""
    asked = signed_in.get(platform.request(prompt=prompt))
    assert is_sign_in(asked)
    shown = signed_in.get(asked.location)
    assert "报关平台" in shown.text
    onward = continued(sign_in(signed_in, card, asked.location))
    assert "code" in answer_of(signed_in.get(onward))


def test_prompt_none_with_a_live_session_answers_at_once(
    signed_in: FlaskClient, platform: Platform, clock: FixedClock
) -> None:
    assert "code" in answer_of(signed_in.get(platform.request(prompt="none")))
    clock.advance(timedelta(seconds=2))
    late = answer_of(signed_in.get(platform.request(prompt="none", max_age="1")))
    assert late["error"] == "login_required"


@pytest.mark.parametrize(
    "more",
    [
        {"display": "popup"}, {"display": "page"}, {"claims_locales": "zh-CN en"},
        {"ui_locales": "fr-CA fr en"}, {"extra": "x"}, {"nonce": None}, {"state": None},
        {"acr_values": "1 2"}, {"login_hint": "op-1"}, {"scope": "card openid profile"},
        {"scope": "openid email address phone offline_access"}, {"max_age": "10000"},
    ],
)  # fmt: skip
def test_what_need_not_be_known_is_passed_over(
    signed_in: FlaskClient, platform: Platform, more: dict[str, str | None]
) -> None:
    """Core, 3.1.2.1 and 15.1: unknown parameters and scopes, hints, displays."""
    tokens = tokens_for(signed_in, platform, **more)
    claims = read_id_token(signed_in, tokens["id_token"])
    assert ("nonce" in claims) == ("nonce" not in more)
    assert set(tokens["scope"].split()) <= {"openid", "profile", "enterprise", "rights", "card"}


@pytest.mark.parametrize(
    ("asked", "language"), [("en-GB", "en"), ("fr zh-Hans-CN en", "zh"), ("fr", None), ("", None)]
)
def test_the_sign_in_page_speaks_a_language_that_the_platform_asks_for(
    browser: FlaskClient, platform: Platform, asked: str, language: str | None
) -> None:
    answer = browser.get(platform.request(ui_locales=asked))
    told = parse_qs(urlsplit(answer.location).query)
    assert told.get("lang", [None]) == [language]


@pytest.mark.parametrize("wanted", [True, 17, {"a": 1}, ["x"], None])
def test_values_that_are_wanted_of_other_claims_may_be_any_json(
    signed_in: FlaskClient, platform: Platform, wanted: object
) -> None:
    """Core, 5.5.1."""
    claims = json.dumps({"id_token": {"email_verified": {"value": wanted}, "name": None}})
    tokens = tokens_for(signed_in, platform, claims=claims)
    assert "name" in read_id_token(signed_in, tokens["id_token"])


# -- userinfo --------------------------------------------------------------------------------------


def test_userinfo_takes_the_token_from_header_or_body(
    signed_in: FlaskClient, platform: Platform
) -> None:
    """Core, 5.3.1; RFC 6750, 2.1 and 2.2."""
    token = tokens_for(signed_in, platform)["access_token"]
    told = [
        signed_in.get("/oidc/userinfo", headers=bearer(token)),
        signed_in.post("/oidc/userinfo", headers=bearer(token)),
        signed_in.post("/oidc/userinfo", data={"access_token": token}),
        signed_in.get("/oidc/userinfo", headers={"Authorization": f"bEARER {token}"}),
    ]
    assert [each.status_code for each in told] == [200] * 4
    assert len({each.get_json()["sub"] for each in told}) == 1


def test_a_token_in_an_address_or_twice_is_not_taken(
    signed_in: FlaskClient, platform: Platform
) -> None:
    """RFC 6750, 2 and 5.3: addresses stand in logs."""
    token = tokens_for(signed_in, platform)["access_token"]
    both = signed_in.post("/oidc/userinfo", data={"access_token": token}, headers=bearer(token))
    twice = signed_in.post("/oidc/userinfo", data={"access_token": [token, token]})
    for refused in (both, twice):
        assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_request")
    assert signed_in.get(f"/oidc/userinfo?access_token={token}").status_code == 401
    assert signed_in.post("/oidc/userinfo", json={"access_token": token}).status_code == 401


# -- answers by form -------------------------------------------------------------------------------


def posted(page: str) -> tuple[str, dict[str, str]]:
    """Where the form goes, and what it brings."""
    (form,) = html.fromstring(page).iter("form")
    fields = {each.get("name") or "": each.get("value") or "" for each in form.iter("input")}
    return form.get("action") or "", fields


def test_a_code_comes_by_form_where_that_is_asked_for(
    signed_in: FlaskClient, platform: Platform
) -> None:
    """OAuth 2.0 Form Post Response Mode, 2: not in an address, and to the platform alone."""
    page = signed_in.get(platform.request(response_mode="form_post"))
    target, fields = posted(page.text)
    assert (page.status_code, target) == (200, CALLBACK)
    assert fields.keys() == {"code", "iss", "state"}
    assert (fields["iss"], fields["state"]) == (ORIGIN, platform.state)
    assert page.headers["Cache-Control"] == "no-store"
    assert "form-action" not in page.headers["Content-Security-Policy"], "a callback may go on"
    assert platform.redeem(signed_in, fields["code"]).status_code == 200


def test_errors_come_by_form_too_and_hostile_state_is_text(
    signed_in: FlaskClient, platform: Platform
) -> None:
    hostile = '"><script>alert(1)</script>'
    page = signed_in.get(platform.request(response_mode="form_post", scope="x", state=hostile))
    target, fields = posted(page.text)
    assert target == CALLBACK
    assert (fields["error"], fields["state"]) == ("invalid_scope", hostile)
    assert "You are signed in" not in page.text
    assert "Back to the platform" in page.text
    assert "<script>alert" not in page.text


@pytest.mark.browser
@pytest.mark.parametrize("javascript", [True, False])
def test_a_browser_brings_the_form_to_the_platform(
    database: Database,
    make_services: Callable[..., SsoServices],
    card: Card,
    chromium: Path,
    javascript: bool,
) -> None:
    from playwright.sync_api import sync_playwright

    made: list[SsoServices] = []

    def identity_site(origin: str) -> Flask:
        made.append(make_services(database, origin=origin))
        app = application(made[0])
        app.static_folder = str(STATIC)
        return app

    def platform_site(origin: str) -> Flask:
        """Its callback goes on to an origin that was never registered."""
        app = Flask("platform")
        told: list[str] = []

        def callback() -> BaseResponse:
            told.extend(sorted(request.form))
            return redirect(f"{origin}/home", 303)

        app.add_url_rule("/callback", "callback", callback, methods=["POST"])
        app.add_url_rule("/home", "home", lambda: " ".join(told))
        return app

    with served(identity_site) as origin, served(platform_site) as platform_origin:
        callback = platform_origin.replace("127.0.0.1", "localhost") + "/callback"
        platform = Platform(registered(made[0], redirect_uris=[callback]))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
            page = browser.new_context(java_script_enabled=javascript).new_page()
            page.goto(origin + platform.request(redirect_uri=callback, response_mode="form_post"))
            nonce = page.get_attribute("#sign-in-form [name=nonce]", "value")
            page.fill("#token", json.dumps(card.answer(nonce or "", origin)))
            page.click("#sign-in-form button[type=submit]")
            if not javascript:
                page.click("#form-post button")
            page.wait_for_url(f"{platform_origin}/home")
            assert page.inner_text("body") == "code iss state"
            browser.close()


# -- the end ---------------------------------------------------------------------------------------


def test_the_end_asked_for_by_a_form_reaches_holder_and_other_platforms(
    signed_in: FlaskClient, platform: Platform, services: SsoServices
) -> None:
    """RP-Initiated Logout 1.0, 2. A form of another site does not bring our cookies along, so it
    is answered by a GET, which does."""
    terms = PlatformTerms(frontchannel_logout_uri="https://front.example/logout")
    tokens_for(signed_in, Platform(registered(services, "front", terms=terms)))
    hint = tokens_for(signed_in, platform)["id_token"]
    form = {"id_token_hint": hint, "post_logout_redirect_uri": GOODBYE, "state": "s"}
    cookie = signed_in.get_cookie("portseal-session")
    assert cookie is not None
    signed_in.delete_cookie("portseal-session")
    sent = signed_in.post("/oidc/end-session", data=form)
    assert sent.status_code == 303
    signed_in.set_cookie("portseal-session", cookie.value)
    page = signed_in.get(sent.location)
    assert "https://front.example/logout?iss=" in page.text
    assert page.headers["Refresh"] == f"3; url={GOODBYE}?state=s"
    assert signed_in.get_cookie("portseal-session") is None
    assert not signed_in.get("/sso/session").get_json()["signed_in"]


def test_a_form_that_asks_for_the_end_twice_or_at_length_is_refused(
    signed_in: FlaskClient,
) -> None:
    for form in ({"state": ["a", "b"]}, {"state": "x" * 9000}):
        assert signed_in.post("/oidc/end-session", data=form).status_code == 400
    assert signed_in.get("/sso/session").get_json()["signed_in"]


@pytest.mark.parametrize(
    "asked", [{}, {"state": "s"}, {"client_id": "x"}, {"post_logout_redirect_uri": GOODBYE}]
)
def test_without_a_hint_the_holder_is_asked_whatever_else_stands_there(
    signed_in: FlaskClient, asked: dict[str, str]
) -> None:
    page = signed_in.get("/oidc/end-session", query_string=asked)
    assert page.status_code == 200
    (form,) = html.fromstring(page.text).iter("form")
    assert form.get("action") == "/sso/sign-out"
    assert signed_in.get("/sso/session").get_json()["signed_in"]
    fields = {each.get("name") or "": each.get("value") or "" for each in form.iter("input")}
    assert signed_in.post("/sso/sign-out", data=fields).status_code == 303
    assert not signed_in.get("/sso/session").get_json()["signed_in"]
