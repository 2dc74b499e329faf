"""Recoveries as rows."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from kernel.refusals import Conflict, NotFound
from key_centre.recovery import Ground, Order, Recovery, RecoveryState
from key_centre.tables import escrowed_keys, recoveries

PAGE = 50
_ID = re.compile("[0-9a-f]{32}")
_COLUMNS = recoveries.c
_LIGHT = [column for column in recoveries.columns if column is not recoveries.c.evidence]
"""The evidence is up to 4 MiB, and `evidence` alone reads it."""


@dataclass(frozen=True)
class Wanted:
    """Which recoveries; None and the empty text: all."""

    state: RecoveryState | None = None
    ground: Ground | None = None
    text: str = ""
    """A recovery's id, an order's number, a card's number, or an encryption certificate's serial,
    whole."""


def add(connection: Connection, recovery: Recovery, evidence: bytes | None) -> None:
    """`evidence`: the order's PDF; None where there is no order."""
    values = {"id": recovery.id, "evidence": evidence, **_values(recovery)}
    connection.execute(insert(recoveries), values)


def save(connection: Connection, recovery: Recovery) -> None:
    """Raises Conflict `key-recovery.changed`: somebody else moved it meanwhile."""
    done = connection.execute(
        update(recoveries)
        .where(_COLUMNS.id == recovery.id, _COLUMNS.version == recovery.version)
        .values(**{**_values(recovery), "version": recovery.version + 1})
    )
    if done.rowcount != 1:
        raise Conflict("key-recovery.changed", "somebody else decided meanwhile; look again")


def find(connection: Connection, identifier: str) -> Recovery:
    """Raises NotFound `key-recovery.unknown`."""
    query = select(*_LIGHT).where(_COLUMNS.id == identifier)
    row = connection.execute(query).one_or_none() if _ID.fullmatch(identifier) else None
    if row is None:
        raise NotFound("key-recovery.unknown", "no such recovery")
    return _recovery(row)


def evidence(connection: Connection, identifier: str) -> bytes:
    """The order's PDF. Raises NotFound `key-recovery.unknown`, `key-recovery.no-evidence`."""
    query = select(_COLUMNS.evidence).where(_COLUMNS.id == identifier)
    row = connection.execute(query).one_or_none() if _ID.fullmatch(identifier) else None
    if row is None:
        raise NotFound("key-recovery.unknown", "no such recovery")
    if row.evidence is None:
        raise NotFound("key-recovery.no-evidence", "the holder asked; there is no order")
    return bytes(row.evidence)


def evidence_size(connection: Connection, identifier: str) -> int:
    """Octets of the order's PDF; 0 without one."""
    query = select(func.length(_COLUMNS.evidence)).where(_COLUMNS.id == identifier)
    return connection.execute(query).scalar() or 0


def listed(
    connection: Connection, wanted: Wanted, after: str | None = None
) -> tuple[list[Recovery], str | None]:
    """At most PAGE of them, and the id after which more follow; None: that is all.

    What waits comes oldest first, everything else newest first. `after`: an id of the same list.
    Raises NotFound `key-recovery.unknown`.
    """
    place = tuple_(_COLUMNS.requested_at, _COLUMNS.id)
    oldest_first = wanted.state is RecoveryState.REQUESTED
    query = select(*_LIGHT).where(*_conditions(wanted))
    if after is not None:
        last = find(connection, after)
        # With their types: SQLite keeps times as text of its own shape.
        here = tuple_(
            literal(last.requested_at, _COLUMNS.requested_at.type),
            literal(last.id, _COLUMNS.id.type),
        )
        query = query.where(place > here if oldest_first else place < here)
    order = [_COLUMNS.requested_at, _COLUMNS.id]
    query = query.order_by(*(order if oldest_first else [each.desc() for each in order]))
    rows = connection.execute(query.limit(PAGE + 1)).all()
    found = [_recovery(row) for row in rows[:PAGE]]
    return found, found[-1].id if len(rows) > PAGE else None


def count_by_state(connection: Connection) -> dict[str, int]:
    """Every state, also those of which there are none."""
    query = select(_COLUMNS.state, func.count()).group_by(_COLUMNS.state)
    counts = {row[0]: row[1] for row in connection.execute(query)}
    return {str(state): counts.get(state, 0) for state in RecoveryState}


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        conditions.append(_COLUMNS.state == wanted.state)
    if wanted.ground is not None:
        conditions.append(_COLUMNS.ground == wanted.ground)
    if wanted.text and not wanted.text.isprintable():
        conditions.append(false())
    elif wanted.text:
        keys = select(escrowed_keys.c.id).where(
            or_(escrowed_keys.c.card == wanted.text, escrowed_keys.c.serial == wanted.text.upper())
        )
        conditions.append(
            or_(
                _COLUMNS.order_number == wanted.text,
                _COLUMNS.id == wanted.text,
                _COLUMNS.key_id.in_(keys),
            )
        )
    return conditions


def _values(recovery: Recovery) -> dict[str, Any]:
    order = recovery.order
    return {
        "ground": recovery.ground,
        "state": recovery.state,
        "key_id": recovery.key_id,
        "requested_by": recovery.requested_by,
        "requested_at": recovery.requested_at,
        "reason": recovery.reason,
        "transport_key": recovery.transport_key,
        "signing_certificate": recovery.signing_certificate,
        "order_number": order and order.number,
        "ordered_by": order and order.issued_by,
        "evidence_sha256": order and order.evidence_sha256,
        "decided_by": recovery.decided_by,
        "decided_at": recovery.decided_at,
        "decision_reason": recovery.decision_reason,
        "deliveries": recovery.deliveries,
        "version": recovery.version,
    }


def _recovery(row: Any) -> Recovery:
    order = None
    if row.order_number is not None:
        order = Order(row.order_number, row.ordered_by, row.evidence_sha256)
    signing = row.signing_certificate
    return Recovery(
        id=row.id,
        ground=Ground(row.ground),
        state=RecoveryState(row.state),
        key_id=row.key_id,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        reason=row.reason,
        transport_key=bytes(row.transport_key),
        signing_certificate=None if signing is None else bytes(signing),
        order=order,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        decision_reason=row.decision_reason,
        deliveries=row.deliveries,
        version=row.version,
    )
