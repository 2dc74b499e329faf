"""The consent in a real browser: under the real Content-Security-Policy it leads onward."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import sync_playwright

from portseal.holder.service import Service
from tests.portseal.service import RunningService
from tests.servers.chromium import launch_arguments
from tests.signing_service.remote.platform import CALLBACK, SHA256, RemotePlatform, digest

pytestmark = pytest.mark.browser


def test_the_click_leads_back_to_the_platform_with_a_code(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    seal: str,
    chromium: Path,
) -> None:
    hashes = digest(b"bill").replace("+", "-").replace("/", "_")
    question = platform.question(
        "v" * 43,
        scope="credential",
        credentialID=seal,
        numSignatures="1",
        hashes=hashes,
        hashAlgorithmOID=SHA256,
    )
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
        context = program.new_context()
        for each in browser.session.cookies:
            context.add_cookies(
                [{"name": each.name, "value": each.value or "", "url": service.origin}]
            )
        page = context.new_page()
        page.route(f"{CALLBACK}*", lambda route: route.fulfill(body="platform"))
        page.goto(service.origin + question)
        page.click("button[value=allow]")
        page.wait_for_url(f"{CALLBACK}*")
        arrived = parse_qs(urlsplit(page.url).query)
        program.close()
    assert platform.redeem(arrived["code"][0], "v" * 43).json()["token_type"] == "SAD"
