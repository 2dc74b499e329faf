"""The page of the guide for platforms (docs/key-agent-pages.md), run as it stands there.

A platform at an origin of its own under the guide's strict policy, Chromium, the real agent, a
real token.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from kernel.clock import SystemClock
from key_agent.origins import Origins, Standing
from key_agent.places import ORIGINS_FILE
from portseal.sandbox.ports import free_port
from tests.key_agent.cards import MadeCard, make_card
from tests.key_agent.human import Answer, Window
from tests.key_agent.platform import CLIENT, GUIDE, ROOT, Platform, running_platform
from tests.key_agent.running import RunningAgent
from tests.software_keys import SoftwareAuthority

pytestmark = pytest.mark.browser


@pytest.fixture
def platform(agent: RunningAgent) -> Iterator[Platform]:
    with running_platform(agent.port) as running:
        yield running


@pytest.fixture
def card(
    agent: RunningAgent, platform: Platform, authority: SoftwareAuthority, label: str
) -> MadeCard:
    """Which the platform's origin alone may see."""
    made = make_card(agent.allow(platform.origin), authority, label)
    agent.human.windows.clear()
    return made


@pytest.fixture
def page(browser: Browser, platform: Platform) -> Iterator[Page]:
    context = browser.new_context(base_url=platform.origin)
    made = context.new_page()
    made.add_init_script(
        "document.addEventListener('securitypolicyviolation', ({ violatedDirective }) =>"
        " (window.violations ??= []).push(violatedDirective))"
    )
    yield made
    context.close()


def sign_in(page: Page) -> None:
    page.goto("/")
    page.click("#sign-in")
    expect(page.locator("#says")).to_contain_text("Signed in: ")


def expect_state(page: Page, state: str, code: str) -> None:
    says = page.locator("#says")
    expect(says).to_have_attribute("data-state", state)
    expect(says).to_contain_text(f"({code})")


def test_a_platform_elsewhere_signs_in_and_signs_under_the_strictest_policy(
    page: Page, platform: Platform, card: MadeCard, agent: RunningAgent
) -> None:
    sign_in(page)
    page.click("#sign")
    expect(page.locator("#says")).to_have_text("Signed.")
    assert len(platform.signed) == 1, "verified with the card's key"
    assert page.evaluate("window.violations ?? []") == []
    shown = [line for window in agent.human.windows for line in window.lines]
    assert any(platform.origin in line for line in shown)
    assert "require-trusted-types-for 'script'" in platform.policy


def test_what_the_client_needs_leaves_nothing_in_the_pages_global_scope(
    page: Page, platform: Platform
) -> None:
    page.goto("/")
    names = sorted(f"/agent/{file.name}" for file in CLIENT.glob("*.js"))
    told = page.evaluate(
        """async (names) => {
            const before = new Set(Reflect.ownKeys(globalThis));
            for (const name of names) await import(name);
            await import("/agent/portseal-progress.js?another-copy");
            return Reflect.ownKeys(globalThis).filter((each) => !before.has(each)).map(String);
        }""",
        names,
    )
    assert told == []
    assert page.evaluate("customElements.get('portseal-progress') !== undefined")
    assert page.evaluate("window.violations ?? []") == []


Trouble = Callable[[RunningAgent, Platform, Page], AbstractContextManager[None]]


def answering(answer: Answer) -> Trouble:
    @contextmanager
    def trouble(agent: RunningAgent, platform: Platform, page: Page) -> Iterator[None]:
        agent.human.answer = lambda window: answer
        yield

    return trouble


def standing(now: Standing, answer: Answer) -> Trouble:
    """What the user said of this site before, and says now; no certificate may be seen."""

    @contextmanager
    def trouble(agent: RunningAgent, platform: Platform, page: Page) -> Iterator[None]:
        origins = Origins(agent.home / ORIGINS_FILE, SystemClock())
        if now is Standing.UNKNOWN:
            origins.forget(platform.origin)
        else:
            origins.set(platform.origin, now, frozenset())
        agent.human.answer = lambda window: answer
        yield

    return trouble


@contextmanager
def too_old(agent: RunningAgent, platform: Platform, page: Page) -> Iterator[None]:
    platform.minimum = "9.0.0"
    yield


@contextmanager
def nobody_there(agent: RunningAgent, platform: Platform, page: Page) -> Iterator[None]:
    platform.agent_port = free_port()
    yield


@contextmanager
def something_else_there(agent: RunningAgent, platform: Platform, page: Page) -> Iterator[None]:
    """The platform's own server, which knows nothing of an agent's methods."""
    platform.agent_port = int(platform.origin.rpartition(":")[2])
    yield


@contextmanager
def forbidden_by_policy(agent: RunningAgent, platform: Platform, page: Page) -> Iterator[None]:
    def without(route: Route) -> None:
        answer = route.fetch()
        policy = platform.policy.replace(f" http://127.0.0.1:{agent.port}", "")
        headers = {**answer.headers, "content-security-policy": policy}
        route.fulfill(response=answer, headers=headers)

    page.route(f"{platform.origin}/", without)
    yield


