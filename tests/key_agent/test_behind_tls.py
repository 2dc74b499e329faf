"""Presence over TLS: the running service behind the documented nginx, Chromium, the real agent.

The pages come from another address than the agent's loopback, as Chromium is told, so that its
Local Network Access stands between them as it does for everybody whose portal is elsewhere.
"""

import base64
import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from portseal.sandbox.ports import free_port
from tests.key_agent.holder import LABEL, PIN, agrees, make_persons_card
from tests.key_agent.running import RunningAgent, running_agent
from tests.key_agent.waiting import seconds_until
from tests.portseal.service import RunningService, Twin, twin_of
from tests.servers.certificates import own_certificate
from tests.servers.chromium import launch_arguments
from tests.servers.nginx import running_nginx
from tests.token import softhsm_configuration, softhsm_module

pytestmark = pytest.mark.browser

ADDRESS = "127.0.0.7"
WITHIN_SECONDS = 5.0
SILENCE_SECONDS = 6
"""After so long without a word of the agent a session ends (sso.presence_seconds)."""
SECRET = "5e" * 32


@dataclass(frozen=True)
class SecureSite:
    """The service at its https origin."""

    origin: str
    certificate: Path
    """Of its nginx, PEM."""
    twin: Twin
    code: str
    """Activates an operator's card."""

    @property
    def key_pin(self) -> str:
        """As Chromium takes it: SHA-256 of the certificate's SubjectPublicKeyInfo."""
        key = x509.load_pem_x509_certificate(self.certificate.read_bytes()).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(spki).digest()).decode()


@pytest.fixture(scope="module")
def site(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureSite]:
    directory = tmp_path_factory.mktemp("tls")
    code = service.activation_code_of_new_operator("declare-import")
    portal, asking, status = free_port(), free_port(), free_port()
    origin = f"https://{ADDRESS}:{portal}"
    server, key = own_certificate("portal.example", ADDRESS)
    (directory / "server.pem").write_bytes(server)
    files = {
        "server.pem": server,
        "server.key": key,
        "client-authorities.pem": server,
        "trusted-roots.pem": server,
        "proxy-secret.conf": f'proxy_set_header X-PortSeal-Proxy "{SECRET}";\n'.encode(),
    }
    with twin_of(service.site, directory / "twin") as twin:
        twin.serve(
            PORTSEAL_WEB__ORIGIN=origin,
            PORTSEAL_WEB__TRUSTED_PROXIES="1",
            PORTSEAL_WEB__AGENT_PORT=str(service.agent_port),
            PORTSEAL_STATUS__BASE_URL=service.origin,
            PORTSEAL_SSO__CERTIFICATE_ORIGIN=f"https://{ADDRESS}:{asking}",
            PORTSEAL_SSO__CERTIFICATE_PROXIES='["127.0.0.2"]',
            PORTSEAL_SSO__PROXY_SECRET=SECRET,
            PORTSEAL_SSO__PRESENCE_SECONDS=str(SILENCE_SECONDS),
        )
        changes = {
            "listen 443 ssl": f"listen {ADDRESS}:{portal} ssl",
            "listen 8443 ssl": f"listen {ADDRESS}:{asking} ssl",
            "listen 80;": f"listen 127.0.0.1:{status};",
            "http://127.0.0.1:8080": twin.origin,
            "id.example": ADDRESS,
        }
        with running_nginx(changes, files, status):
            yield SecureSite(origin, directory / "server.pem", twin, code)


@pytest.fixture(scope="module")
def usb_key(
    service: RunningService, site: SecureSite, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """An operator's USB key, made once: the home of the agent that knows it, and its tokens."""
    directory = tmp_path_factory.mktemp("holder")
    tokens = directory / "usb" / "tokens"
    softhsm_configuration(tokens.parent)
    with agent_with(directory / "home", tokens, service, site) as agent:
        agent.allow(site.origin)
        behind = site.twin.anonymous()  # what nginx passes on names the origin that pages have
        behind.session.headers["Origin"] = site.origin
        make_persons_card(agent, behind, site.code)
    return directory / "home", tokens


@contextmanager
def agent_with(
    home: Path, tokens: Path, service: RunningService, site: SecureSite
) -> Iterator[RunningAgent]:
    """An agent whose computer trusts the site's certificate authority."""
    with running_agent(
        home, softhsm_module(), {LABEL: PIN}, service.agent_port,
        SOFTHSM2_CONF=str(tokens.parent / "softhsm2.conf"), SSL_CERT_FILE=str(site.certificate),
    ) as running:  # fmt: skip
        running.origin = site.origin
        running.human.answer = agrees
        yield running


@pytest.fixture
def agent(
    service: RunningService, site: SecureSite, usb_key: tuple[Path, Path]
) -> Iterator[RunningAgent]:
    with agent_with(*usb_key, service, site) as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium: Path, site: SecureSite) -> Iterator[Browser]:
    """It trusts the one key of the site's nginx, and takes its address for one of the internet."""
    elsewhere = f"--ip-address-space-overrides={site.origin.removeprefix('https://')}=public"
    trusted = f"--ignore-certificate-errors-spki-list={site.key_pin}"
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=chromium, args=[*launch_arguments(), elsewhere, trusted]
        )
        yield made
        made.close()


