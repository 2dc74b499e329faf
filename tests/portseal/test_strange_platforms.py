"""Platforms of strangers' making against the whole service: Debian's mod_auth_openidc in apache2.

The service is the running `portseal serve` with its worker, the holder signs in in Chromium with
the real agent and token. One platform hears of the end of a session over the back channel, the
other through the browser alone.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from portseal.demo.signin_steps import register_platform
from portseal.sandbox.ports import free_port
from signing_service.sso.claims import PREFIX
from tests.key_agent.holder import operator_at
from tests.key_agent.running import RunningAgent
from tests.key_agent.waiting import seconds_until
from tests.portseal.service import RunningService
from tests.servers.apache import running_apache

pytestmark = pytest.mark.browser

WITHIN_SECONDS = 10
"""For the worker to tell a platform, on a busy machine."""
CONFIGURATION = """
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {client_id}
OIDCClientSecret {secret}
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCRedirectURI {origin}/who/callback
OIDCCryptoPassphrase for-this-test-alone
OIDCScope "openid profile enterprise rights"
OIDCPassUserInfoAs claims json
OIDCPKCEMethod S256
OIDCIDTokenSignedResponseAlg ES256
OIDCCookie {client_id}
OIDCStateMaxNumberOfCookies 7 true
OIDCRemoteUserClaim sub
OIDCSessionType server-cache
OIDCDefaultLoggedOutURL {origin}/bye
<Location /who>
    AuthType openid-connect
    Require valid-user
</Location>
"""


EMPLOYEE, PERIODS = PREFIX + "employee_number", PREFIX + "rights_detail"
NAMED = ("name", PREFIX + "rights", EMPLOYEE, PERIODS)
"""What the first platform is permitted to learn; the second's entry lists no claims."""


@dataclass(frozen=True)
class ApachePlatform:
    origin: str
    directory: Path
    """Of its apache2; the log is there."""

    @property
    def who(self) -> str:
        """A page for those who are signed in: it tells what the module knows of them."""
        return f"{self.origin}/who"

    @property
    def log(self) -> str:
        return (self.directory / "error.log").read_text(errors="replace")

    def claims(self, page: Page) -> dict[str, Any]:
        """What the module had from userinfo for this browser's holder."""
        shown = page.request.get(self.who).body().decode()
        (told,) = re.findall(r"^OIDC_userinfo_json=(.*)$", shown, re.MULTILINE)
        return dict(json.loads(told))

    def knows(self, page: Page) -> bool:
        """Whether this browser is signed in here, or would be sent to sign in."""
        status = page.request.get(self.who, max_redirects=0).status
        assert status in {200, 302}, self.log
        return status == 200


@pytest.fixture(scope="module")
def platforms(service: RunningService) -> Iterator[tuple[ApachePlatform, ApachePlatform]]:
    """Two apaches: the first is told over the back channel, the second through the browser."""
    with ExitStack() as servers:
        yield (
            platform(
                service, servers, "apache-back", "阿帕奇平台甲", "--backchannel-logout-uri", *NAMED
            ),
            platform(service, servers, "apache-front", "阿帕奇平台乙", "--frontchannel-logout-uri"),
        )
        # What they were not told yet is due to nobody: a worker that went on trying to reach them
        # would not be in order, and other tests look at that.
        for client_id in ("apache-back", "apache-front"):
            service.stage.site.run_signed(
                service.cards("administrator"), "platform", "disable", client_id
            )


