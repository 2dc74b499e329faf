"""Pages by key: a page goes on behind the last row of the one before it, never after a count of
rows, so that the millionth row costs what the first does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from kernel.refusals import Malformed

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
Row = TypeVar("Row")


@dataclass(frozen=True, order=True)
class Place:
    """Where a page begins or ends: a row's place in the order of a moment and its id."""

    at: datetime
    id: str


@dataclass(frozen=True)
class Cut(Generic[Row]):
    """One page, and where its neighbours begin; None: there is none."""

    shown: list[Row]
    earlier: Place | None
    later: Place | None


def cut(
    found: Sequence[Row],
    length: int,
    place_of: Callable[[Row], Place],
    after: Place | None,
    backwards: bool,
) -> Cut[Row]:
    """Of one row more than a page, read behind `after` (before it when `backwards`)."""
    more = len(found) > length
    if backwards:
        shown = list(found[-length:])
        return Cut(
            shown,
            place_of(shown[0]) if more else None,
            place_of(shown[-1]) if shown else None,
        )
    shown = list(found[:length])
    earlier = place_of(shown[0]) if after is not None and shown else None
    return Cut(shown, earlier, place_of(shown[-1]) if more else None)


def turn(
    found: Sequence[Row],
    length: int,
    place_of: Callable[[Row], Place],
    after: Place | None,
    backwards: bool,
    newest_first: bool = False,
) -> Cut[Row]:
    """A page of what a search found, which is short, in order, and all there."""
    behind = list(found)
    if after is not None:
        above = backwards is newest_first
        behind = [
            each for each in found
            if (place_of(each) > after if above else place_of(each) < after)
        ]  # fmt: skip
    one_more = length + 1
    some = behind[-one_more:] if backwards else behind[:one_more]
    return cut(some, length, place_of, after, backwards)


def write_place(place: Place) -> str:
    """As an address carries it."""
    microseconds = (place.at - _EPOCH) // timedelta(microseconds=1)
    return f"{microseconds}-{place.id}"


def read_place(text: str) -> Place:
    """Raises Malformed `page.place`."""
    number, _, identifier = text.partition("-")
    try:
        if not (number.isascii() and number.isdigit() and len(number) <= 17):
            raise ValueError
        return Place(_EPOCH + timedelta(microseconds=int(number)), identifier[:32])
    except (ValueError, OverflowError):
        raise Malformed("page.place", "this is not the beginning of a page") from None
