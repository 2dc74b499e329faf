"""Recoveries as rows."""

from typing import Any

from sqlalchemy import Connection, insert, select, update

from kernel.refusals import Conflict, NotFound
from key_centre.recovery import Ground, Order, Recovery, RecoveryState
from key_centre.tables import recoveries

PAGE = 50
_COLUMNS = recoveries.c
_LIGHT = [column for column in recoveries.columns if column is not recoveries.c.evidence]
"""The evidence is up to 4 MiB, and `evidence` alone reads it."""


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
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("key-recovery.unknown", "no such recovery")
    return _recovery(row)


def evidence(connection: Connection, identifier: str) -> bytes:
    """The order's PDF. Raises NotFound `key-recovery.unknown`, `key-recovery.no-evidence`."""
    query = select(_COLUMNS.evidence).where(_COLUMNS.id == identifier)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("key-recovery.unknown", "no such recovery")
    if row.evidence is None:
        raise NotFound("key-recovery.no-evidence", "the holder asked; there is no order")
    return bytes(row.evidence)


def waiting(connection: Connection, state: RecoveryState) -> list[Recovery]:
    """At most PAGE of them, oldest first."""
    query = select(*_LIGHT).where(_COLUMNS.state == state)
    rows = connection.execute(query.order_by(_COLUMNS.requested_at).limit(PAGE))
    return [_recovery(row) for row in rows]


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
