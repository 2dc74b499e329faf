"""The browser finder takes only a browser that starts."""

from pathlib import Path

import pytest

from tests.servers.chromium import find_chromium, launch_arguments


@pytest.mark.browser
def test_the_browser_found_draws_a_page(chromium: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
        page = browser.new_page()
        page.set_content("<h1>电子口岸</h1>")
        assert page.inner_text("h1") == "电子口岸"
        browser.close()


def test_a_stub_that_only_prints_advice_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = tmp_path / "chromium-browser"
    stub.write_text("#!/bin/sh\necho 'requires the chromium snap to be installed' >&2\nexit 1\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PORTSEAL_CHROMIUM", raising=False)
    monkeypatch.setattr("tests.servers.chromium._PLAYWRIGHT_CACHE", tmp_path)
    assert find_chromium() is None
