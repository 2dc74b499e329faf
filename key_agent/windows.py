"""What the agent asks its user, whatever window it is asked in."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kernel.refusals import Conflict, Refusal

MAX_LINES = 18
"""What a terminal of 24 lines can show beside a window's own."""
MAX_WIDTH = 76
SECONDS = 120
"""How long a window waits for its user."""

Abandoned = Callable[[], bool]
"""Whether whoever asked is gone."""


class Cancelled(Conflict):
    """The user closed the window, or let it wait too long, or the page went away."""


def cancelled() -> Refusal:
    return Cancelled("agent.cancelled", "the user cancelled")


def timed_out() -> Refusal:
    return Cancelled("agent.timed-out", "nobody answered the agent's window in time")


@dataclass(frozen=True)
class View:
    """What a window shows. Lines are cleaned and clipped by `view`."""

    title: str
    lines: tuple[str, ...]
    heading: int = 1
    """How many of the lines say who asks, on every page."""
    summary: tuple[str, ...] = ()
    """Those of the lines that stand on the last page, where the PIN is typed, in any case."""


def view(title: str, site: str, *lines: str, summary: Sequence[str] = ()) -> View:
    """`site` says who asks. It is never clipped: an origin's end is what tells whose it is."""
    heading = whole(site)
    cleaned = tuple(clean(line) for line in lines)
    short = tuple(clean(line) for line in summary)
    return View(clean(title), (*heading, *cleaned), len(heading), short)


def whole(text: str, margin: str = "") -> tuple[str, ...]:
    """All of a text, cleaned, in as many lines as it takes. A `margin` of two spaces before each
    tells them from the agent's own."""
    cleaned = clean(text, width=2 * len(text))
    shown = [margin]
    for character in cleaned:
        if columns(shown[-1] + character) > MAX_WIDTH:
            shown.append(margin)
        shown[-1] += character
    return tuple(shown)


def columns(text: str) -> int:
    """What a text takes on the screen; a Chinese character takes two columns."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def clean(text: str, width: int = MAX_WIDTH) -> str:
    """One line without what could draw over its neighbours: no controls, no direction marks.

    At most `width` columns.
    """
    shown: list[str] = []
    taken = 0
    for character in text:
        category = unicodedata.category(character)
        if category in {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}:
            character = " "
        taken += columns(character)
        if taken > width:
            return "".join(shown).rstrip() + "…"
        shown.append(character)
    return "".join(shown).strip() if not text.startswith("  ") else "".join(shown).rstrip()


class Windows(Protocol):
    """Asks the user. Every method raises Cancelled `agent.cancelled` and `agent.timed-out`, and
    Unavailable `window.failed` where nothing can be shown."""

    def confirm(self, shown: View, abandoned: Abandoned) -> bool:
        """Whether the user agreed; False is a no, not a closed window."""
        ...

    def pin(self, shown: View, prompt: str, abandoned: Abandoned) -> str:
        """A PIN or another secret, typed without echo. Entering it agrees to what is shown."""
        ...

    def new_pin(self, shown: View, prompt: str, again: str, abandoned: Abandoned) -> str:
        """A new PIN, typed twice."""
        ...
