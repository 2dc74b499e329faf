"""The sign-in page and the JSON interface: cookies, forgeries, redirects."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from kernel.clock import FixedClock
from kernel.refusals import Unavailable
from records.database import Database
from signing_service.sso.services import SsoServices
from signing_service.sso.tables import challenges
from signing_service.sso.web import current_session, sso_blueprint
from signing_service.web.rate_limit import RateLimit
from tests.signing_service.sso.cards import ORIGIN, Card, Registry
from tests.signing_service.sso.conftest import application

PAGE = "/sso/sign-in"
API = "/api/v1/sign-in"
STANDING = "/sso/session/standing"


def field(page: TestResponse, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found is not None
    return html.unescape(found[1])


def form(browser: FlaskClient, card: Card, page: str = PAGE, **changes: str) -> dict[str, str]:
    """What the holder sends: the page's fields and the pasted token."""
    shown = browser.get(page)
    nonce = field(shown, "nonce")
    fields = {name: field(shown, name) for name in ("csrf_token", "nonce", "next")}
    return {**fields, "token": f" {json.dumps(card.answer(nonce), indent=1)}\n", **changes}


def who(browser: FlaskClient) -> dict[str, object]:
    return dict(browser.get("/sso/session").get_json())


def api_sign_in(browser: FlaskClient, card: Card) -> TestResponse:
    nonce = browser.post(f"{API}/challenges", json={}).get_json()["nonce"]
    return browser.post(API, json={"token": card.answer(nonce), "nonce": nonce})


def test_the_page_shows_who_asks_and_the_exact_command(browser: FlaskClient) -> None:
    page = browser.get(PAGE)
    told = f"--origin {ORIGIN} --nonce {field(page, 'nonce')}"
    assert f"portseal card login --token YOUR-KEY {told}" in html.unescape(page.text)
    assert "In place of YOUR-KEY, write the label of your USB key." in page.text
    assert "You are signing in to PortSeal." in page.text
    scripts = [part.partition("</script>")[0] for part in page.text.split("<script")[1:]]
    assert scripts == [' type="module" src="/static/agent/sign-in.js">'], "none is inline"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"


def test_a_holder_signs_in_with_the_form_and_out_again(browser: FlaskClient, card: Card) -> None:
    assert who(browser) == {"signed_in": False}
    done = browser.post(PAGE, data=form(browser, card))
    assert (done.status_code, done.location) == (303, "/")
    assert who(browser)["subject"] == card.holder.subject
    token = field(browser.get(PAGE), "csrf_token")
    assert browser.post("/sso/sign-out", data={"csrf_token": token}).status_code == 303
    assert who(browser) == {"signed_in": False}


def test_a_refused_holder_sees_why_and_gets_a_new_challenge(
    browser: FlaskClient, card: Card, registry: Registry
) -> None:
    registry.revoke(card.certificate)
    sent = form(browser, card)
    refused = browser.post(PAGE, data=sent)
    assert refused.status_code == 401
    assert "signin.revoked" in refused.text
    assert field(refused, "nonce") != sent["nonce"]
    assert who(browser) == {"signed_in": False}


def test_what_was_pasted_is_not_repeated_on_the_page(browser: FlaskClient, card: Card) -> None:
    refused = browser.post(PAGE, data=form(browser, card, token="<script>alert(1)</script>" * 9))
    assert refused.status_code == 400
    assert "alert(1)" not in refused.text


def test_the_form_is_protected_against_forgery(browser: FlaskClient, card: Card) -> None:
    sent = form(browser, card)
    del sent["csrf_token"]
    assert browser.post(PAGE, data=sent).status_code == 400
    assert browser.post("/sso/sign-out").status_code == 400
    assert who(browser) == {"signed_in": False}


def test_a_token_for_another_browsers_challenge_is_refused(app: Flask, card: Card) -> None:
    victim, attacker = app.test_client(), app.test_client()
    mine, theirs = form(victim, card), form(attacker, card)
    stolen = {**mine, "nonce": theirs["nonce"], "token": theirs["token"]}
    refused = victim.post(PAGE, data=stolen)
    assert refused.status_code == 401
    assert "signin.challenge-missing" in refused.text


