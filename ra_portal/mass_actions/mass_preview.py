"""Which cards an action means, told to people: how many, whose, where, and some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from ra_portal.cards import card_rows
from ra_portal.cards.card import Card
from ra_portal.cards.tables import cards
from ra_portal.mass_actions import card_list
from ra_portal.mass_actions.card_list import LeftOut
from ra_portal.mass_actions.mass_filter import KINDS, STATES, Act, CardFilter, joined, meant_by
from ra_portal.people.tables import enterprises

_SAMPLE = 20
_REGIONS = 10


@dataclass(frozen=True)
class Preview:
    """What would happen. Nothing has."""

    total: int
    by_kind: Mapping[str, int]
    by_region: Sequence[tuple[str, int]]
    """The ten with most cards."""
    sample: Sequence[Card]
    left_out: Sequence[LeftOut] = ()
    """Of a list."""


def preview(connection: Connection, act: Act, wanted: CardFilter) -> Preview:
    """What the act would move now."""
    missing: Sequence[LeftOut] = ()
    if wanted.numbers:
        kinds = [wanted.kind] if wanted.kind else list(KINDS)
        missing = card_list.left_out(connection, wanted.numbers, STATES[act], kinds)
    return told(connection, meant_by(act, wanted), missing)


def told(
    connection: Connection, meant: ColumnElement[bool], left_out: Sequence[LeftOut] = ()
) -> Preview:
    """Of the cards that a condition means."""
    kinds = connection.execute(_counted(cards.c.holder_kind, meant))
    by_kind = {row[0]: row[1] for row in kinds}
    regions = connection.execute(
        _counted(enterprises.c.region, meant)
        .order_by(func.count().desc(), enterprises.c.region)
        .limit(_REGIONS)
    )
    some = joined(select(cards.c.number)).where(meant).order_by(cards.c.id).limit(_SAMPLE)
    sample = [card_rows.by_number(connection, each) for each in connection.execute(some).scalars()]
    by_region = [(row[0], row[1]) for row in regions]
    return Preview(sum(by_kind.values()), by_kind, by_region, sample, left_out)


def _counted(column: ColumnElement[Any], meant: ColumnElement[bool]) -> Select[Any]:
    return joined(select(column, func.count())).where(meant).group_by(column)
