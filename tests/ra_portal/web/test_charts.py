"""Bars and their labels stand inside the drawing."""

import pytest

from ra_portal.web.charts import BASE, WIDTH, bar_chart

DAYS = [(f"2026-10-{day:02}", day) for day in range(1, 31)]


@pytest.mark.parametrize("count", [1, 2, 12, 30])
def test_no_label_is_cut_at_an_edge(count: int) -> None:
    letter = 6.2  # units wide at the drawing's font size, and no letter is wider
    bars = bar_chart(DAYS[:count], 1)
    for bar in bars:
        wide = letter * len(bar.short)
        left = {"start": bar.label_x, "middle": bar.label_x - wide / 2, "end": bar.label_x - wide}
        assert left[bar.anchor] >= 0
        assert left[bar.anchor] + wide <= WIDTH
        assert bar.x >= 0
        assert bar.x + bar.width <= WIDTH
        assert bar.y + bar.height == pytest.approx(BASE)
