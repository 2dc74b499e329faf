"""Pages that stay open: their session ends, a form is sent twice, an answer is loaded anew."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from portseal.holder.service import Service
from tests.portseal.gallery import seated
from tests.portseal.service import RunningService

pytestmark = pytest.mark.browser


@pytest.fixture
def seat(service: RunningService) -> Service:
    """The legal person, signed in anew."""
    return service.signed_in("legal-person")


@pytest.fixture
def page(browser: Browser, seat: Service) -> Iterator[Page]:
    with seated(browser, seat, "en") as opened:
        yield opened


def type_operator(page: Page, number: str) -> None:
    page.goto("/enterprise/operators/new")
    page.fill("#name", "示例操作员丁")
    page.fill("#employee_number", number)
    page.check("input[name=rights][value=declare-import]")


def look(page: Page) -> None:
    """As the page does every ten seconds, and when it is seen again."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def sign_in_again(page: Page, seat: Service) -> None:
    """As in another window of the same browser."""
    cookies = [
        {"name": cookie.name, "value": cookie.value or "", "url": seat.origin}
        for cookie in seat.session.cookies
        if cookie.name.endswith("-session")
    ]
    page.context.add_cookies(cookies)  # type: ignore[arg-type]


def test_what_was_typed_outlives_the_session_and_is_sent_after_another_sign_in(
    page: Page, seat: Service, service: RunningService
) -> None:
    type_operator(page, "OPEN-1")
    seat.call("DELETE", "/api/v1/sign-in")
    notice = page.locator("#session-notice")
    look(page)
    expect(notice).to_contain_text("You signed out on another page.")
    page.click("main form button[type=submit]")
    expect(notice).to_be_focused()
    assert page.input_value("#name") == "示例操作员丁"
    sign_in_again(page, service.signed_in("legal-person"))
    look(page)
    expect(notice).to_contain_text("You are signed in again")
    page.click("main form button[type=submit]")
    expect(page.locator("#activation-code")).to_be_visible()


def test_a_session_that_ended_between_two_looks_is_found_out_before_the_form_goes(
    page: Page, seat: Service
) -> None:
    with page.expect_response("**/sso/session/standing"):
        type_operator(page, "OPEN-2")
    seat.call("DELETE", "/api/v1/sign-in")
    page.click("main form button[type=submit]")
    expect(page.locator("#session-notice")).to_contain_text("Nothing was sent")
    assert page.input_value("#employee_number") == "OPEN-2"


def test_the_page_of_one_person_is_not_sent_by_another(page: Page, service: RunningService) -> None:
    with page.expect_response("**/sso/session/standing"):
        type_operator(page, "OPEN-3")
    sign_in_again(page, service.signed_in("operator"))
    page.click("main form button[type=submit]")
    expect(page.locator("#session-notice")).to_contain_text("Somebody else is signed in")
    assert page.input_value("#employee_number") == "OPEN-3"


def test_one_tab_saves_on_as_it_is_typed_and_a_second_one_is_told(page: Page) -> None:
    """Each answer brings the version that the next save needs; nothing typed is lost."""
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto("/apply")
    version = page.locator("input[name=draft_version]")
    for count, name in enumerate(("宁波先存", "宁波先存贸易"), 1):
        page.fill("#name", name)
        expect(version).to_have_value(str(count))
    other.fill("#name", "宁波后存贸易")
    expect(other.locator("#changed")).to_be_visible()
    other.click("#changed button")
    expect(other.locator("dl.facts")).to_contain_text("宁波先存贸易")
    expect(other.locator("#name")).to_have_value("宁波后存贸易")
    other.click("button.secondary:has-text('Save the draft')")
    expect(other.get_by_role("status").first).to_contain_text("saved")
    page.fill("#region", "浙江 宁波")
    page.click("button:has-text('Hand in the application')")  # before the pause is over
    expect(page.locator("code", has_text="draft.changed")).to_be_visible()
    expect(page.locator("#region")).to_have_value("浙江 宁波")


def test_a_service_that_is_away_loses_nothing_that_was_typed(page: Page) -> None:
    with page.expect_response("**/sso/session/standing"):
        type_operator(page, "OPEN-4")
    page.context.set_offline(True)
    page.click("main form button[type=submit]")
    expect(page.locator("#session-notice")).to_contain_text("cannot be reached")
    page.context.set_offline(False)
    page.click("main form button[type=submit]")
    expect(page.locator("#activation-code")).to_be_visible()


def test_a_form_is_sent_once_however_often_it_is_clicked_or_its_answer_loaded(page: Page) -> None:
    type_operator(page, "OPEN-5")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.dblclick("main form button[type=submit]")
    expect(page.locator("#activation-code")).to_be_visible()
    code = page.inner_text("#activation-code")
    page.reload()
    assert page.inner_text("#activation-code") == code
    assert sent.count("POST") == 1
