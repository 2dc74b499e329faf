"""Many cards at once in a real Chromium: looked at, proposed, and confirmed by another officer."""

import pytest
from playwright.sync_api import Browser, Page, expect

from portseal.demo.people_steps import make_card
from tests.portseal.gallery import seated
from tests.portseal.service import RunningService

pytestmark = pytest.mark.browser

LABEL = "frozen-with-others"
"""A card that no other test uses."""


@pytest.fixture(scope="module")
def number(service: RunningService) -> str:
    make_card(service.stage, LABEL, service.activation_code_of_new_operator())
    return service.stage.numbers[LABEL]


def _press(page: Page, button: str) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=button, exact=True).click()


def test_a_freeze_is_previewed_proposed_and_confirmed(
    browser: Browser, service: RunningService, number: str
) -> None:
    administrator, approver = (service.signed_in(who) for who in ("administrator", "approver"))
    with seated(browser, administrator, "en") as page:
        page.goto("/admin/mass")
        page.fill("#numbers", number)
        _press(page, "Show what would happen")
        expect(page.locator("#preview")).to_contain_text("1 card is meant")
        page.fill("#reason", "a lost box of keys")
        _press(page, "Propose it to another officer")
        expect(page.get_by_role("status")).to_contain_text("Another officer must confirm it now.")
        proposal = page.url
    with seated(browser, approver, "en") as page:
        page.goto(proposal)
        expect(page.locator("main")).to_contain_text(number)
        _press(page, "Confirm")
        expect(page.get_by_role("status")).to_contain_text("Confirmed. It is being done.")
