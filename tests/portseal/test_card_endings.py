"""What ends a card for good asks once more, and offers to freeze it first: a real Chromium without
scripts, by the enterprise's legal-person card."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from portseal.demo.people_steps import make_card
from tests.portseal.gallery import seated
from tests.portseal.service import RunningService

pytestmark = pytest.mark.browser

LABEL = "ended-in-two-steps"
"""A card that no other test uses."""


def test_a_card_is_frozen_instead_or_lost_with_its_number_typed(
    browser: Browser, service: RunningService
) -> None:
    make_card(service.stage, LABEL, service.activation_code_of_new_operator())
    number = service.stage.numbers[LABEL]
    owner = service.signed_in("legal-person")
    with seated(browser, owner, "zh") as looked_at:
        looked_at.goto(f"/cards/{number}/loss-report")
        assert Axe().run(looked_at).response["violations"] == []
    with seated(browser, owner, "zh", java_script_enabled=False) as page:
        page.goto(f"/cards/{number}")
        state = page.locator("main dl .badge").first
        page.get_by_role("button", name="挂失").or_(page.get_by_role("link", name="挂失")).click()
        expect(page).to_have_url(f"{service.origin}/cards/{number}/loss-report")
        headings = page.locator("main h2")
        expect(headings).to_have_text(["暂时：冻结", "永久：注销"])
        page.fill("#freeze-reason", "还在找")
        page.get_by_role("button", name="冻结").click()
        expect(state).to_have_text("已冻结")

        page.goto(f"/cards/{number}/loss-report")
        expect(headings).to_have_text(["永久：注销"])
        page.fill("#confirmation", "OP-2026-22222222")
        page.get_by_role("button", name="挂失").click()
        expect(page.get_by_role("alert")).to_contain_text("请输入卡号以确认")
        assert owner.call("GET", f"/api/v1/cards/{number}")["state"] == "frozen"
        page.fill("#confirmation", number)
        page.get_by_role("button", name="挂失").click()
        expect(state).to_have_text("已挂失")
        assert owner.call("GET", f"/api/v1/cards/{number}")["state"] == "lost"
