"""The PIN changed by its user: from the command line, from the page about the agent and from the
card's own page. It is typed in the agent's windows alone."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.key_agent.cards import MadeCard, make_card
from tests.key_agent.holder import PIN
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import PINENTRY, RunningAgent
from tests.portseal.service import RunningService
from tests.software_keys import SoftwareAuthority

NEW = "7391-other"
NONCE = "n" * 44


def typing(old: str, new: str = NEW) -> Callable[[Window], Answer]:
    """A person who types the present PIN where it is asked for, and the new one twice."""
    return lambda window: {"pin": new if window.repeat else old}


def changed(agent: RunningAgent, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`portseal-agent change-pin`, beside the running agent, with the settings in its home."""
    settings = {"modules": [agent.module], "pinentry": str(PINENTRY)}
    told = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (agent.home / "agent.toml").write_text("\n".join(told))
    return subprocess.run(
        [sys.executable, "-m", "key_agent", "change-pin", *arguments],
        env=agent.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def mine(own_agent: RunningAgent, authority: SoftwareAuthority) -> MadeCard:
    """The only card of a computer."""
    own_agent.allow("https://site.example")
    made = make_card(own_agent, authority, "mine")
    own_agent.human.windows.clear()
    return made


def test_the_command_changes_the_pin_in_windows_that_name_no_site(
    own_agent: RunningAgent, mine: MadeCard
) -> None:
    own_agent.human.answer = typing(own_agent.human.pins["mine"])
    done = changed(own_agent)
    assert (done.returncode, done.stdout) == (0, "the PIN of mine is changed\n"), done.stderr
    old, new = own_agent.human.windows
    assert old.lines[0] == new.lines[0] == "Started by you, on the command line"
    assert "USB key: mine" in old.lines
    assert (old.repeat, bool(new.repeat)) == (None, True)
    # SoftHSM2 keeps in each process what it has read: another one knows the new PIN alone.
    assert "(token.pin-wrong)" in changed(own_agent).stderr
    own_agent.human.answer = typing(NEW, own_agent.human.pins["mine"])
    assert changed(own_agent).returncode == 0
    own_agent.human.answer = own_agent.human.agree
    assert own_agent.call("sign_in", nonce=NONCE)["certificate"]["id"] == mine.identifier
    log = own_agent.command("log", "--agreed")
    assert "change the PIN" in log
    assert "portseal-agent change-pin  [mine]" in log


def test_the_command_says_what_is_wrong_and_changes_nothing(
    own_agent: RunningAgent, mine: MadeCard
) -> None:
    wrong = "not-the-pin"
    for answer, code in (
        (typing(wrong), "token.pin-wrong"),
        (typing(own_agent.human.pins["mine"], "111111"), "pin.weak"),
        (lambda window: {"cancel": True}, "agent.cancelled"),
    ):
        own_agent.human.answer = answer
        done = changed(own_agent)
        assert done.returncode != 0
        assert f"({code})" in done.stderr
        assert "Traceback" not in done.stderr
        assert wrong not in done.stderr
    own_agent.human.answer = own_agent.human.agree
    own_agent.call("sign_in", nonce=NONCE)


def test_of_several_usb_keys_the_command_wants_to_be_told_which(
    own_agent: RunningAgent, mine: MadeCard, authority: SoftwareAuthority
) -> None:
    own_agent.human.pins["other"] = "other 193746"
    other = make_card(own_agent, authority, "other")
    own_agent.human.windows.clear()
    done = changed(own_agent)
    assert done.returncode == 1
    assert "(token.several)" in done.stderr
    assert str(other.token["serial"]) in done.stderr
    assert own_agent.human.windows == []
    assert "(token.none)" in changed(own_agent, "--token", "nobody's").stderr
    own_agent.human.answer = typing(own_agent.human.pins["other"])
    assert changed(own_agent, "--token", str(other.token["serial"])).returncode == 0
    assert "USB key: other" in own_agent.human.windows[0].lines


# -- the pages -------------------------------------------------------------------------------------


@pytest.fixture
def chinese(browser: Browser, service: RunningService) -> Iterator[Page]:
    context = browser.new_context(base_url=service.origin, locale="zh-CN")
    yield context.new_page()
    context.close()


@pytest.mark.browser
def test_the_pin_is_changed_from_the_page_of_the_agent_and_from_the_cards(
    service: RunningService, operator: RunningAgent, chinese: Page
) -> None:
    page = chinese
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url + (request.post_data or "")))
    act = page.locator('[data-agent-act="pin"]')
    line = act.locator(".agent-line")
    page.goto("/agent")
    operator.human.windows.clear()
    operator.human.answer = typing("wrong 193746")
    act.get_by_role("button", name="修改 PIN").click()
    expect(line.locator("code")).to_have_text("token.pin-wrong")
    operator.human.answer = typing(PIN)
    act.get_by_role("button", name="修改 PIN").click()
    expect(act.locator("[data-after]")).to_be_visible()
    expect(act.locator("[data-after]")).to_have_text("PIN 已修改。")
    assert {window.lines[0] for window in operator.human.windows} == {f"Site: {service.origin}"}

    operator.human.answer = lambda window: {"pin": NEW}
    page.goto("/sso/sign-in?next=/card")
    page.click("#agent-sign-in")
    page.wait_for_url("**/cards/OP-*")
    third = "third 193746"
    operator.human.answer = typing(NEW, third)
    act.get_by_role("button", name="修改 PIN").click()
    expect(act.locator("[data-after]")).to_be_visible()
    pins = (PIN, NEW, third, "wrong 193746")
    assert not any(pin in told for pin in pins for told in sent), "no page has ever a PIN"
    operator.human.answer = lambda window: {"pin": third}
    page.goto("/sso/sign-in?next=/sign")
    page.click("#agent-sign-in")
    page.wait_for_url(f"{service.origin}/sign")
