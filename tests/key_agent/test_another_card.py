"""Several cards on one computer: a site that sees one comes to see another, when its user agrees.

The running service in Chromium, the real agent, two real tokens.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from kernel.clock import SystemClock
from key_agent.origins import Origins, Standing
from key_agent.places import ORIGINS_FILE
from tests.key_agent.cards import make_card
from tests.key_agent.holder import agrees, make_persons_card, operator_at
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent, running_agent
from tests.portseal.service import RunningService
from tests.software_keys import SoftwareAuthority
from tests.token import softhsm_configuration, softhsm_module

OTHER = "https://other.example"
FIRST, SECOND = "first key", "second key"
NONCE = "n" * 44


def says_no(window: Window) -> Answer:
    return {"no": True}


def known(agent: RunningAgent) -> tuple[Standing, frozenset[str]]:
    """What the list of sites says of the one that the agent is asked by."""
    origins = Origins(agent.home / ORIGINS_FILE, SystemClock())
    return origins.standing(agent.origin), origins.may_see(agent.origin)


# -- the agent -------------------------------------------------------------------------------------


@pytest.fixture
def two_cards(own_agent: RunningAgent, authority: SoftwareAuthority) -> tuple[str, str]:
    """Certificates of two tokens, of which the site sees the first alone."""
    own_agent.human.pins.update({FIRST: "first 193746", SECOND: "second 193746"})
    made = []
    for label, origin, name in ((FIRST, "https://site.example", "甲"), (SECOND, OTHER, "乙")):
        own_agent.allow(origin)
        made.append(make_card(own_agent, authority, label, name).identifier)
    own_agent.origin = "https://site.example"
    own_agent.human.windows.clear()
    return made[0], made[1]


def test_a_no_to_another_card_leaves_a_site_what_it_saw(
    own_agent: RunningAgent, two_cards: tuple[str, str]
) -> None:
    first, second = two_cards
    own_agent.human.answer = says_no
    assert own_agent.refused("connect")["code"] == "card.not-shown"
    assert known(own_agent) == (Standing.ALLOWED, frozenset({first}))
    (window,) = own_agent.human.windows
    assert f"  乙 ({SECOND})" in window.lines
    assert not any("甲" in line for line in window.lines), "only what is new is asked about"
    assert own_agent.refused("sign_in", nonce=NONCE, certificate=second)["status"] == 404
    own_agent.human.answer = own_agent.human.agree
    assert own_agent.call("sign_in", nonce=NONCE)["certificate"]["id"] == first
    assert own_agent.call("connect") == {"origin": "allowed"}
    assert known(own_agent) == (Standing.ALLOWED, frozenset({first, second}))
    own_agent.human.windows.clear()
    assert own_agent.call("connect") == {"origin": "allowed"}
    assert own_agent.human.windows == [], "nothing is new"
    assert "you did not show it the card" in own_agent.command("log")


def test_a_page_that_asks_for_another_card_again_and_again_must_wait(
    own_agent: RunningAgent, two_cards: tuple[str, str]
) -> None:
    own_agent.human.answer = says_no
    codes = [own_agent.refused("connect")["code"] for _ in range(10)]
    assert codes == ["card.not-shown"] * 3 + ["agent.paused"] * 7
    assert len(own_agent.human.windows) == 3


# -- the pages -------------------------------------------------------------------------------------


@pytest.fixture
def colleague(service: RunningService, tmp_path: Path) -> Iterator[RunningAgent]:
    """The computer of two operators: the service has seen the card of the one, whose key is pulled;
    the key of the other, of whom the site knows nothing, is in its place."""
    usb = tmp_path / "operator" / "usb"
    with operator_at(service, tmp_path / "operator") as agent:
        home = agent.home
    (usb / "tokens").rename(tmp_path / "pulled")
    second = {"SOFTHSM2_CONF": str(softhsm_configuration(usb))}
    with running_agent(
        home, softhsm_module(), {}, service.agent_port, **second
    ) as agent:  # fmt: skip
        agent.allow(OTHER)
        code = service.activation_code_of_new_operator("declare-import")
        make_persons_card(agent, service.anonymous(), code)
        agent.origin = service.origin
        yield agent


@pytest.fixture
def two_plugged_in(service: RunningService, tmp_path: Path) -> Iterator[RunningAgent]:
    """The computer of two operators with both their USB keys, of which the service has seen the
    first one's card alone."""
    tokens = {"SOFTHSM2_CONF": str(softhsm_configuration(tmp_path / "usb"))}
    with running_agent(
        tmp_path / "home", softhsm_module(), {}, service.agent_port, **tokens
    ) as agent:
        for label, origin in ((FIRST, service.origin), (SECOND, OTHER)):
            agent.allow(origin)
            code = service.activation_code_of_new_operator("declare-import")
            make_persons_card(agent, service.anonymous(), code, label=label)
        agent.origin = service.origin
        yield agent


