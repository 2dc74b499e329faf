"""A holder who does not want to sign in says so himself, and the platform is told once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient
from lxml import html
from werkzeug.test import TestResponse

from records.database import Database
from signing_service.sso.services import SsoServices
from tests.servers.chromium import launch_arguments
from tests.signing_service.sso.cards import ORIGIN
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.flow import (
    CALLBACK,
    Platform,
    answer_in,
    continued,
    registered,
)
from tests.signing_service.sso.served import served
from tests.signing_service.sso.test_openid_options import posted
from tests.signing_service.sso.test_pushed_requests import address, push

POLICY = "default-src 'none'; form-action 'self'; frame-ancestors 'none'"


def decline(browser: FlaskClient, asked: str) -> TestResponse:
    """Press the button of the sign-in page that `asked` leads to."""
    action, token = form(browser, asked)
    return browser.post(action, data={"csrf_token": token})


def form(browser: FlaskClient, asked: str) -> tuple[str, str]:
    shown = html.fromstring(browser.get(browser.get(asked).location).text)
    (found,) = [each for each in shown.iter("form") if each.get("id") == "decline"]
    (token,) = [each for each in found.iter("input") if each.get("name") == "csrf_token"]
    return found.get("action") or "", token.get("value") or ""


def is_waiting(browser: FlaskClient, asked: str) -> bool:
    """Whether the request can still be answered."""
    return browser.get(asked).status_code == 303


def test_a_holder_may_decline_and_the_platform_is_told(
    browser: FlaskClient, platform: Platform
) -> None:
    """RFC 6749, 4.1.2.1 `access_denied`, with `iss` and `state` as every answer."""
    page = decline(browser, platform.request())
    onward = continued(page)
    told = answer_in(onward)
    assert (told["error"], told["iss"], told["state"]) == ("access_denied", ORIGIN, platform.state)
    assert page.headers["Refresh"] == f"0; url={onward}"
    assert "You are signed in" not in page.text
    assert 'id="decline"' not in browser.get("/sso/sign-in").text


def test_the_answer_comes_by_form_where_that_was_asked_for(
    browser: FlaskClient, platform: Platform
) -> None:
    target, told = posted(decline(browser, platform.request(response_mode="form_post")).text)
    assert target == CALLBACK
    assert (told["error"], told["iss"], told["state"]) == ("access_denied", ORIGIN, platform.state)


@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_a_pushed_request_that_its_holder_declined_is_over(
    browser: FlaskClient, platform: Platform, mode: str
) -> None:
    asked = address(platform, push(browser, platform, response_mode=mode))
    page = decline(browser, asked)
    told = answer_in(continued(page)) if mode == "query" else posted(page.text)[1]
    assert (told["error"], told["state"]) == ("access_denied", platform.state)
    assert browser.get(asked).get_json()["code"] == "oidc.request-uri"


def test_a_link_or_picture_declines_nothing(browser: FlaskClient, platform: Platform) -> None:
    asked = address(platform, push(browser, platform))
    action, _ = form(browser, asked)
    assert browser.get(action).status_code == 405
    assert browser.head(action).status_code == 405
    assert is_waiting(browser, asked)


def test_a_foreign_page_declines_nothing(browser: FlaskClient, platform: Platform) -> None:
    """Its form has no token of ours, or one of another browser."""
    _, strange = form(browser.application.test_client(), platform.request())
    asked = address(platform, push(browser, platform))
    action, own = form(browser, asked)
    assert own != strange
    for data in ({}, {"csrf_token": strange}):
        refused = browser.post(action, data=data)
        assert refused.status_code == 400
        assert CALLBACK not in refused.text
    assert is_waiting(browser, asked)


def test_pressing_twice_answers_once(browser: FlaskClient, platform: Platform) -> None:
    asked = address(platform, push(browser, platform))
    action, token = form(browser, asked)
    assert browser.post(action, data={"csrf_token": token}).status_code == 200
    again = browser.post(action, data={"csrf_token": token})
    assert (again.status_code, again.get_json()["code"]) == (400, "oidc.request-uri")


def test_a_request_answered_in_the_same_moment_is_not_declined(
    browser: FlaskClient,
    platform: Platform,
    services: SsoServices,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the look at the request and its end, another answer may come."""
    action, token = form(browser, address(platform, push(browser, platform)))
    spend = services.pushed_requests.spend

    def late(name: str) -> bool:
        assert spend(name)
        return spend(name)

    monkeypatch.setattr(services.pushed_requests, "spend", late)
    told = answer_in(continued(browser.post(action, data={"csrf_token": token})))
    assert told["error"] == "invalid_request"


def test_a_request_that_was_bad_anyway_gets_its_own_error(
    browser: FlaskClient, platform: Platform
) -> None:
    action, token = form(browser, platform.request())
    told = answer_in(continued(browser.post(f"{action}&max_age=x", data={"csrf_token": token})))
    assert told["error"] == "invalid_request"


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://evil.example/"}, {"redirect_uri": None}, {"client_id": "nobody"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:" + "x" * 43},
    ],
)  # fmt: skip
def test_declining_leads_nowhere_that_was_not_registered(
    browser: FlaskClient, platform: Platform, change: dict[str, str | None]
) -> None:
    _, token = form(browser, platform.request())
    action = platform.request(**change).replace("/oidc/authorize", "/oidc/decline")
    refused = browser.post(action, data={"csrf_token": token})
    assert refused.status_code == 400
    assert refused.get_json()["code"].startswith("oidc.")
    assert "Location" not in refused.headers


@pytest.mark.browser
@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_a_browser_under_our_policy_goes_back_to_the_platform(
    database: Database,
    make_services: Callable[..., SsoServices],
    chromium: Path,
    mode: str,
) -> None:
    """Chromium would hold a redirect after the form to `form-action 'self'`."""
    from playwright.sync_api import sync_playwright

    made: list[SsoServices] = []

    def identity_site(origin: str) -> Flask:
        made.append(make_services(database, origin=origin))
        app = application(made[0])

        def strict(response: Response) -> Response:
            response.headers.setdefault("Content-Security-Policy", POLICY)
            return response

        app.after_request(strict)
        return app

    def platform_site(origin: str) -> Flask:
        app = Flask("platform")
        app.add_url_rule(
            "/callback", "callback", lambda: request.values["error"], methods=["GET", "POST"]
        )
        return app

    with served(identity_site) as origin, served(platform_site) as platform_origin:
        callback = platform_origin.replace("127.0.0.1", "localhost") + "/callback"
        platform = Platform(registered(made[0], redirect_uris=[callback]))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
            page = browser.new_context(java_script_enabled=False).new_page()
            page.goto(origin + platform.request(redirect_uri=callback, response_mode=mode))
            page.click("#decline button")
            if mode == "form_post":
                page.click("#form-post button")
            page.wait_for_url(callback + "*")
            assert page.inner_text("body") == "access_denied"
            browser.close()
