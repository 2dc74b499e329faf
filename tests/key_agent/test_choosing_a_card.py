"""Several cards on one computer are told apart by holder, kind, number and enterprise.

The running service in Chromium, the real agent, two real tokens.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.key_agent.holder import make_persons_card
from tests.key_agent.running import RunningAgent, running_agent
from tests.portseal.service import RunningService
from tests.token import softhsm_configuration, softhsm_module

pytestmark = pytest.mark.browser

CARD = re.compile(r"操作员\d+ · 操作员卡 OP-[0-9A-Z-]+ · \S+ · 至 20\d\d年\d+月\d+日")


@pytest.fixture
def two_operators(service: RunningService, tmp_path: Path) -> Iterator[RunningAgent]:
    """The computer of two operators of one enterprise, with both their USB keys."""
    tokens = {"SOFTHSM2_CONF": str(softhsm_configuration(tmp_path / "usb"))}
    with running_agent(
        tmp_path / "home", softhsm_module(), {}, service.agent_port, **tokens
    ) as agent:
        agent.allow(service.origin)
        for label in ("first key", "second key"):
            code = service.activation_code_of_new_operator("declare-import")
            make_persons_card(agent, service.anonymous(), code, label=label)
        yield agent


@pytest.fixture
def page(browser: Browser, service: RunningService) -> Iterator[Page]:
    context = browser.new_context(
        base_url=service.origin, locale="zh-CN", viewport={"width": 375, "height": 800}
    )
    yield context.new_page()
    context.close()


def test_a_holder_chooses_among_several_cards_and_nothing_looks_like_a_failure(
    service: RunningService, two_operators: RunningAgent, page: Page
) -> None:
    page.goto("/sso/sign-in?next=/sign")
    expect(page.locator("#by-command")).not_to_have_attribute("open", "")
    page.click("#agent-sign-in")
    line = page.locator("#agent-progress .agent-line")
    expect(line).to_have_text("插有多张卡。请选择您的卡，然后再按一次按钮。")
    assert page.locator("#agent-progress").get_attribute("data-outcome") is None
    assert two_operators.human.windows == []
    rows = page.locator("#agent-card label")
    expect(rows).to_have_text([CARD, CARD])
    assert "=" not in rows.first.inner_text(), "no name in the form of a directory"
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert Axe().run(page).response["violations"] == []
    expect(page.get_by_role("radio").first).to_be_checked()
    expect(page.get_by_role("radio").first).to_be_focused()

    page.keyboard.press("ArrowDown")
    chosen = re.search(r"OP-[0-9A-Z-]+", rows.nth(1).inner_text())
    assert chosen is not None
    page.click("#agent-sign-in")
    page.wait_for_url(f"{service.origin}/sign")
    page.goto(f"/cards/{chosen[0]}")
    expect(page.locator("main h1")).to_contain_text(chosen[0])


def test_the_page_of_the_agent_names_cards_as_people_do(
    two_operators: RunningAgent, page: Page
) -> None:
    page.goto("/agent")
    found = page.locator("[data-check=certificate] [data-found] div")
    expect(found).to_have_count(2)
    assert all("操作员卡 OP-" in text and "=" not in text for text in found.all_inner_texts())


@pytest.mark.parametrize(
    ("subject", "attributes"),
    [
        (
            r"serialNumber=OP-1,CN=a\, b\+c 100% %41,O=上海+OU=x",
            {"serialNumber": "OP-1", "CN": "a, b+c 100% %41", "O": "上海", "OU": "x"},
        ),
        (r"CN=\E7\94\B2,CN=second", {"CN": "甲"}),
        (r"CN=\FF", {"CN": r"\FF"}),
        ("", {}),
    ],
)
def test_names_are_read_as_rfc_4514_writes_them(
    page: Page, subject: str, attributes: dict[str, str]
) -> None:
    page.goto("/agent")
    read = "async (subject) => (await import('/static/agent/cards.js')).attributes(subject)"
    assert page.evaluate(read, subject) == attributes
