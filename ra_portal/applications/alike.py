"""What is like an application: the same enterprise, person or customs code elsewhere. An officer is
told beside the fields; it decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, case, literal, select

from ra_portal.applications.application import Application
from ra_portal.applications.tables import applications
from ra_portal.people.tables import enterprises

MOST = 10
"""Of each kind; a person who stands behind more is told as ten."""


class Same(StrEnum):
    """What is the same."""

    USCC = "uscc"
    IDENTITY = "identity_number"
    """By its blind index."""
    CUSTOMS_CODE = "customs_code"


@dataclass(frozen=True)
class Alike:
    """One application or, where `reference` is empty, one enterprise of the register."""

    same: Same
    id: str
    reference: str
    name: str
    state: str
    """Of an application; of an enterprise `active` or `closed`."""
    branch_id: str | None


def alike(connection: Connection, to: Application) -> list[Alike]:
    """Each query walks an index and stops early."""
    told: list[Alike] = []
    for same, query in queries(to):
        told += [Alike(same, *row) for row in connection.execute(query.limit(MOST))]
    return told


def queries(to: Application) -> Sequence[tuple[Same, Select[Any]]]:
    """Applications of the same code or person, enterprises of the same person or customs code."""
    made: list[tuple[Same, Select[Any]]] = [
        (Same.USCC, _others(to).where(applications.c.uscc == to.details.uscc))
    ]
    if to.papers.identity is not None:
        index = to.papers.identity.index
        by_person = applications.c.identity_index == index
        made.append((Same.IDENTITY, _others(to).where(by_person)))
        made.append((Same.IDENTITY, _registered(to).where(enterprises.c.identity_index == index)))
    code = enterprises.c.customs_code == to.details.customs_code
    made.append((Same.CUSTOMS_CODE, _registered(to).where(code)))
    return made


def _others(to: Application) -> Select[Any]:
    shown = applications.c
    query = select(shown.id, shown.reference, shown.name, shown.state, shown.branch_id)
    return query.where(shown.id != to.id)


def _registered(to: Application) -> Select[Any]:
    """Enterprises but for the one that the application became."""
    shown = enterprises.c
    state = case((shown.closed_at.is_(None), "active"), else_="closed")
    query = select(shown.id, literal(""), shown.name, state, shown.branch_id)
    return query.where(shown.uscc != to.details.uscc)
