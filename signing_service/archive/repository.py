"""Rows of the archive."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, Row, delete, insert, select, union

from signing_service.archive.accepted import AcceptedSignature, PartRole, StoredPart
from signing_service.ports import Holder
from signing_service.tables import (
    accepted_signatures,
    archived_objects,
    evidence_members,
    evidence_trees,
)

_OWNERS_TOLD = 5
_NOT_FACTS = {"evidence_digest"}
_FACTS = [column for column in accepted_signatures.c if column.name not in _NOT_FACTS]


def insert_signature(
    connection: Connection, accepted: AcceptedSignature, parts: Sequence[StoredPart]
) -> None:
    values = {column.name: getattr(accepted, column.name) for column in _FACTS}
    values["rights"] = json.dumps(accepted.rights)
    connection.execute(insert(accepted_signatures), values)
    rows = [
        {
            "signature_id": accepted.id,
            "position": position,
            "role": str(part.role),
            "sha256": part.sha256,
            "size": part.size,
        }
        for position, part in enumerate(parts)
    ]
    connection.execute(insert(archived_objects), rows)


def find(connection: Connection, signature_id: str) -> AcceptedSignature | None:
    query = select(*_FACTS).where(accepted_signatures.c.id == signature_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _accepted(row)


def of_holder(connection: Connection, holder: Holder, limit: int = 100) -> list[AcceptedSignature]:
    """The newest signatures of one card, newest first."""
    query = (
        select(*_FACTS)
        .where(accepted_signatures.c.card == holder.card)
        .order_by(accepted_signatures.c.accepted_at.desc())
        .limit(limit)
    )
    return [_accepted(row) for row in connection.execute(query)]


def parts(connection: Connection, signature_id: str) -> tuple[StoredPart, ...]:
    """In the order in which they were stored."""
    table = archived_objects
    query = (
        select(table.c.role, table.c.sha256, table.c.size)
        .where(table.c.signature_id == signature_id)
        .order_by(table.c.position)
    )
    rows = connection.execute(query)
    return tuple(StoredPart(PartRole(row.role), row.sha256, row.size) for row in rows)


def signature_with_part(connection: Connection, sha256: str, role: PartRole) -> str | None:
    """The oldest signature that has this object in that role."""
    table = archived_objects
    query = (
        select(table.c.signature_id)
        .join(accepted_signatures, accepted_signatures.c.id == table.c.signature_id)
        .where(table.c.sha256 == sha256, table.c.role == str(role))
        .order_by(accepted_signatures.c.accepted_at)
        .limit(1)
    )
    found: str | None = connection.execute(query).scalar_one_or_none()
    return found


def delete_signature(connection: Connection, signature_id: str) -> None:
    for table in (evidence_members, archived_objects):
        connection.execute(delete(table).where(table.c.signature_id == signature_id))
    connection.execute(delete(accepted_signatures).where(accepted_signatures.c.id == signature_id))


def addresses_after(connection: Connection, after: str, limit: int) -> list[str]:
    """The next addresses that are referred to, in order."""
    columns = (archived_objects.c.sha256, evidence_trees.c.leaves, evidence_trees.c.token)
    every = union(
        *(
            select(column.label("address")).where(column > after).order_by(column).limit(limit)
            .subquery().select()
            for column in columns
        )
    ).subquery()  # fmt: skip
    query = select(every.c.address).order_by(every.c.address).limit(limit)
    return list(connection.execute(query).scalars())


def referenced(connection: Connection, addresses: Sequence[str]) -> set[str]:
    """Those of `addresses` that something refers to."""
    columns = (archived_objects.c.sha256, evidence_trees.c.leaves, evidence_trees.c.token)
    query = union(*(select(column).where(column.in_(addresses)) for column in columns))
    return set(connection.execute(query).scalars())


def owners(connection: Connection, address: str) -> tuple[str, ...]:
    """Signatures that an object belongs to, the first few."""
    query = (
        select(archived_objects.c.signature_id)
        .where(archived_objects.c.sha256 == address)
        .distinct()
        .order_by(archived_objects.c.signature_id)
        .limit(_OWNERS_TOLD)
    )
    return tuple(connection.execute(query).scalars())


def _accepted(row: Row[tuple[object, ...]]) -> AcceptedSignature:
    values = dict(row._mapping)
    values["rights"] = tuple(json.loads(values["rights"]))
    return AcceptedSignature(**values)
