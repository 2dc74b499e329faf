"""The portal's page about the key agent checks the computer: the running service in Chromium, the
real agent, a real token; in both languages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from kernel.clock import SystemClock
from key_agent import VERSION
from key_agent.origins import Origins
from key_agent.places import ORIGINS_FILE
from tests.key_agent.holder import LABEL, agrees, operator_at
from tests.key_agent.running import running_agent
from tests.portseal.service import RunningService

pytestmark = pytest.mark.browser

LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}
GOOD, BAD, OPEN = (
    {"en": "In order", "zh": "正常"},
    {"en": "Not in order", "zh": "异常"},
    {"en": "Not checked yet", "zh": "尚未检测"},
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checked")


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(browser: Browser, service: RunningService, language: str) -> Iterator[Page]:
    context = browser.new_context(base_url=service.origin, locale=LANGUAGES[language])
    yield context.new_page()
    context.close()


def expect_states(page: Page, language: str, *states: dict[str, str]) -> None:
    words = [state[language] for state in states]
    expect(page.locator("#checks .badge")).to_have_text(words)


def test_a_computer_in_order_is_said_to_be_so(
    service: RunningService, browser: Browser, directory: Path
) -> None:
    with operator_at(service, directory) as agent:
        for language, locale in LANGUAGES.items():
            context = browser.new_context(base_url=service.origin, locale=locale)
            page = context.new_page()
            page.goto("/agent")
            expect_states(page, language, GOOD, GOOD, GOOD, GOOD)
            found = page.locator("#checks")
            expect(found).to_contain_text(VERSION)
            expect(found).to_contain_text(LABEL)
            valid = {"en": "valid until", "zh": "有效期至"}[language]
            expect(found).to_contain_text(valid)
            assert Axe().run(page).response["violations"] == []
            context.close()
        assert agent.human.windows == [], "nobody was asked for anything"
        forgets = Origins(agent.home / ORIGINS_FILE, SystemClock())
        forgets.forget(service.origin)
        context = browser.new_context(base_url=service.origin, locale="en-GB")
        page = context.new_page()
        page.goto("/agent")
        expect_states(page, "en", GOOD, BAD, OPEN, OPEN)
        assert agent.human.windows == [], "not before the person presses the button"
        agent.human.answer = agrees
        page.click("#check")
        expect_states(page, "en", GOOD, GOOD, GOOD, GOOD)
        assert [window.command for window in agent.human.windows] == ["CONFIRM"]
        context.grant_permissions(["local-network-access"])  # a page that is put in has no address
        newer = "There is a newer one, 99.0:"
        page.route("**/agent", lambda route: offering(route, "99.0"))
        page.goto("/agent")
        expect(page.locator("#checks")).to_contain_text(f"Version {VERSION}. {newer}")
        context.close()


def offering(route: Route, version: str) -> None:
    """The page of a portal that offers this version."""
    answer = route.fetch()
    body = answer.text().replace('data-newest=""', f'data-newest="{version}"')
    route.fulfill(response=answer, body=body)


def test_without_an_agent_the_sign_in_page_leads_to_how_to_get_it(
    page: Page, language: str
) -> None:
    page.goto("/sso/sign-in")
    words = {"en": "Install, update and check the key agent", "zh": "安装、更新和检测密钥助手"}
    page.get_by_role("link", name=words[language]).click()
    expect_states(page, language, BAD, OPEN, OPEN, OPEN)
    expect(page.locator("#install-command")).to_contain_text("pipx install --force")
    told = page.locator("#agent-progress .agent-line")
    expect(told.locator("code")).to_have_text("agent.missing")


def test_a_computer_without_the_library_of_a_usb_key_is_told_so(
    page: Page, service: RunningService, language: str, tmp_path: Path
) -> None:
    with running_agent(tmp_path, str(tmp_path / "missing.so"), {}, service.agent_port) as agent:
        agent.allow(service.origin)
        page.goto("/agent")
        expect_states(page, language, GOOD, GOOD, BAD, OPEN)
        told = page.locator("#agent-progress .agent-line")
        expect(told.locator("code")).to_have_text("token.module")
