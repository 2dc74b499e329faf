"""Sign-in from a platform and back in a real browser, under a strict content security policy."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask, Response, request

from records.database import Database
from signing_service.sso.services import SsoServices
from tests.servers.chromium import launch_arguments
from tests.signing_service.sso.cards import Card
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.flow import Platform, registered
from tests.signing_service.sso.served import served

POLICY = "default-src 'none'; form-action 'self'; frame-ancestors 'none'"


def platform_site(origin: str) -> Flask:
    """The platform: another site, which says what came back."""
    app = Flask("platform")

    @app.get("/callback")
    def callback() -> str:
        return "code received" if "code" in request.args else request.args["error"]

    return app


@pytest.mark.browser
@pytest.mark.parametrize("javascript", [True, False])
def test_a_browser_comes_back_to_the_platform_signed_in(
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

        def strict(response: Response) -> Response:
            response.headers["Content-Security-Policy"] = POLICY
            return response

        app.after_request(strict)
        return app

    with served(identity_site) as origin, served(platform_site) as platform_origin:
        callback = platform_origin.replace("127.0.0.1", "localhost") + "/callback"
        platform = Platform(registered(made[0], redirect_uris=[callback]))
        start = origin + platform.request(redirect_uri=callback)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
            page = browser.new_context(java_script_enabled=javascript).new_page()
            page.goto(start)
            command = shlex.split(page.inner_text("#command"))
            assert command[3:7] == ["--token", "YOUR-KEY", "--origin", origin]
            page.fill("#token", json.dumps(card.answer(command[8], origin)))
            page.click("button[type=submit]")
            page.wait_for_url(callback + "?*")
            assert page.inner_text("body") == "code received"
            page.goto(start)
            assert page.url.startswith(callback)
            kept = {cookie["name"] for cookie in page.context.cookies(origin)}
            assert {"portseal-session", "session"} >= kept >= {"portseal-session"}
            browser.close()
