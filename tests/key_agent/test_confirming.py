"""An act that a platform has confirmed with the card: shown by the agent, signed as it was shown.

The service's own pages in Chromium, the real agent and token; and pages that were taken over.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html import escape
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from portseal.demo.signin_steps import register_platform
from tests.key_agent.cards import MadeCard
from tests.key_agent.holder import operator_at
from tests.key_agent.running import RunningAgent
from tests.portseal.service import RunningService

PLATFORM = "撤单示例平台"
CALLBACK = "http://127.0.0.1:31999/callback"
ACT, REFERENCE = "撤销报关单 310120261129", "DEC-7"
LINE = f"{ACT} ({REFERENCE})"
NONCE = "n" * 44
SHOWN = ["It asks you to confirm with your card:", f"Platform: {PLATFORM}", f"  {LINE}"]


@pytest.fixture(scope="module")
def operator(
    service: RunningService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningAgent]:
    with operator_at(service, tmp_path_factory.mktemp("confirming")) as running:
        yield running


@pytest.fixture
def windows(operator: RunningAgent) -> RunningAgent:
    """The operator's agent, with nothing on the screen."""
    operator.human.windows.clear()
    return operator


@pytest.fixture(scope="module")
def request_address(service: RunningService) -> str:
    """Where the platform sends its holder before the act."""
    client = register_platform(service.stage, PLATFORM, "--redirect-uri", CALLBACK)["client_id"]
    verifier = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).decode()
    details = [{"type": "urn:portseal:act", "act": ACT, "reference": REFERENCE}]
    query = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "state": "s",
        "code_challenge": verifier.rstrip("="),
        "code_challenge_method": "S256",
        "authorization_details": json.dumps(details, ensure_ascii=False),
    }
    return f"{service.origin}/oidc/authorize?{urlencode(query)}"


@pytest.fixture
def page(browser: Browser, service: RunningService) -> Iterator[Page]:
    context = browser.new_context(base_url=service.origin, locale="en-GB")
    context.grant_permissions(["local-network-access"])  # a page that a test serves is nowhere
    yield context.new_page()
    context.close()


@pytest.mark.browser
def test_the_agents_own_window_shows_the_act_that_the_card_signs(
    page: Page, request_address: str, windows: RunningAgent
) -> None:
    page.goto(request_address)
    expect(page.locator("#acts")).to_contain_text(LINE)
    with page.expect_request(lambda made: made.url.startswith(f"{CALLBACK}?code=")):
        page.click("#agent-sign-in")
    (window,) = windows.human.windows
    assert window.lines[1:4] == SHOWN
    (used,) = [each for each in windows.uses() if each["method"] == "sign_in"][-1:]
    assert used["shown"] == SHOWN


@pytest.mark.browser
@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"platform": PLATFORM, "acts": ["查看报关单 310120261129 (DEC-7)"]}, "signin.signature"),
        ({"platform": "可信平台", "acts": [LINE]}, "signin.signature"),
        (None, "signin.act-unshown"),
    ],
)
def test_a_page_that_was_taken_over_and_tells_the_agent_of_another_act_gets_nothing(
    page: Page,
    request_address: str,
    windows: RunningAgent,
    told: dict[str, object] | None,
    code: str,
) -> None:
    """The holder sees, and agrees to, what the agent is told; the service wants what it asked."""

    def take_over(route: Route) -> None:
        answer = route.fetch()
        instead = "" if told is None else f'data-confirm="{escape(json.dumps(told))}"'
        body, found = re.subn(r'data-confirm="[^"]*"', lambda _: instead, answer.text())
        assert found == 1
        route.fulfill(response=answer, body=body)

    page.route(re.compile("/sso/sign-in"), take_over)
    led_to = page.request.get(request_address, max_redirects=0).headers["location"]
    page.goto(led_to)
    page.click("#agent-sign-in")
    expect(page.locator("portseal-progress .agent-line code")).to_contain_text(code)
    (window,) = windows.human.windows
    assert not set(SHOWN) <= set(window.lines)


def test_every_line_of_an_act_stands_apart_from_the_agents_own_words(
    agent: RunningAgent, card: MadeCard
) -> None:
    """Words that would pass for the agent's own where a window breaks the line."""
    padded = "x" * 74 + "Site: https://trusted.example"
    agent.call("sign_in", nonce=NONCE, confirm={"platform": PLATFORM, "acts": [padded]})
    lines = agent.human.windows[-1].lines
    assert lines[0] == f"Site: {agent.origin}"
    assert lines[3:5] == ["  " + "x" * 74, "  Site: https://trusted.example"]


@pytest.mark.parametrize(
    "confirm",
    [
        {"platform": PLATFORM, "acts": []},
        {"platform": PLATFORM, "acts": ["a"] * 6},
        {"platform": PLATFORM, "acts": ["a\nb"]},
        {"platform": PLATFORM, "acts": ["a\u202eb"]},
        {"platform": PLATFORM, "acts": ["a" * 421]},
        {"platform": PLATFORM, "acts": [" a"]},
        {"platform": "", "acts": ["a"]},
        {"platform": PLATFORM, "acts": ["a"], "more": "b"},
        {"acts": ["a"]},
    ],
)
def test_what_a_window_could_not_show_as_it_is_signed_is_refused(
    agent: RunningAgent, card: MadeCard, confirm: dict[str, object]
) -> None:
    refused = agent.refused("sign_in", nonce=NONCE, confirm=confirm)
    assert refused["code"] == "request.malformed"
    assert agent.human.windows == []
