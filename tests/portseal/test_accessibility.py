"""Every page: read by axe-core, at two widths and in the dark; light, fast, and used by keyboard.

A page of each kind is read in every run, the others and the answers to forms in the long one.
axe-core comes with axe-playwright-python and is injected from disk: nothing is fetched.
"""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from portseal.demo.stage import Stage
from portseal.holder.service import Service
from tests.portseal.gallery import Exhibit, seat, seated, visit
from tests.portseal.gallery_answers import EVERY_EXHIBIT
from tests.portseal.gallery_past import everything_to_see
from tests.portseal.service import RunningService

pytestmark = pytest.mark.browser

NARROW = ViewportSize(width=375, height=720)
WIDE = ViewportSize(width=1920, height=1080)
HEAVIEST = 300_000
"""Bytes of a page with everything that it loads."""
LATEST_PAINT = 1000
"""Milliseconds until the first contentful paint."""
_FIRST_PAINT = """() => new Promise(resolve => {
  const seen = performance.getEntriesByName("first-contentful-paint")[0];
  if (seen) { resolve(seen.startTime); return; }
  new PerformanceObserver((list, observer) => {
    const paint = list.getEntriesByName("first-contentful-paint")[0];
    if (paint) { observer.disconnect(); resolve(paint.startTime); }
  }).observe({type: "paint", buffered: true});
})"""
_OVERFLOW = """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
  [...document.querySelectorAll("body *")]
    .filter(each => each.getBoundingClientRect().right > window.innerWidth + 1)
    .slice(0, 5).map(each => each.outerHTML.slice(0, 120))"""
"""What reaches beyond the right edge of a page that scrolls sideways."""
_STRAY = """() => [...document.forms].filter(each => !each.getAttribute("action"))
  .map(each => each.outerHTML.slice(0, 120))"""
"""Forms that name no place to be sent to."""
_WEIGHT = """() => ["navigation", "resource"].flatMap(each => performance.getEntriesByType(each))
  .reduce((sum, each) => sum + each.decodedBodySize, 0)"""
"""Bytes of the page and of what it loaded, from wherever it came."""

_TAB_STOPS = """() => {
  const stops = "a[href], button, input, select, textarea, summary, iframe, [tabindex]";
  const chosen = each => each.type !== "radio" || each.checked ||
    !each.form || ![...each.form.elements].some(
      other => other.type === "radio" && other.name === each.name && other.checked);
  const first = each => each.type !== "radio" || each.checked || each ===
    [...document.querySelectorAll("input[type=radio]")].find(other => other.name === each.name);
  const wanted = [...document.querySelectorAll(stops)].filter(each =>
    !each.disabled && each.tabIndex >= 0 && each.checkVisibility({visibilityProperty: true}) &&
    chosen(each) && first(each));
  const seen = window.focused = new Set(), bare = window.bare = new Set();
  document.addEventListener("focusin", event => {
    const {target} = event, style = getComputedStyle(target);
    seen.add(target);
    if (style.outlineStyle === "none" && style.boxShadow === "none")
      bare.add(target.outerHTML.slice(0, 120));
  });
  window.wanted = wanted;
  document.activeElement?.blur();
  // The parts of a date are stops of their own.
  const dates = document.querySelectorAll("input[type^=date], input[type=time]");
  return wanted.length + 5 * dates.length;
}"""
"""How many presses of Tab pass every stop of the page; notes from now on what gets the focus."""
_PASSED_OVER = """() => window.wanted.filter(each => !window.focused.has(each))
  .map(each => `no way to ${each.outerHTML.slice(0, 120)}`)
  .concat([...window.bare].map(each => `focus not seen on ${each}`))"""
_VIOLATIONS_ALONE = {"resultTypes": ["violations"]}
"""Every rule is tried; the places that pass are not gathered."""