def test_the_same_form_does_not_work_twice(browser: FlaskClient, card: Card) -> None:
    sent = form(browser, card)
    assert browser.post(PAGE, data=sent).status_code == 303
    assert browser.post(PAGE, data=sent).status_code == 401


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%0d%0aX: y\r\nSet-Cookie: a=b",
        " //evil.example",
        "javascript:alert(1)",
        "evil",
        "/é",
        "/" + "a" * 5000,
        "",
    ],
)
def test_the_way_back_never_leaves_our_origin(
    browser: FlaskClient, card: Card, target: str
) -> None:
    assert field(browser.get(PAGE, query_string={"next": target}), "next") == "/"
    done = browser.post(PAGE, data=form(browser, card, next=target))
    assert (done.status_code, done.location) == (303, "/")


def test_a_path_of_ours_is_kept(browser: FlaskClient, card: Card) -> None:
    sent = form(browser, card, f"{PAGE}?next=/enterprise/cards%3Fpage=2")
    assert browser.post(PAGE, data=sent).location == "/enterprise/cards?page=2"


def test_a_planted_session_cookie_is_not_taken_over(browser: FlaskClient, card: Card) -> None:
    browser.set_cookie("portseal-session", "p" * 43)
    browser.post(PAGE, data=form(browser, card))
    cookie = browser.get_cookie("portseal-session")
    assert cookie is not None
    assert cookie.value != "p" * 43
    assert who(browser)["signed_in"]


def test_signing_in_again_changes_the_secret_and_kills_the_old_one(
    app: Flask, browser: FlaskClient, card: Card
) -> None:
    browser.post(PAGE, data=form(browser, card))
    first = browser.get_cookie("portseal-session")
    browser.post(PAGE, data=form(browser, card))
    second = browser.get_cookie("portseal-session")
    assert first is not None
    assert second is not None
    assert first.value != second.value
    thief = app.test_client()
    thief.set_cookie("portseal-session", first.value)
    assert who(thief) == {"signed_in": False}


def test_cookies_are_for_the_browser_alone(browser: FlaskClient, card: Card) -> None:
    cookies = browser.get(PAGE).headers.getlist("Set-Cookie")
    cookies += api_sign_in(browser, card).headers.getlist("Set-Cookie")
    ours = [cookie for cookie in cookies if cookie.startswith("portseal-")]
    assert len(ours) == 3  # anonymous browser set, session set, anonymous browser forgotten
    for cookie in ours:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie


def test_with_https_cookies_are_secure_and_bound_to_the_host(
    database: Database, make_services: Callable[..., SsoServices], card: Card
) -> None:
    services = make_services(database, origin="https://id.example")
    browser = application(services).test_client()
    page = browser.get(PAGE, base_url="https://id.example")
    ours = [c for c in page.headers.getlist("Set-Cookie") if "portseal" in c]
    assert len(ours) == 1
    assert ours[0].startswith("__Host-portseal-browser=")
    assert "Secure" in ours[0]
    assert "Domain" not in ours[0]


def test_a_program_signs_in_over_json(browser: FlaskClient, card: Card) -> None:
    challenge = browser.post(f"{API}/challenges", json={}).get_json()
    assert challenge["origin"] == ORIGIN
    assert challenge["expires_in"] == 300
    done = browser.post(API, json={"token": card.answer(challenge["nonce"])})
    assert done.status_code == 200
    assert done.get_json()["enterprise_uscc"] == card.holder.enterprise_uscc
    assert who(browser)["card"] == "card-1"
    assert browser.delete(API).status_code == 204
    assert who(browser) == {"signed_in": False}


@pytest.mark.parametrize("path", [f"{API}/challenges", API])
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_json_is_insisted_upon(browser: FlaskClient, path: str, media_type: str) -> None:
    refused = browser.post(path, data="{}", content_type=media_type)
    assert (refused.status_code, refused.get_json()["code"]) == (400, "request.media-type")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ORIGIN + ".evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_is_refused(
    browser: FlaskClient, card: Card, headers: dict[str, str]
) -> None:
    api_sign_in(browser, card)
    for refused in (
        browser.post(f"{API}/challenges", json={}, headers=headers),
        browser.post(API, json={"token": {}}, headers=headers),
        browser.delete(API, headers=headers),
    ):
        assert (refused.status_code, refused.get_json()["code"]) == (403, "signin.foreign-origin")
    assert who(browser)["signed_in"]


def test_our_own_page_may_call(browser: FlaskClient) -> None:
    headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
    assert browser.post(f"{API}/challenges", json={}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "{",
        "[" * 30_000,
        '{"token": 1}',
        '{"token": {"a": {}}}',
        '{"token": {}, "nonce": 1}',
        "\xff",
    ],
)
def test_nonsense_over_json_is_refused(browser: FlaskClient, body: str) -> None:
    refused = browser.post(API, data=body.encode("latin-1"), content_type="application/json")
    assert (refused.status_code, refused.get_json()["code"]) == (400, "request.malformed")


