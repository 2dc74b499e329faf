"""What the portal's page says, in both languages, of each state of the key agent and the token.

The running service's sign-in page in Chromium, the real agent, a real token. A token of another
make, which locks itself, is in test_tpm.py; no agent at all in test_portal.py.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from kernel.clock import SystemClock
from key_agent import VERSION
from key_agent.origins import Origins, Standing
from key_agent.places import ORIGINS_FILE
from tests.key_agent.holder import PIN, agrees, operator_at
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent
from tests.portseal.service import RunningService

pytestmark = pytest.mark.browser

LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}
Trouble = Callable[[RunningAgent], AbstractContextManager[None]]
PATIENCE_MILLISECONDS = 20_000


@pytest.fixture(scope="module", params=["zh", pytest.param("en", marks=pytest.mark.long)])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def directory(language: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(f"states-{language}")


@pytest.fixture(scope="module")
def operator(service: RunningService, directory: Path) -> Iterator[RunningAgent]:
    """A person who dismisses so many windows has an agent of their own for each language: it
    listens to a page no more that they dismissed too often."""
    with operator_at(service, directory) as running:
        yield running


@contextmanager
def a_page(browser: Browser, service: RunningService, language: str) -> Iterator[Page]:
    context = browser.new_context(base_url=service.origin, locale=LANGUAGES[language])
    context.grant_permissions(["local-network-access"])
    yield context.new_page()
    context.close()


@pytest.fixture
def page(browser: Browser, service: RunningService, language: str) -> Iterator[Page]:
    with a_page(browser, service, language) as made:
        yield made


def answering(answer: Answer) -> Trouble:
    """The person does this in the agent's window."""

    @contextmanager
    def trouble(agent: RunningAgent) -> Iterator[None]:
        agent.human.answer = lambda window: answer
        yield
        agent.human.answer = agrees

    return trouble


def standing(now: Standing, answer: Answer | None = None) -> Trouble:
    """What the person said of this site before, without a certificate that it may see."""

    @contextmanager
    def trouble(agent: RunningAgent) -> Iterator[None]:
        origins = Origins(agent.home / ORIGINS_FILE, SystemClock())
        seen = origins.may_see(agent.origin)
        if now is Standing.UNKNOWN:
            origins.forget(agent.origin)
        else:
            origins.set(agent.origin, now, frozenset())
        with answering(answer)(agent) if answer is not None else nullcontext():
            yield
        origins.set(agent.origin, Standing.ALLOWED, seen)

    return trouble


STATES = {
    "wrong-pin": (
        answering({"pin": "not-the-pin"}),
        "token.pin-wrong",
        "The PIN was wrong. After some more wrong PINs the USB key locks itself.",
        "再输错几次 PIN，USB Key 将自行锁定。",
    ),
    "cancelled": (
        answering({"cancel": True}),
        "agent.cancelled",
        "Cancelled. Nothing was signed.",
        "没有签署任何内容。",
    ),
    "timed-out": (
        answering({"timeout": True}),
        "agent.timed-out",
        "Nobody answered in the window of the key agent in time.",
        "未在规定时间内在密钥助手的窗口中作答。没有签署任何内容。",
    ),
    "no-certificate": (
        standing(Standing.ALLOWED),
        "card.no-certificate",
        "There is no certificate on the USB key that can be used here.",
        "USB Key 中没有可在此使用的证书。",
    ),
    "origin-refused": (
        standing(Standing.REFUSED),
        "origin.refused",
        "This site was refused in the key agent.",
        "您曾在密钥助手中拒绝本网站。",
    ),
    "refused-when-asked": (
        standing(Standing.UNKNOWN, {"no": True}),
        "origin.refused",
        "This site was refused in the key agent.",
        "您曾在密钥助手中拒绝本网站。",
    ),
}
"""What is done; the code that the page shows; its words."""