class Seats:
    """One conversation for each person, signed in once."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self._seats: dict[str | None, Service] = {}

    def visitor(self, exhibit: Exhibit) -> Service:
        if exhibit.fresh:
            return seat(self.service.stage, exhibit.who, fresh=True)
        return self.of(exhibit.who)

    def of(self, who: str | None) -> Service:
        if who not in self._seats:
            self._seats[who] = seat(self.service.stage, who)
        return self._seats[who]


@pytest.fixture(scope="module")
def seats(service: RunningService) -> Seats:
    everything_to_see(service.stage)
    return Seats(service)


_OF_EACH_KIND = {
    "home", "apply", "sign-in", "enterprise", "sign", "queue", "dashboard",
}  # fmt: skip
"""Pages, those with most to go wrong: three seconds each."""


def _exhibits() -> list[Any]:
    """All of them take many minutes together."""
    assert {each.name for each in EVERY_EXHIBIT} >= _OF_EACH_KIND
    return [
        pytest.param(
            each, id=each.name, marks=[] if each.name in _OF_EACH_KIND else [pytest.mark.long]
        )
        for each in EVERY_EXHIBIT
    ]


@pytest.mark.parametrize("exhibit", _exhibits())
def test_a_page_is_accessible_light_and_fast(
    browser: Browser, seats: Seats, exhibit: Exhibit
) -> None:
    visitor, stage = seats.visitor(exhibit), seats.service.stage
    address = exhibit.address(visitor, stage.facts)
    with seated(browser, visitor, "zh", viewport=WIDE) as page:
        visit(page, exhibit, address, stage)
        assert page.evaluate(_WEIGHT) <= HEAVIEST
        if "/answers/" in page.url:
            assert page.evaluate(_STRAY) == [], "sent to the answer that it stands on"
        assert _first_paint(page, lambda: _again(page, exhibit, address, stage)) < LATEST_PAINT
        assert page.evaluate(_OVERFLOW) == [], "wider than the screen"
        assert _violations(page) == []
        assert _out_of_the_keyboard_s_reach(page) == []
        page.set_viewport_size(NARROW)
        assert page.evaluate(_OVERFLOW) == [], "wider than a telephone"
        page.emulate_media(color_scheme="dark")
        assert _violations(page) == []
    with seated(browser, visitor, "en", viewport=WIDE) as page:
        visit(page, exhibit, address, stage, until="load")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        assert page.evaluate(_OVERFLOW) == [], "wider than the screen in English"
        page.set_viewport_size(NARROW)
        assert page.evaluate(_OVERFLOW) == [], "wider than a telephone in English"
        if not exhibit.acts:  # an answer's marks are the same in both languages
            assert _violations(page) == []


def test_the_keyboard_alone_reaches_the_content_and_the_form(
    browser: Browser, seats: Seats
) -> None:
    with seated(browser, seats.of(None), "zh", viewport=WIDE) as page:
        page.goto("/apply")
        page.keyboard.press("Tab")
        expect(page.locator("a.skip")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#content")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.locator("#name")).to_be_focused()


def test_what_just_happened_has_the_focus_and_is_read_out(browser: Browser, seats: Seats) -> None:
    with seated(browser, seats.of(None), "zh", viewport=WIDE, java_script_enabled=False) as page:
        page.goto("/apply")
        page.locator("#name").fill("宁波示例贸易有限公司")
        page.get_by_role("button", name="保存草稿").click()
        message = page.get_by_role("status").filter(has_text="草稿")
        expect(message).to_be_focused()
        expect(message).to_have_attribute("aria-live", "polite")
        page.keyboard.press("Tab")
        expect(page.locator("#content :focus")).to_have_count(1)


def test_on_a_telephone_the_menu_opens_and_closes_without_a_script(
    browser: Browser, seats: Seats
) -> None:
    with seated(
        browser, seats.of("legal-person"), "zh", viewport=NARROW, java_script_enabled=False
    ) as page:
        page.goto("/")
        link = page.locator("nav.sections a[href='/enterprise']")
        expect(link).to_be_hidden()
        page.locator("button.menu").press("Enter")
        expect(link).to_be_visible()
        page.keyboard.press("Escape")
        expect(link).to_be_hidden()
        page.locator("button.menu").press("Enter")
        link.click()
        page.wait_for_url("**/enterprise")


def test_on_paper_only_the_content_is_left(browser: Browser, seats: Seats) -> None:
    with seated(browser, seats.of("legal-person"), "zh", viewport=WIDE) as page:
        page.goto("/enterprise")
        page.emulate_media(media="print", color_scheme="light")
        expect(page.locator("main h1")).to_be_visible()
        for hidden in ("nav.sections", "header .tools", "body > footer", "main [role=button]"):
            expect(page.locator(hidden).first).to_be_hidden()


def _again(page: Page, exhibit: Exhibit, address: str, stage: Stage) -> None:
    """The page once more: where only a form's answer shows it, by the form."""
    if exhibit.acts and not exhibit.arrives:
        visit(page, exhibit, address, stage)
    else:
        page.reload(wait_until="networkidle")


def _first_paint(page: Page, again: Callable[[], None]) -> float:
    """Milliseconds; the best of a few loads, since what else the machine does only adds."""
    best: float = page.evaluate(_FIRST_PAINT)
    for _ in range(4):
        if best < LATEST_PAINT:
            break
        again()
        best = min(best, page.evaluate(_FIRST_PAINT))
    return best


def _out_of_the_keyboard_s_reach(page: Page) -> list[str]:
    """What Tab never comes to, and what does not show that it has the focus."""
    for _ in range(page.evaluate(_TAB_STOPS) + 3):
        page.keyboard.press("Tab")
    found: list[str] = page.evaluate(_PASSED_OVER)
    return found


def _violations(page: Page) -> list[str]:
    """What axe-core finds: rule and first place of each."""
    found = Axe().run(page, options=_VIOLATIONS_ALONE).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['target']} {each['help']}" for each in found]