def test_too_much_json_is_refused(browser: FlaskClient) -> None:
    body = json.dumps({"token": {"signature": "A" * 40_000}})
    assert browser.post(API, data=body, content_type="application/json").status_code == 413


def test_without_a_challenge_nobody_signs_in_over_json(browser: FlaskClient, card: Card) -> None:
    refused = browser.post(API, json={"token": card.answer("n" * 44)})
    assert (refused.status_code, refused.get_json()["code"]) == (401, "signin.challenge-missing")


def test_a_revoked_card_is_signed_out_at_the_next_request(
    browser: FlaskClient, card: Card, registry: Registry
) -> None:
    api_sign_in(browser, card)
    registry.revoke(card.certificate)
    assert who(browser) == {"signed_in": False}


def test_an_open_page_learns_why_its_session_ended_and_keeps_none_awake(
    browser: FlaskClient, card: Card, registry: Registry, services: SsoServices, clock: FixedClock
) -> None:
    def standing() -> dict[str, object]:
        return dict(browser.get(STANDING).get_json())

    assert standing() == {"signed_in": False, "reason": ""}
    subject = api_sign_in(browser, card).get_json()["subject"]
    for _ in range(3):
        clock.advance(timedelta(seconds=services.settings.session_idle_seconds // 4))
        assert standing() == {"signed_in": True, "subject": subject}
    clock.advance(timedelta(seconds=services.settings.session_idle_seconds // 4))
    assert standing() == {"signed_in": False, "reason": "idle-timeout"}
    api_sign_in(browser, card)
    services.sessions.end_sessions_of_card(card.holder.card, reason="card-frozen")
    assert standing() == {"signed_in": False, "reason": "card-frozen"}
    api_sign_in(browser, card)
    registry.silent = True
    assert browser.get(STANDING).status_code == 503


def test_when_the_status_cannot_be_told_nobody_is_served(
    browser: FlaskClient, card: Card, registry: Registry
) -> None:
    api_sign_in(browser, card)
    registry.silent = True
    assert browser.get("/sso/session").status_code == 503
    registry.silent = False
    assert who(browser)["signed_in"]


def test_an_error_page_can_ask_again_who_is_signed_in(
    app: Flask, browser: FlaskClient, card: Card, registry: Registry
) -> None:
    api_sign_in(browser, card)
    cookie = browser.get_cookie("portseal-session")
    assert cookie is not None
    registry.silent = True
    headers = {"Cookie": f"portseal-session={cookie.value}"}
    with app.test_request_context("/", headers=headers):
        with pytest.raises(Unavailable, match=r"signin\.status-unavailable"):
            current_session()
        assert current_session() is None


def test_an_address_begins_so_many_sign_ins_and_no_row_more_is_written(
    services: SsoServices, card: Card
) -> None:
    limit = RateLimit(per_minute=60, burst=4, monotonic=lambda: 0.0)
    app = application(services, lambda: limit.check(request.remote_addr))

    def rows() -> int:
        with services.database.reading() as connection:
            return connection.execute(select(func.count()).select_from(challenges)).scalar_one()

    statuses = [app.test_client().get(PAGE).status_code for _ in range(3)]
    known = app.test_client()
    fields = form(known, card)
    assert (statuses, rows()) == ([200, 200, 200], 4)
    for stranger in (app.test_client(), known):
        for refused in (stranger.get(PAGE), stranger.post(f"{API}/challenges", json={})):
            assert refused.status_code == 429
            assert refused.get_json()["code"] == "request.too-many"
    assert rows() == 4
    # Who has a challenge can still answer it, and another address can still begin.
    assert known.post(PAGE, data=fields).status_code == 303
    elsewhere = app.test_client().get(PAGE, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert elsewhere.status_code == 200


def test_the_routes_refuse_an_application_without_forgery_protection(
    services: SsoServices,
) -> None:
    with pytest.raises(RuntimeError, match="CSRFProtect"):
        Flask("bare").register_blueprint(sso_blueprint(services))


@pytest.mark.parametrize(
    "origin",
    ["http://id.example", "https://id.example/", "https://ID.example", "ftp://a", "", "https://"],
)
def test_an_origin_that_cannot_be_safe_is_no_setting(services: SsoServices, origin: str) -> None:
    with pytest.raises(ValueError, match=r"origin|https"):
        replace(services.settings, origin=origin)
