"""What the agent asks its user, whatever window it is asked in."""

import unicodedata
from collections.abc import Callable
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


def view(title: str, *lines: str) -> View:
    return View(clean(title), tuple(clean(line) for line in lines))


def clean(text: str) -> str:
    """One line without what could draw over its neighbours: no controls, no direction marks.

    At most MAX_WIDTH columns; a Chinese character takes two.
    """
    shown: list[str] = []
    width = 0
    for character in text:
        category = unicodedata.category(character)
        if category in {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}:
            character = " "
        width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if width > MAX_WIDTH:
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
