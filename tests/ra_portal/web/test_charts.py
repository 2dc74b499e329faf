"""Bars stand inside the drawing."""

import pytest

from ra_portal.web.charts import BASE, WIDTH, bar_chart

DAYS = [(f"2026-10-{day:02}", day) for day in range(1, 31)]


@pytest.mark.parametrize("count", [1, 2, 12, 30])
def test_no_bar_is_cut_at_an_edge(count: int) -> None:
    for bar in bar_chart(DAYS[:count], 1):
        assert bar.x >= 0
        assert bar.x + bar.width <= WIDTH
        assert bar.y + bar.height == pytest.approx(BASE)