@pytest.mark.parametrize("state", STATES)
def test_the_page_says_what_is_wrong_and_signs_in_when_it_is_mended(
    page: Page,
    service: RunningService,
    operator: RunningAgent,
    state: str,
    language: str,
) -> None:
    trouble, code, english, chinese = STATES[state]
    page.goto("/sso/sign-in?next=/sign")
    with trouble(operator):
        page.click("#agent-sign-in")
        expect_told(page, code, {"en": english, "zh": chinese}[language])
        expect(page.locator("#agent-sign-in")).to_be_enabled()
    page.click("#agent-sign-in")
    page.wait_for_url(f"{service.origin}/sign")


def expect_told(page: Page, code: str, words: str) -> None:
    told = page.locator("portseal-progress .agent-line")
    expect(told.locator("code")).to_have_text(code, timeout=PATIENCE_MILLISECONDS)
    expect(told).to_contain_text(words)
    expect(told).to_have_attribute("role", "status")


def test_a_page_that_needs_a_newer_agent_says_so_at_once(
    page: Page, operator: RunningAgent, language: str
) -> None:
    """As a release of the service would that came after this agent."""

    def newer(route: Route) -> None:
        answer = route.fetch()
        body = answer.text().replace('data-agent-minimum="1.', 'data-agent-minimum="9.')
        route.fulfill(response=answer, body=body)

    page.route("**/sso/sign-in", newer)
    page.goto("/sso/sign-in")
    words = {"en": "is too old for this page.", "zh": "本机的密钥助手版本过旧"}[language]
    expect_told(page, "agent.too-old", words)
    versions = {"en": f"Here: {VERSION}; needed: 9.", "zh": f"本机版本：{VERSION}；需要：9."}
    expect_told(page, "agent.too-old", versions[language])
    expect(page.locator("portseal-progress a")).to_have_attribute("href", "/agent")
    operator.human.windows.clear()
    page.click("#agent-sign-in")
    expect_told(page, "agent.too-old", words)
    assert operator.human.windows == []


def test_the_page_warns_before_the_last_try(
    page: Page, operator: RunningAgent, language: str
) -> None:
    """No token of ours tells its last try (PKCS#11, CKF_USER_PIN_FINAL_TRY): what an agent with one
    that does would answer is put in the place of this agent's answer."""

    def last(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        assert told["code"] == "token.pin-wrong"
        told["facts"] = {"tries": "one", "tries_left": 1}
        route.fulfill(response=answer, json=told)

    operator.human.answer = lambda window: {"pin": "not-the-pin-either"}
    page.route("**/v1/sign_in", last)
    page.goto("/sso/sign-in")
    page.click("#agent-sign-in")
    words = {
        "en": "One try is left: after one more wrong PIN the USB key locks itself.",
        "zh": "再输错一次 PIN，USB Key 将自行锁定。",
    }
    expect_told(page, "token.pin-wrong", words[language])
    operator.human.answer = agrees


def test_a_second_page_is_told_that_the_agent_waits_elsewhere(
    page: Page, browser: Browser, service: RunningService, operator: RunningAgent, language: str
) -> None:
    decided = threading.Event()

    def think(window: Window) -> Answer:
        decided.wait(30)
        return {"pin": PIN}

    operator.human.answer = think
    operator.human.opened.queue.clear()
    try:
        with a_page(browser, service, language) as first:
            first.goto("/sso/sign-in?next=/sign")
            page.goto("/sso/sign-in")
            first.click("#agent-sign-in")
            operator.human.look()
            page.click("#agent-sign-in")
            words = {
                "en": "waiting for you in a window of its own",
                "zh": "密钥助手正在自己的窗口中等待您",
            }[language]
            expect_told(page, "agent.busy", words)
            decided.set()
            first.wait_for_url(f"{service.origin}/sign")
    finally:
        decided.set()
        operator.human.answer = agrees


def test_the_page_says_that_no_usb_key_is_plugged_in(
    page: Page, operator: RunningAgent, directory: Path, language: str
) -> None:
    """The last of this agent's tests: SoftHSM2 does not see a token again that has come back."""
    tokens = directory / "usb" / "tokens"
    tokens.rename(tokens.with_name("pulled"))
    words = {"en": "No USB key was found.", "zh": "未找到 USB Key。请插入后重试。"}
    page.goto("/sso/sign-in")
    page.click("#agent-sign-in")
    expect_told(page, "token.none", words[language])