@pytest.fixture
def page(browser: Browser, service: RunningService) -> Iterator[Page]:
    context = browser.new_context(base_url=service.origin, locale="zh-CN")
    yield context.new_page()
    context.close()


@pytest.mark.browser
def test_the_pages_offer_to_see_the_card_that_is_plugged_in(
    service: RunningService, colleague: RunningAgent, page: Page
) -> None:
    standing, before = known(colleague)
    assert standing is Standing.ALLOWED
    assert len(before) == 1
    page.goto("/agent")
    told = page.locator("#agent-progress .agent-line")
    expect(told.locator("code")).to_have_text("card.no-certificate")
    expect(page.locator("#show-card")).to_be_visible()
    assert Axe().run(page).response["violations"] == []

    page.goto("/sso/sign-in?next=/sign")
    page.click("#agent-sign-in")
    expect(told.locator("code")).to_have_text("card.no-certificate")
    assert colleague.human.windows == []
    offer = page.get_by_role("button", name="让本网站看到另一张卡")
    colleague.human.answer = says_no
    offer.click()
    expect(told.locator("code")).to_have_text("card.not-shown")
    expect(told).to_contain_text("您没有让本网站看到这张卡。它之前能看到的卡不受影响。")
    assert known(colleague) == (Standing.ALLOWED, before)
    assert [window.command for window in colleague.human.windows] == ["CONFIRM"]

    colleague.human.answer = agrees
    offer.click()
    page.wait_for_url(f"{service.origin}/sign")
    assert [window.command for window in colleague.human.windows] == ["CONFIRM"] * 2 + ["GETPIN"]
    assert len(known(colleague)[1]) == 2

    page.goto("/agent")
    expect(page.locator("#checks .badge")).to_have_text(["正常"] * 4)
    page.click("#show-card")
    expect(told.locator("code")).to_have_text("card.none-more")
    expect(told).to_contain_text("没有插入本网站看不到的其他卡。")


@pytest.mark.browser
def test_the_sign_in_page_names_the_card_that_it_will_use_and_another_can_be_chosen(
    service: RunningService, two_plugged_in: RunningAgent, page: Page
) -> None:
    windows = two_plugged_in.human.windows
    page.goto("/sso/sign-in?next=/sign")
    used = page.locator("#card-used")
    expect(used).to_have_text(re.compile("^使用此卡： 操作员.* · 操作员卡 OP-.* · 至 20"))
    first = card_in(used)
    assert Axe().run(page).response["violations"] == []

    page.get_by_role("button", name="换一张卡").click()
    rows = page.locator("#agent-card label")
    expect(rows).to_have_count(2)
    expect(used).to_be_hidden()
    line = page.locator("#agent-progress .agent-line")
    expect(line).to_have_text("插有多张卡。请选择您的卡，然后再按一次按钮。")
    assert [window.command for window in windows] == ["CONFIRM"]
    (other,) = (row for row in rows.all() if card_in(row) != first)
    second = card_in(other)
    other.locator("input").check()
    page.click("#agent-sign-in")
    page.wait_for_url(f"{service.origin}/sign")
    assert f"USB key: {SECOND}" in windows[-1].lines
    page.goto(f"/cards/{second}")
    expect(page.locator("main h1")).to_contain_text(second)


@pytest.mark.browser
def test_of_two_cards_none_is_used_before_the_page_has_named_it(
    service: RunningService, two_plugged_in: RunningAgent, page: Page
) -> None:
    """Where the page could not look before, it looks when the button is pressed."""
    windows = two_plugged_in.human.windows
    page.route("**/v1/tokens", lambda route: route.abort(), times=1)
    with page.expect_event("requestfailed"):
        page.goto("/sso/sign-in?next=/sign")
    line = page.locator("#agent-progress .agent-line")
    expect(page.locator("#card-used")).to_be_hidden()
    page.click("#agent-sign-in")
    expect(line).to_have_text("将使用这张卡。请再按一次按钮，或换一张卡。")
    expect(page.locator("#card-used")).to_be_visible()
    assert windows == []
    page.click("#agent-sign-in")
    page.wait_for_url(f"{service.origin}/sign")
    assert [window.command for window in windows] == ["GETPIN"]
    assert f"USB key: {FIRST}" in windows[-1].lines


def card_in(shown: Locator) -> str:
    found = re.search(r"OP-[0-9A-Z-]+", shown.inner_text())
    assert found is not None
    return found[0]
