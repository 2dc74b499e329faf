"""Charts are read on every screen and on paper: their words are large enough and apart."""

from pathlib import Path

import pytest
from flask import Flask, render_template_string
from playwright.sync_api import Browser, ViewportSize, expect

from portseal.web.layout import STATIC
from ra_portal.web.charts import bar_chart

DAYS = [(f"2026-10-{day:02}", day) for day in range(1, 31)]
MONTHS = [(f"2026-{month:02}", 1_000 * month) for month in range(1, 13)]
_PAGE = (
    '{% from "ra_portal/charts.html" import chart with context %}'
    '<main>{{ chart("Cards made", bars, "Day") }}</main>'
)
_WORDS = """() => [...document.querySelectorAll("svg text")]
  .map(each => each.getBoundingClientRect()).filter(each => each.width > 0)
  .map(each => ({left: each.left, right: each.right, top: each.top, bottom: each.bottom}))"""


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.parametrize("media", ["screen", "print"])
@pytest.mark.parametrize("width", [375, 1366])
@pytest.mark.parametrize(("pairs", "every"), [(DAYS, 5), (MONTHS, 1), (DAYS[:3], 1)])
def test_words_are_large_enough_apart_and_inside(
    browser: Browser, flask: Flask, pairs: list[tuple[str, int]], every: int, width: int, media: str
) -> None:
    with flask.test_request_context(headers={"Accept-Language": "en"}):
        body = render_template_string(_PAGE, bars=bar_chart(pairs, every))
    names = ("vendor/pico/pico.min.css", "theme.css", "components.css")
    style = "".join((Path(STATIC) / name).read_text() for name in names)
    page = browser.new_page(viewport=ViewportSize(width=width, height=720))
    try:
        page.set_content(f"<!doctype html><html lang=en><style>{style}</style>{body}")
        page.emulate_media(media="print" if media == "print" else "screen")
        drawing = page.get_by_role("img", name="Cards made")
        expect(drawing).to_be_visible()
        frame, words = drawing.bounding_box(), page.evaluate(_WORDS)
        assert frame is not None
        assert words
        for each in words:
            assert each["bottom"] - each["top"] >= 10
            assert each["left"] >= frame["x"] - 0.5
            assert each["right"] <= frame["x"] + frame["width"] + 0.5
        for number, one in enumerate(words):
            for other in words[:number]:
                apart = one["left"] >= other["right"] or other["left"] >= one["right"]
                above = one["top"] >= other["bottom"] - 3 or other["top"] >= one["bottom"] - 3
                assert apart or above, (one, other)
        page.locator("summary").click()
        expect(page.get_by_role("row")).to_have_count(len(pairs) + 1)
    finally:
        page.close()