def platform(
    service: RunningService,
    servers: ExitStack,
    client_id: str,
    name: str,
    told: str,
    *claims: str,
) -> ApachePlatform:
    """Proposed at the console, confirmed by an officer, and run with the secret that it got.
    `told`: the option for how it hears of the end; `claims`: those that it is permitted by name,
    none: the usual ones."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    callback = f"{origin}/who/callback"
    channel = {"--backchannel-logout-uri": "backchannel", "--frontchannel-logout-uri": "get"}[told]
    made = register_platform(
        service.stage, name, "--client-id", client_id, "--redirect-uri", callback,
        "--post-logout-redirect-uri", f"{origin}/bye", told, f"{callback}?logout={channel}",
        *(option for claim in claims for option in ("--claim", claim)),
    )  # fmt: skip
    more = CONFIGURATION.format(
        issuer=service.origin, client_id=client_id, secret=made["client_secret"], origin=origin
    )
    return ApachePlatform(origin, servers.enter_context(running_apache(port, more)))


@pytest.fixture(scope="module")
def operator(
    service: RunningService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningAgent]:
    with operator_at(service, tmp_path_factory.mktemp("strangers")) as running:
        yield running


@pytest.fixture
def page(
    browser: Browser,
    service: RunningService,
    operator: RunningAgent,
    platforms: tuple[ApachePlatform, ApachePlatform],
) -> Iterator[Page]:
    """Signed in to both platforms, with one PIN."""
    context = browser.new_context(base_url=service.origin, locale="en-GB")
    page = context.new_page()
    operator.human.windows.clear()
    back, front = platforms
    page.goto(back.who)
    page.click("#agent-sign-in")
    page.wait_for_url(back.who)
    page.goto(front.who)
    expect(page).to_have_url(front.who)
    assert [each.command for each in operator.human.windows] == ["GETPIN"]
    yield page
    context.close()


def test_apaches_module_knows_the_holder_and_hears_of_the_end_over_the_back_channel(
    page: Page, platforms: tuple[ApachePlatform, ApachePlatform]
) -> None:
    back, _ = platforms
    shown = page.request.get(back.who).body().decode()
    assert "OIDC_CLAIM_name=操作员" in shown
    assert "REMOTE_USER=" in shown
    page.goto("/")
    page.click("header form[action='/sso/sign-out'] button")
    seconds_until(lambda: not back.knows(page), limit=WITHIN_SECONDS)


def test_the_platform_that_may_learns_employee_number_and_periods_and_the_other_does_not(
    page: Page, platforms: tuple[ApachePlatform, ApachePlatform]
) -> None:
    back, front = (each.claims(page) for each in platforms)
    assert back[PREFIX + "rights"] == front[PREFIX + "rights"] == ["declare-import"]
    assert re.fullmatch(r"T\d{5}", back[EMPLOYEE])
    (period,) = back[PERIODS]
    assert period["right"] == "declare-import"
    assert datetime.fromisoformat(period["from"]) <= datetime.now(UTC)
    assert "until" not in period  # the operator's right ends when it is withdrawn
    assert not {EMPLOYEE, PERIODS} & front.keys()


def test_signing_out_at_the_portal_loads_frames_that_end_a_platforms_session(
    page: Page, platforms: tuple[ApachePlatform, ApachePlatform]
) -> None:
    _, front = platforms
    assert front.knows(page)
    page.goto("/")
    page.click("header form[action='/sso/sign-out'] button")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    seconds_until(lambda: not front.knows(page), limit=WITHIN_SECONDS)
    expect(page.locator("header .who")).to_have_count(0)


@pytest.mark.long
def test_a_platform_that_signs_its_holder_out_ends_both_platforms_and_gets_its_browser_back(
    page: Page, platforms: tuple[ApachePlatform, ApachePlatform]
) -> None:
    """RP-initiated logout at the first; the second is told by a frame before the browser goes."""
    back, front = platforms
    with page.expect_response(lambda heard: heard.url.startswith(f"{front.who}/callback")) as frame:
        page.goto(f"{back.who}/callback?logout={back.origin}/bye")
    assert frame.value.ok, front.log
    assert "sid=" in frame.value.url
    expect(page).to_have_url(f"{back.origin}/bye")
    assert not back.knows(page)
    assert not front.knows(page)
    assert not page.request.get("/sso/session").json()["signed_in"]
