"""The officers' pages in a real Chromium: single keys, and papers turned and enlarged in place."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Route,
    ViewportSize,
    expect,
)

from tests.portseal.gallery import seated
from tests.portseal.gallery_past import everything_to_see
from tests.portseal.service import RunningService

pytestmark = pytest.mark.browser

QUEUE = "/officer/applications?state=applied"
DESK = ViewportSize(width=1440, height=900)


@pytest.fixture
def desk(browser: Browser, service: RunningService) -> Iterator[Page]:
    """A registrar's browser, with applications that wait."""
    everything_to_see(service.stage)
    with seated(browser, service.signed_in("registrar"), "en", viewport=DESK) as page:
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))

        def hear(said: ConsoleMessage) -> None:
            if said.type == "error":
                complaints.append(said.text)

        page.on("console", hear)
        yield page
        assert complaints == []


def test_single_keys_walk_the_queue_and_never_decide(desk: Page) -> None:
    desk.goto(QUEUE)
    rows = desk.locator("[data-rows] tbody th a")
    desk.keyboard.press("j")
    expect(rows.nth(0)).to_be_focused()
    desk.keyboard.press("j")
    desk.keyboard.press("k")
    desk.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    desk.keyboard.press("/")
    search = desk.locator("input[name=q]")
    expect(search).to_be_focused()
    desk.keyboard.type("jn/k")  # typing is typing
    expect(search).to_have_value("jn/k")
    rows.nth(1).focus()
    desk.keyboard.press("Enter")
    desk.wait_for_url("**/officer/applications/*")
    desk.keyboard.press("a")
    expect(desk.locator("[name=decision][value=register]")).to_be_focused()
    desk.keyboard.press("r")
    expect(desk.locator("#reasons")).to_be_visible()
    expect(desk.locator(".badge", has_text="Waiting for examination").first).to_be_visible()
    desk.locator("[data-keys] summary").click()
    expect(desk.locator("[data-keys] dl")).to_contain_text("Take the next one", ignore_case=True)


def test_keys_can_be_turned_off_and_stay_off(desk: Page) -> None:
    desk.goto(QUEUE)
    desk.locator("[data-keys] summary").click()
    desk.locator("[data-keys] input").uncheck()
    desk.reload()
    desk.keyboard.press("j")
    expect(desk.locator("[data-rows] tbody th a").first).not_to_be_focused()
    desk.locator("[data-keys] summary").click()
    desk.locator("[data-keys] input").check()


def test_a_paper_is_enlarged_and_turned_beside_the_fields(desk: Page) -> None:
    desk.goto(QUEUE)
    desk.locator("[data-rows] tbody th a").first.click()
    picture, frame = desk.locator(".preview").first, desk.locator(".sheet-of-paper").first
    expect(picture).to_be_visible()
    desk.wait_for_function("document.querySelector('.preview').complete")

    def size() -> tuple[float, float]:
        box = picture.bounding_box()
        assert box is not None
        return box["width"], box["height"]

    whole = size()
    desk.keyboard.press("+")
    desk.keyboard.press("+")
    assert size()[0] == pytest.approx(2 * whole[0], rel=0.02)
    assert frame.evaluate("each => each.scrollWidth > each.clientWidth")  # in its own frame
    overflow = "document.documentElement.scrollWidth - window.innerWidth"
    assert desk.evaluate(overflow) <= 0
    desk.keyboard.press("0")
    assert size() == pytest.approx(whole, rel=0.01)
    desk.get_by_role("button", name="Turn").click()
    turned = size()
    assert turned[0] / turned[1] == pytest.approx(whole[1] / whole[0], rel=0.02)
    assert turned[0] == pytest.approx(whole[0], rel=0.02)
    for _ in range(3):
        desk.keyboard.press("t")
    assert size() == pytest.approx(whole, rel=0.01)


@pytest.mark.parametrize("key", ["+", "t"])
def test_a_page_that_comes_after_it_was_enlarged_or_turned_keeps_its_shape(
    desk: Page, key: str
) -> None:
    desk.goto(QUEUE)
    review = desk.locator("[data-rows] tbody th a").first.get_attribute("href")
    assert review is not None
    coming: list[Route] = []

    def hold(route: Route) -> None:
        coming.append(route)

    desk.route("**/papers/**", hold)
    with desk.expect_request("**/papers/**"):
        desk.goto(review, wait_until="domcontentloaded")
    desk.keyboard.press(key)
    expect(desk.locator(".sheet-of-paper").first).to_have_class("sheet-of-paper held")
    for each in coming:
        each.continue_()
    picture = desk.locator(".preview").first
    picture.evaluate(
        "each => each.naturalWidth || new Promise(come => each.addEventListener('load', come))"
    )
    shape = picture.evaluate(
        "each => [each.offsetHeight / each.offsetWidth, each.naturalHeight / each.naturalWidth]"
    )
    assert shape[0] == pytest.approx(shape[1], rel=0.02)
    assert shape[1] != pytest.approx(1, rel=0.1), "a square would show nothing"


def test_fields_beside_a_paper_break_no_word(desk: Page) -> None:
    desk.goto(QUEUE)
    desk.locator("[data-rows] tbody th a").first.click()
    code = desk.locator(".compare tr", has_text="Unified social credit code").locator("td").first
    lines = code.evaluate(
        "each => { const range = document.createRange(); range.selectNodeContents(each);"
        " return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size }"
    )
    assert lines == 1


def test_the_next_one_is_taken_with_a_key(desk: Page) -> None:
    desk.goto(QUEUE)
    desk.keyboard.press("n")
    desk.wait_for_url("**/officer/applications/*?then=next")
    first = desk.url
    expect(desk.get_by_label("Then open the next one that waits for me")).to_be_checked()
    desk.keyboard.press("n")
    desk.wait_for_url(lambda address: address != first)
