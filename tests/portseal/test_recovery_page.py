"""A recovered legal-person card is made on the page, with the two halves that came by mail and by
text message: a real browser, the real key agent, a real token."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Request, expect

from tests.key_agent.running import running_agent
from tests.portseal.cli.test_recovery import granted
from tests.portseal.service import RunningService, Twin
from tests.token import softhsm_configuration, softhsm_module

PIN = "fresh 40962"
USB = "tokens"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_card_is_made_on_the_page_with_both_halves(
    service: RunningService, twin: Twin, browser: Browser, tmp_path: Path
) -> None:
    port = service.agent_port
    _, first, second = granted(service, twin, tmp_path, PORTSEAL_WEB__AGENT_PORT=str(port))
    context = browser.new_context(base_url=twin.origin, locale="zh-CN")
    page = context.new_page()
    addresses: list[str] = []

    def note(request: Request) -> None:
        addresses.append(request.url + request.headers.get("referer", ""))

    page.on("request", note)
    usb = {"SOFTHSM2_CONF": str(softhsm_configuration(tmp_path / USB))}
    with running_agent(tmp_path / "home", softhsm_module(), {}, port, **usb) as agent:
        agent.human.answer = lambda window: (
            {"ok": True} if window.command == "CONFIRM" else {"pin": PIN}
        )
        page.goto("/recover")
        page.get_by_role("link", name="两部分都已收到：制作新卡").click()
        expect(page).to_have_url(f"{twin.origin}/recover/finish")
        assert Axe().run(page).response["violations"] == []
        section = page.locator("[data-agent-act=enrol]")
        line, button = section.locator(".agent-line"), section.locator("button").first
        page.fill("#first-half", first)
        button.click()
        expect(line).to_contain_text("请输入第 2 部分（来自短信）。")
        expect(page.locator("#second-half")).to_be_focused()
        assert agent.human.windows == [], "nothing is asked for before both are there"
        page.fill("#first-half", second)
        page.fill("#second-half", first)
        button.click()
        expect(line.locator("code")).to_have_text("enrolment.code")
        page.fill("#first-half", first.lower())
        page.fill("#second-half", f" {second} ")
        button.click()
        expect(section.locator("[data-after]")).to_be_visible()
        page.goto("/sso/sign-in?next=/enterprise")
        page.click("#agent-sign-in")
        expect(page).to_have_url(f"{twin.origin}/enterprise")
    assert not any(half in told for half in (first, second) for told in addresses)
    written = (twin.site.directory / "serve.log").read_text()
    assert first not in written
    assert second not in written
    context.close()