@contextmanager
def waiting_elsewhere(agent: RunningAgent, platform: Platform, page: Page) -> Iterator[None]:
    decided = threading.Event()

    def think(window: Window) -> Answer:
        decided.wait(30)
        return {"cancel": True}

    agent.human.answer = think
    agent.human.opened.queue.clear()
    with page.context.new_page() as other:
        other.goto("/")
        other.click("#sign-in")
        agent.human.look()
        try:
            yield
        finally:
            decided.set()
            expect(other.locator("#says")).to_have_attribute("data-state", "cancelled")


@contextmanager
def locked(agent: RunningAgent, platform: Platform, page: Page) -> Iterator[None]:
    """SoftHSM2's tokens never lock themselves (test_tpm.py has one that does): what an agent with
    such a one answers is put in the place of this agent's answer."""

    def lock(route: Route) -> None:
        answer = route.fetch()
        assert answer.json()["code"] == "token.pin-wrong"
        route.fulfill(response=answer, json={**answer.json(), "code": "token.locked"})

    agent.human.answer = lambda window: {"pin": "not-the-pin"}
    page.route("**/v1/sign_in", lock)
    yield


STATES: dict[str, tuple[Trouble, str]] = {
    "missing": (nobody_there, "agent.missing"),
    "blocked": (forbidden_by_policy, "page.policy"),
    "too-old": (too_old, "agent.too-old"),
    "origin-refused": (standing(Standing.REFUSED, {"cancel": True}), "origin.refused"),
    "busy": (waiting_elsewhere, "agent.busy"),
    "no-certificate": (standing(Standing.ALLOWED, {"cancel": True}), "card.no-certificate"),
    "wrong-pin": (answering({"pin": "not-the-pin"}), "token.pin-wrong"),
    "locked": (locked, "token.locked"),
    "cancelled": (answering({"cancel": True}), "agent.cancelled"),
    "timed-out": (answering({"timeout": True}), "agent.timed-out"),
    "failed": (something_else_there, "agent.answer"),
}
"""What is done before the page is asked to sign in, and the code that it shows."""


@pytest.mark.parametrize("state", STATES)
def test_the_page_says_each_state_in_its_own_words(
    page: Page, platform: Platform, card: MadeCard, agent: RunningAgent, state: str
) -> None:
    trouble, code = STATES[state]
    with trouble(agent, platform, page):
        page.goto("/")
        page.click("#sign-in")
        expect_state(page, state, code)
    words = re.search(rf'^  "?{state}"?: "(.+)",$', GUIDE, re.M)
    assert words is not None
    expect(page.locator("#says")).to_contain_text(words[1])


def test_another_document_than_the_one_that_is_shown_is_refused(
    page: Page, platform: Platform, card: MadeCard, agent: RunningAgent
) -> None:
    sign_in(page)
    platform.of_another_document = True
    page.click("#sign")
    expect_state(page, "refused", "draft.other-document")
    assert platform.signed == []


def test_the_first_time_the_user_is_asked_and_then_no_more(
    page: Page, platform: Platform, own_agent: RunningAgent, authority: SoftwareAuthority
) -> None:
    """What `ready` does about `origin-unknown`; and without a USB key there is nothing to use."""
    platform.agent_port = own_agent.port
    page.goto("/")
    page.click("#sign-in")
    expect_state(page, "no-token", "token.none")
    (asked,) = own_agent.human.windows
    assert any(platform.origin in line for line in asked.lines)
    make_card(own_agent.allow(platform.origin), authority, "mine")
    sign_in(page)
    assert "CONFIRM" not in [window.command for window in own_agent.human.windows]


def test_the_guide_names_every_state_and_every_code_of_the_agent() -> None:
    errors = (CLIENT / "portseal-agent-errors.js").read_text(encoding="utf-8")
    states = re.search(r"@typedef \{(.+?)\} AgentState", errors, re.S)
    assert states is not None
    listed = set(re.findall(r'"([a-z-]+)"', states[1]))
    assert {"ready", "origin-unknown", "refused", "no-token", *STATES} == listed
    for state in listed:
        assert re.search(rf"^\| `{state}` \| .+ \| .+ \|$", GUIDE, re.M), state
    raised = re.compile(
        r"(?:Conflict|Forbidden|Malformed|NotFound|TooLarge|TooMany|Unavailable|Unprocessable"
        r"|Cancelled|Refusal)\(\s*\"([a-z-]+\.[a-z-]+)\""
    )
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "key_agent").glob("*.py")]
    codes = {code for source in sources for code in raised.findall(source)}
    assert len(codes) > 40
    at_the_command_line = {"agent.port", "settings.malformed"}
    assert {code for code in codes if f"`{code}`" not in GUIDE} == at_the_command_line
