"""The queue in the database: pages by key, never by offset: the millionth row costs what the first
does.

Each state that is asked for is walked by its own index (`tables.applications`), and the short
results are merged: one walk over several states would have to sort all of them first.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)

from ra_portal.applications.application import OPEN, Application, ApplicationState
from ra_portal.applications.application_rows import from_row
from ra_portal.applications.tables import applications
from ra_portal.keyset import Place

COUNTED_TO = 1000
"""Nobody reads a longer number, and counting a million rows takes its time."""


@dataclass(frozen=True)
class Filter:
    """Which applications."""

    states: tuple[ApplicationState, ...]
    branch_id: str | None = None
    """None: of every branch."""
    assigned_to: str | None = None
    overdue_before: datetime | None = None
    """Unmoved since then."""
    unassigned: bool = False
    """Those that nobody looks after."""
    not_registered_by: str | None = None
    """Without those that this officer registered, whom four eyes keep from approving."""

    def conditions(self) -> list[ColumnElement[bool]]:
        held: list[ColumnElement[bool]] = []
        if self.branch_id is not None:
            held.append(applications.c.branch_id == self.branch_id)
        if self.assigned_to is not None:
            held.append(applications.c.assigned_to == self.assigned_to)
        if self.unassigned:
            held.append(applications.c.assigned_to.is_(None))
        if self.not_registered_by is not None:
            registered_by = applications.c.registered_by
            held.append(or_(registered_by.is_(None), registered_by != self.not_registered_by))
        if self.overdue_before is not None:
            held.append(applications.c.changed_at < self.overdue_before)
        return held


def page(
    connection: Connection, wanted: Filter, limit: int, after: Place | None, backwards: bool = False
) -> list[Application]:
    """The next applications behind `after`, longest waiting first; before it when `backwards`."""
    pages = [
        _applications(connection, of_state(wanted, state, limit, after, backwards))
        for state in wanted.states
    ]
    merged = merge(*pages, key=lambda each: (each.changed_at, each.id), reverse=backwards)
    found = list(islice(merged, limit))
    return found[::-1] if backwards else found


def of_state(
    wanted: Filter, state: ApplicationState, limit: int, after: Place | None, backwards: bool
) -> Select[Any]:
    """One walk along one index."""
    order = [applications.c.changed_at, applications.c.id]
    query = select(applications).where(applications.c.state == str(state), *wanted.conditions())
    if after is not None:
        here, there = tuple_(*order), tuple_(after.at, after.id)
        query = query.where(here < there if backwards else here > there)
    return query.order_by(*(key.desc() if backwards else key for key in order)).limit(limit)


def among(connection: Connection, wanted: Filter, usccs: Sequence[str]) -> list[Application]:
    """Those of these enterprises, longest waiting first."""
    query = (
        select(applications)
        .where(
            applications.c.uscc.in_(usccs),
            applications.c.state.in_([str(state) for state in wanted.states]),
            *wanted.conditions(),
        )
        .order_by(applications.c.changed_at, applications.c.id)
        .limit(COUNTED_TO)
    )
    return _applications(connection, query)


def by_reference(connection: Connection, wanted: Filter, reference: str) -> list[Application]:
    query = select(applications).where(applications.c.reference == reference, *wanted.conditions())
    return _applications(connection, query)


def by_identity(connection: Connection, wanted: Filter, index: str) -> list[Application]:
    """Those whose legal representative has the number of this blind index."""
    query = (
        select(applications)
        .where(applications.c.identity_index == index, *wanted.conditions())
        .order_by(applications.c.changed_at, applications.c.id)
        .limit(COUNTED_TO)
    )
    return _applications(connection, query)


def count(connection: Connection, wanted: Filter) -> int:
    """How many, but never more than `COUNTED_TO`."""
    total = 0
    for state in wanted.states:
        some = (
            select(applications.c.id)
            .where(applications.c.state == str(state), *wanted.conditions())
            .limit(COUNTED_TO - total)
        )
        total += connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()
    return total


def _applications(connection: Connection, query: Select[Any]) -> list[Application]:
    return [from_row(row._mapping) for row in connection.execute(query)]


def not_reminded(
    connection: Connection, wanted: Filter, limit: int, without: Collection[str | None] = ()
) -> list[Application]:
    """Those whose present wait nobody was reminded of, and that none of the officers `without` is
    in charge of."""
    assigned_to, told = applications.c.assigned_to, applications.c.reminded_at
    others = or_(assigned_to.is_(None), assigned_to.not_in(without)) if without else true()
    return _untold(connection, wanted, told, limit, others)


def not_escalated(connection: Connection, wanted: Filter, limit: int) -> list[Application]:
    """Those whose present wait nobody in charge of the counter was told of."""
    return _untold(connection, wanted, applications.c.escalated_at, limit, true())


def _untold(
    connection: Connection,
    wanted: Filter,
    told: Column[datetime],
    limit: int,
    more: ColumnElement[bool],
) -> list[Application]:
    found: list[Application] = []
    for state in wanted.states:
        query = untold_of_state(wanted, state, told, limit)
        found += _applications(connection, query.where(more))
    return found[:limit]


def untold_of_state(
    wanted: Filter, state: ApplicationState, told: Column[datetime], limit: int
) -> Select[Any]:
    """As `of_state`, where `told` is empty: ordered by it too, so that its index is in that order
    for PostgreSQL as well."""
    query = of_state(wanted, state, limit, None, backwards=False).where(told.is_(None))
    return query.order_by(None).order_by(told, applications.c.changed_at, applications.c.id)


def mark_reminded(connection: Connection, identifiers: Sequence[str], at: datetime) -> None:
    mine = update(applications).where(applications.c.id.in_(identifiers))
    connection.execute(mine.values(reminded_at=at))


def mark_escalated(connection: Connection, identifiers: Sequence[str], at: datetime) -> None:
    mine = update(applications).where(applications.c.id.in_(identifiers))
    connection.execute(mine.values(escalated_at=at))


def in_charge_of(connection: Connection, officers: Sequence[str], limit: int) -> list[Application]:
    """Open applications that these officers look after."""
    return _applications(connection, _looked_after(officers).limit(limit))


def locked_of(connection: Connection, officer: str) -> list[Application]:
    """All that this officer looks after, locked until the transaction ends."""
    return _applications(connection, _looked_after([officer]).with_for_update())


def _looked_after(officers: Sequence[str]) -> Select[Any]:
    return select(applications).where(
        applications.c.assigned_to.in_(officers),
        applications.c.state.in_([str(state) for state in OPEN]),
    )
