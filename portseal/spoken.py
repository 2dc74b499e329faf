"""What is said of a part of the house: English on the console, the reader's language on a page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from kernel.refusals import Reason, Refusal


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True)
class Spoken:
    """A text of the message catalogues with what stands in its places."""

    text: str
    """English; the key of its translation."""
    facts: Mapping[str, object]
    """What is filled in: a name or a number, another `Spoken`, a reason, a refusal, or a tuple of
    them."""
    wrong: bool = False
    """Needs somebody."""

    def say(self, translate: Callable[[str], str] = _as_it_is) -> str:
        """`translate` gives a text in the reader's language."""
        filled = {name: _fill(value, translate) for name, value in self.facts.items()}
        text = translate(self.text)
        return text % filled if filled else text

    @property
    def amiss(self) -> "Spoken":
        return replace(self, wrong=True)


def spoken(text: str, **facts: object) -> Spoken:
    """Marks `text` for the message catalogues (scripts/translations.py)."""
    return Spoken(text, facts)


def _fill(value: object, translate: Callable[[str], str]) -> str:
    if isinstance(value, Spoken):
        return value.say(translate)
    if isinstance(value, Reason | Refusal):
        return value.said(translate)
    if isinstance(value, tuple):
        return "; ".join(_fill(each, translate) for each in value)
    return str(value)
