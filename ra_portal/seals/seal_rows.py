"""Seals in the database."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select, update

from kernel.refusals import Conflict, NotFound
from ra_portal.people.tables import enterprises
from ra_portal.seals.seal import Seal, SealState
from ra_portal.seals.tables import seals


def add(connection: Connection, seal: Seal) -> None:
    connection.execute(insert(seals), _row(seal))


def save(connection: Connection, seal: Seal) -> None:
    """Store a moved seal. Raises Conflict `seal.changed`."""
    done = connection.execute(
        update(seals)
        .where(seals.c.id == seal.id, seals.c.version == seal.version - 1)
        .values(_row(seal))
    )
    if done.rowcount != 1:
        raise Conflict("seal.changed", "the seal has just been changed", seal=seal.number)


def by_number(connection: Connection, number: str, *, locked: bool = False) -> Seal:
    """`locked` keeps others out until the transaction ends. Raises NotFound `seal.unknown`."""
    query = select(seals).where(seals.c.number == number.strip().upper())
    row = connection.execute(query.with_for_update() if locked else query).one_or_none()
    if row is None:
        raise NotFound("seal.unknown", "there is no seal of this number")
    return _seal(row._mapping)


def find_by_fingerprint(connection: Connection, fingerprint: str) -> Seal | None:
    found = _all(connection, seals.c.fingerprint == fingerprint)
    return found[0] if found else None


def of_enterprise(connection: Connection, enterprise_id: str) -> list[Seal]:
    """Every seal that the enterprise ever asked for, oldest first."""
    return _all(connection, seals.c.enterprise_id == enterprise_id)


def in_state(
    connection: Connection, state: SealState, limit: int, branch: str | None = None
) -> list[Seal]:
    """Oldest first; with `branch` those of that branch's enterprises."""
    condition = seals.c.state == str(state)
    if branch is not None:
        of_branch = select(enterprises.c.id).where(enterprises.c.branch_id == branch)
        condition = condition & seals.c.enterprise_id.in_(of_branch)
    return _all(connection, condition, limit)


def _all(
    connection: Connection, condition: ColumnElement[bool], limit: int | None = None
) -> list[Seal]:
    query = select(seals).where(condition).order_by(seals.c.requested_at, seals.c.id).limit(limit)
    return [_seal(row._mapping) for row in connection.execute(query)]


def _row(seal: Seal) -> dict[str, object]:
    return {**{name: getattr(seal, name) for name in _COLUMNS}, "state": str(seal.state)}


def _seal(row: Mapping[Any, Any]) -> Seal:
    values = {name: row[name] for name in _COLUMNS}
    if values["certificate"] is not None:
        values["certificate"] = bytes(values["certificate"])
    return Seal(**{**values, "state": SealState(values["state"])})


_COLUMNS = tuple(Seal.__dataclass_fields__)
