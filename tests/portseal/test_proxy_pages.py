"""What a real nginx says by itself when PortSeal cannot: pages in both languages, not its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ViewportSize, sync_playwright

from portseal.sandbox.ports import free_port
from tests.servers.certificates import own_certificate
from tests.servers.chromium import launch_arguments
from tests.servers.nginx import running_nginx

NARROW = ViewportSize(width=375, height=720)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """nginx with nothing behind it: its address, and what its certificate is trusted by."""
    ports = [free_port() for _ in range(4)]
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{ports[0]} ssl",
        "listen 8443 ssl": f"listen 127.0.0.1:{ports[1]} ssl",
        "listen 80;": f"listen 127.0.0.1:{ports[2]};",
        "http://127.0.0.1:8080": f"http://127.0.0.1:{ports[3]}",
        "client_max_body_size 130m": "client_max_body_size 1k",
    }
    certificate, key = own_certificate("localhost")
    trust = tmp_path_factory.mktemp("trust") / "server.pem"
    trust.write_bytes(certificate)
    files = {
        "server.pem": certificate,
        "server.key": key,
        "client-authorities.pem": certificate,
        "trusted-roots.pem": certificate,
        "proxy-secret.conf": b"",
    }
    with running_nginx(changes, files, ports[0]):
        yield f"https://localhost:{ports[0]}", trust


def test_a_service_that_is_away_is_told_in_both_languages(proxy: tuple[str, Path]) -> None:
    address, trust = proxy
    answer = requests.get(f"{address}/apply", verify=str(trust), timeout=20)
    answer.encoding = "utf-8"
    assert answer.status_code == 502
    assert "服务暂时无法访问" in answer.text
    assert "cannot be reached just now" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    direct = requests.get(f"{address}/nginx-pages/unavailable.html", verify=str(trust), timeout=20)
    assert direct.status_code == 404, "only nginx itself leads there"
    for told in (answer, direct):
        assert told.headers["Server"] == "nginx"
        assert "nginx/" not in told.text


def test_what_is_too_large_for_the_proxy_is_told_in_both_languages(
    proxy: tuple[str, Path],
) -> None:
    address, trust = proxy
    answer = requests.post(f"{address}/verify", data=b"x" * 2000, verify=str(trust), timeout=20)
    answer.encoding = "utf-8"
    assert answer.status_code == 413
    assert "文件过大" in answer.text
    assert "smaller file" in answer.text


@pytest.mark.browser
def test_the_page_is_accessible_on_a_telephone_and_in_the_dark(
    proxy: tuple[str, Path], chromium: Path
) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
        page = browser.new_page(viewport=NARROW, ignore_https_errors=True)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.goto(f"{proxy[0]}/")
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
            assert Axe().run(page).response["violations"] == []
        browser.close()
