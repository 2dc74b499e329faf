"""Where the bars of a chart stand; `ra_portal/charts.html` draws them as SVG, with a table.

Across in per cent of the drawing, up and down in pixels: bars grow with the screen, letters do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 100, 200
BASE = HEIGHT - 22
"""Where the bars stand; labels below."""
_ROOM = BASE - 16
_HALF_A_LABEL = 6
"""Of five characters, with room, on a telephone."""
_HALF, _FEW = 6, 12
"""Bars that have room for all their words on a telephone, and on any other screen."""


@dataclass(frozen=True)
class Bar:
    """From the drawing's upper left corner: `x` and `width` in per cent, `y` and `height` in px."""

    label: str
    short: str
    """What stands below; empty: nothing."""
    value: int
    x: float
    y: float
    width: float
    height: float
    told: bool
    """Whether the value stands above."""
    wide_only: bool
    """Whether its words have no room on a telephone."""

    @property
    def middle(self) -> float:
        return round(self.x + self.width / 2, 2)

    @property
    def label_x(self) -> float:
        """The label's middle; near an edge of the drawing the label's own edge."""
        edges = {"start": 0, "end": WIDTH}
        return edges.get(self.anchor, self.middle)

    @property
    def anchor(self) -> str:
        """`text-anchor` of the label, so that none is cut."""
        if self.middle < _HALF_A_LABEL:
            return "start"
        return "end" if self.middle > WIDTH - _HALF_A_LABEL else "middle"


def bar_chart(pairs: Sequence[tuple[str, int]], every: int = 1) -> list[Bar]:
    """Upright bars of `(label, value)`; the last five characters of each `every`th label below."""
    most = max((value for _, value in pairs), default=0) or 1
    step = WIDTH / max(1, len(pairs))
    bars = []
    for index, (label, value) in enumerate(pairs):
        height = round(_ROOM * value / most, 1)
        bars.append(
            Bar(
                label,
                label[-5:] if index % every == 0 else "",
                value,
                round(step * (index + 0.12), 2),
                round(BASE - height, 1),
                round(step * 0.76, 2),
                height,
                value > 0 and len(pairs) <= _FEW,
                index % 2 == 1 and _HALF < len(pairs) <= _FEW,
            )
        )
    return bars
