"""The register of enterprises in the database: pages by key, newest first.

Each state that is asked for is walked by its own index (`tables.enterprises`), and the short
results are merged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select, tuple_

from ra_portal.keyset import Place
from ra_portal.people import people_rows
from ra_portal.people.name_search import MOST_MATCHES
from ra_portal.people.people import Enterprise, Operator
from ra_portal.people.tables import enterprises, operators


class EnterpriseState(StrEnum):
    ACTIVE = "active"
    CLOSED = "closed"
    """Its legal-person card was revoked because it gave up its business."""

    @property
    def condition(self) -> ColumnElement[bool]:
        column = enterprises.c.closed_at
        return column.is_(None) if self is EnterpriseState.ACTIVE else column.is_not(None)


@dataclass(frozen=True)
class Filter:
    """Which enterprises."""

    states: tuple[EnterpriseState, ...] = tuple(EnterpriseState)
    branch_id: str | None = None
    """None: of every branch."""

    def of_branch(self) -> list[ColumnElement[bool]]:
        return [] if self.branch_id is None else [enterprises.c.branch_id == self.branch_id]


def place_of(enterprise: Enterprise) -> Place:
    return Place(enterprise.created_at, enterprise.id)


def page(
    connection: Connection, wanted: Filter, limit: int, after: Place | None, backwards: bool
) -> list[Enterprise]:
    """The next enterprises behind `after`, the newest first; before it when `backwards`."""
    pages = [
        _enterprises(connection, of_state(wanted, state, limit, after, backwards))
        for state in wanted.states
    ]
    found = list(islice(merge(*pages, key=place_of, reverse=not backwards), limit))
    return found[::-1] if backwards else found


def of_state(
    wanted: Filter, state: EnterpriseState, limit: int, after: Place | None, backwards: bool
) -> Select[Any]:
    """One walk along one index."""
    order = [enterprises.c.created_at, enterprises.c.id]
    query = select(enterprises).where(state.condition, *wanted.of_branch())
    if after is not None:
        here, there = tuple_(*order), tuple_(after.at, after.id)
        query = query.where(here > there if backwards else here < there)
    return query.order_by(*(key if backwards else key.desc() for key in order)).limit(limit)


def among(connection: Connection, wanted: Filter, usccs: Sequence[str]) -> list[Enterprise]:
    """Those of these credit codes."""
    return _matching(connection, wanted, enterprises.c.uscc.in_(usccs))


def by_customs_code(connection: Connection, wanted: Filter, code: str) -> list[Enterprise]:
    return _matching(connection, wanted, enterprises.c.customs_code == code)


def operators_after(
    connection: Connection, enterprise_id: str, after: str, limit: int
) -> list[Operator]:
    """In the order of employee numbers, behind this one."""
    return people_rows.operators_by(connection, operators_walk(enterprise_id, after, limit))


def operators_walk(enterprise_id: str, after: str, limit: int) -> Select[Any]:
    return (
        select(operators)
        .where(operators.c.enterprise_id == enterprise_id, operators.c.employee_number > after)
        .order_by(operators.c.employee_number)
        .limit(limit)
    )


def _matching(
    connection: Connection, wanted: Filter, condition: ColumnElement[bool]
) -> list[Enterprise]:
    query = (
        select(enterprises)
        .where(condition, *wanted.of_branch())
        .order_by(enterprises.c.created_at.desc(), enterprises.c.id.desc())
        .limit(MOST_MATCHES)
    )
    if len(wanted.states) == 1:
        query = query.where(wanted.states[0].condition)
    return _enterprises(connection, query)


def _enterprises(connection: Connection, query: Select[Any]) -> list[Enterprise]:
    return people_rows.enterprises_by(connection, query)
