"""The agent against hostile pages in a real Chromium: none opens a window, reads or signs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from key_agent import VERSION
from key_agent.running import make_agent
from key_agent.settings import AgentSettings
from key_agent.windows import Abandoned, View
from key_agent.words import Words
from tests.key_agent.cards import MadeCard, make_card
from tests.key_agent.running import RunningAgent
from tests.servers.chromium import launch_arguments
from tests.software_keys import SoftwareAuthority

pytestmark = pytest.mark.browser

CLIENT = Path(__file__).parents[2] / "key_agent" / "web"
MODULE = CLIENT / "portseal-agent.js"
HOSTILE = "https://hostile.example"
REBOUND = "rebound.example"
NONCE = "n" * 44


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    rebinding = f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=chromium, args=[*launch_arguments(), rebinding]
        )
        yield made
        made.close()


def answer(route: Route) -> None:
    """What the sites of these tests serve: an empty page, and the agent's client."""
    if route.request.url.endswith(".js"):
        file = CLIENT / route.request.url.rpartition("/")[2]
        route.fulfill(body=file.read_text(), content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html><title>page</title>", content_type="text/html")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose browser has let it reach loopback; the agent is what remains in its way."""
    context = browser.new_context()
    context.grant_permissions(["local-network-access"])
    context.route("https://*.example/**", answer)
    yield context.new_page()
    context.close()


def call(page: Page, agent: RunningAgent, expression: str) -> Any:
    """Evaluate with `agent` as a client; a refusal comes back as its state and code."""
    return page.evaluate(
        """async ([port, expression]) => {
            const { PortSealAgent } = await import("/portseal-agent.js");
            const agent = new PortSealAgent({ port });
            const wanted = new Function("agent", "return " + expression);
            try { return await wanted(agent); }
            catch (error) { return [error.state, error.code]; }
        }""",
        [agent.port, expression],
    )


@pytest.fixture
def friends_card(agent: RunningAgent, authority: SoftwareAuthority, label: str) -> MadeCard:
    """A card that this test's site, `agent.origin`, may see, and no other."""
    card = make_card(agent, authority, label)
    agent.human.windows.clear()
    return card


def test_the_friend_reaches_it_and_a_stranger_learns_its_version_alone(
    page: Page, agent: RunningAgent, friends_card: MadeCard
) -> None:
    page.goto(f"{agent.origin}/")
    told = call(page, agent, "agent.tokens()")
    seen = {each["id"] for token in told["tokens"] for each in token["certificates"]}
    assert friends_card.identifier in seen
    page.goto(f"{HOSTILE}/")
    status = call(page, agent, "agent.status()")
    assert (status["state"], status["version"]) == ("origin-unknown", VERSION)
    unknown = ["origin-unknown", "origin.unknown"]
    nothing = "{token: '" + friends_card.token["id"] + "'}"
    for method in ("tokens", "makeKey", "changePin", "unlock"):
        assert call(page, agent, f"agent.{method}({nothing})") == unknown
    for expression in (
        f"agent.signIn({{nonce: '{NONCE}'}})",
        f"agent.signIn({{nonce: '{NONCE}', certificate: '{friends_card.identifier}'}})",
        f"agent.sign({{certificate: '{friends_card.identifier}', document: '', format: 'XAdES',"
        " toBeSigned: '', draft: ''})",
    ):
        assert call(page, agent, expression) == unknown
    assert agent.human.windows == []


def test_a_click_flood_opens_one_window_at_a_time_and_then_none(
    page: Page, agent: RunningAgent, friends_card: MadeCard
) -> None:
    agent.human.answer = lambda window: {"cancel": True}
    page.goto(f"{agent.origin}/")
    wanted = f"{{nonce: '{NONCE}', certificate: '{friends_card.identifier}'}}"
    codes = call(
        page,
        agent,
        "Promise.all(Array.from({length: 40}, () => agent.signIn("
        + wanted
        + ").catch((error) => error.code)))",
    )
    assert set(codes) <= {"agent.cancelled", "agent.busy", "agent.paused"}
    assert codes.count("agent.cancelled") == len(agent.human.windows) <= 3
    agent.human.answer = agent.human.agree


def test_what_a_page_can_send_without_asking_is_refused(
    page: Page, agent: RunningAgent, friends_card: MadeCard
) -> None:
    """No-cors requests, forms and scripts of an allowed site that was taken over, at worst."""
    address = f"http://127.0.0.1:{agent.port}/v1"
    before = len(agent.uses())
    page.goto(f"{agent.origin}/")
    kind = page.evaluate(
        """async (agent) => (await fetch(agent + "/sign_in", {method: "POST", mode: "no-cors",
            body: JSON.stringify({nonce: "n".repeat(44)})})).type""",
        address,
    )
    assert kind == "opaque"
    loaded = page.evaluate(
        """(agent) => new Promise((resolve) => {
            const script = document.createElement("script");
            script.onload = () => resolve("loaded"); script.onerror = () => resolve("refused");
            script.src = agent + "/status"; document.head.append(script); })""",
        address,
    )
    assert loaded == "refused"
    with page.expect_navigation(url=f"{address}/sign_in"):
        page.evaluate(
            """(agent) => {
                const form = document.createElement("form");
                form.method = "post"; form.enctype = "text/plain"; form.action = agent + "/sign_in";
                const field = document.createElement("input");
                field.name = '{"nonce": "' + "n".repeat(44) + '", "x": "'; field.value = '"}';
                form.append(field); document.body.append(form); form.submit();
            }""",
            address,
        )
    refused = {"request.media-type", "origin.unacceptable"}  # the browser may say Origin: null
    assert json.loads(page.inner_text("body"))["code"] in refused
    assert agent.human.windows == []
    assert len(agent.uses()) == before


def test_a_name_rebound_to_loopback_gets_nothing(page: Page, agent: RunningAgent) -> None:
    """The page's own origin then is the agent's port under the attacker's name."""
    response = page.goto(f"http://{REBOUND}:{agent.port}/v1/status")
    assert response is not None
    assert response.status == 421
    assert json.loads(page.inner_text("body"))["code"] == "host.unknown"
    told = page.evaluate(
        """async () => (await fetch("/v1/connect", {method: "POST", body: "{}",
            headers: {"Content-Type": "application/json"}})).json()"""
    )
    assert told["code"] == "host.unknown"
    assert agent.human.windows == []


def test_a_framed_or_sandboxed_page_has_no_origin_to_be_allowed(
    page: Page, agent: RunningAgent
) -> None:
    page.goto(f"{HOSTILE}/")
    told = page.evaluate(
        """async (agent) => {
            const frame = document.createElement("iframe");
            frame.sandbox = "allow-scripts"; frame.allow = "local-network-access";
            const done = new Promise((resolve) =>
                addEventListener("message", (event) => resolve(event.data)));
            frame.srcdoc = `<script>fetch("${agent}/connect", {method: "POST", body: "{}",
                headers: {"Content-Type": "application/json"}})
                .then(() => parent.postMessage("answered", "*"),
                      () => parent.postMessage("refused", "*"))</` + "script>";
            document.body.append(frame);
            return done;
        }""",
        f"http://127.0.0.1:{agent.port}/v1",
    )
    assert told == "refused"
    assert agent.human.windows == []


def test_without_the_browsers_permission_the_page_says_so(
    browser: Browser, agent: RunningAgent
) -> None:
    """Chrome's Local Network Access: the browser asks its user first; here nobody says yes."""
    context = browser.new_context()
    context.route("https://*.example/**", answer)
    page = context.new_page()
    page.goto(f"{agent.origin}/")
    assert call(page, agent, "agent.status().then((seen) => seen.state)") == "blocked"
    assert call(page, agent, f"agent.signIn({{nonce: '{NONCE}'}})") == [
        "blocked",
        "browser.blocked",
    ]
    assert agent.human.windows == []
    context.close()


def test_a_page_that_needs_a_newer_agent_says_so(page: Page, agent: RunningAgent) -> None:
    page.goto(f"{agent.origin}/")
    agent.allow(agent.origin)
    for minimum, state in ((VERSION, "ready"), (f"{VERSION}.1", "too-old"), ("2", "too-old")):
        newer = f"new agent.constructor({{port: {agent.port}, minimumVersion: '{minimum}'}})"
        assert call(page, agent, f"{newer}.status().then((seen) => seen.state)") == state


def test_the_client_names_every_method_of_the_agent(agent: RunningAgent) -> None:
    called = set(re.findall(r'#call\("([a-z_]+)"', MODULE.read_text()))
    assert called == set(make_agent(AgentSettings(), agent.home, NoWindows(), Words("en")).methods)


class NoWindows:
    """Never opened."""

    def confirm(self, shown: View, abandoned: Abandoned) -> bool:
        raise AssertionError

    def pin(self, shown: View, prompt: str, abandoned: Abandoned) -> str:
        raise AssertionError

    def new_pin(self, shown: View, prompt: str, again: str, abandoned: Abandoned) -> str:
        raise AssertionError