@pytest.fixture
def context(browser: Browser, site: SecureSite) -> Iterator[BrowserContext]:
    made = browser.new_context(base_url=site.origin, locale="en-GB")
    yield made
    made.close()


def signed_in(page: Page, site: SecureSite) -> bool:
    told = page.request.get(f"{site.origin}/sso/session", ignore_https_errors=True)
    return bool(told.json()["signed_in"])


def present_until(site: SecureSite) -> str:
    """Until when the newest session lives by the agent's last beat; what is recorded."""
    with closing(sqlite3.connect(site.twin.database_file)) as records:
        query = "SELECT present_until FROM sso_session ORDER BY auth_time DESC LIMIT 1"
        (value,) = records.execute(query).fetchone()
    return str(value)


def sign_in(context: BrowserContext, site: SecureSite) -> Page:
    """With the browser's permission to reach the agent. Nothing on the way is complained of."""
    context.grant_permissions(["local-network-access"])
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto("/sso/sign-in?next=/sign")
    page.click("#agent-sign-in")
    page.wait_for_url(f"{site.origin}/sign")
    assert complaints == []
    return page


def test_over_tls_the_session_ends_within_seconds_of_pulling_the_usb_key(
    context: BrowserContext, site: SecureSite, agent: RunningAgent, usb_key: tuple[Path, Path]
) -> None:
    page = sign_in(context, site)
    (session,) = [each for each in context.cookies() if "session" in each["name"]]
    assert session["name"] == "__Host-portseal-session"
    assert session["secure"]
    assert session["httpOnly"]
    assert all(each["secure"] for each in context.cookies())
    first = present_until(site)
    seconds_until(lambda: present_until(site) > first, limit=10)
    assert signed_in(page, site)
    tokens = usb_key[1]
    pulled = tokens.with_name("pulled")
    tokens.rename(pulled)
    try:
        assert seconds_until(lambda: not signed_in(page, site), limit=30) < WITHIN_SECONDS
    finally:
        pulled.rename(tokens)
    page.reload()
    expect(page.get_by_role("banner")).to_contain_text("Sign in")
    expect(page.locator("#agent-sign")).to_have_count(0)


def test_over_tls_a_session_ends_by_itself_when_the_agent_falls_silent(
    context: BrowserContext, site: SecureSite, agent: RunningAgent
) -> None:
    page = sign_in(context, site)
    agent.process.kill()
    waited = seconds_until(lambda: not signed_in(page, site), limit=30)
    assert waited < SILENCE_SECONDS + WITHIN_SECONDS


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        (
            "en",
            "The browser will ask whether this site may reach apps on this device: allow it",
            "Allow access to apps on this device",
        ),
        (
            "zh",
            "浏览器将询问是否允许本网站访问此设备上的应用：请允许",
            "浏览器未允许本页面访问密钥助手",
        ),
    ],
)
def test_without_the_browsers_permission_the_page_says_what_to_do(
    context: BrowserContext, agent: RunningAgent, language: str, before: str, after: str
) -> None:
    page = context.new_page()
    page.goto(f"/sso/sign-in?lang={language}")
    told = page.locator("portseal-progress .agent-line")
    expect(told).to_contain_text(before)
    page.click("#agent-sign-in")
    expect(told).to_contain_text(after)
    expect(told).to_contain_text("browser.blocked")
    expect(told.locator("a")).to_have_attribute("href", "/agent")
    assert agent.human.windows == []


def test_an_agent_that_does_not_trust_the_site_lets_no_session_depend_on_it(
    context: BrowserContext, site: SecureSite, service: RunningService, usb_key: tuple[Path, Path]
) -> None:
    """A proxy that reads TLS, say: beats would never arrive, so the page does not wait for any."""
    home, tokens = usb_key
    with running_agent(
        home, softhsm_module(), {LABEL: PIN}, service.agent_port,
        SOFTHSM2_CONF=str(tokens.parent / "softhsm2.conf"),
    ) as distrustful:  # fmt: skip
        distrustful.origin = site.origin
        page = sign_in(context, site)
        assert distrustful.call("can_watch") == {"can_watch": False}
        assert signed_in(page, site)
        used = [each["method"] for each in distrustful.uses()]
        assert used[-3:] == ["sign_in", "can_watch", "can_watch"], "the page's, and the test's"
