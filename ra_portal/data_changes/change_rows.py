"""Changes of data in the database."""

import json
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from kernel.refusals import Conflict, NotFound
from ra_portal.cards.card import Holder
from ra_portal.data_changes.change import ChangeState, DataChange
from ra_portal.data_changes.tables import data_changes
from ra_portal.keyset import Cut, Place
from ra_portal.keyset_rows import oldest_first
from ra_portal.people import branches
from ra_portal.people.identity import HolderKind, Identity

_SAME = (
    "id", "reference", "why", "licence_id", "proposed_by", "proposed_at", "decided_by",
    "decided_at", "reasons",
)  # fmt: skip


def add(connection: Connection, change: DataChange) -> None:
    """Raises Conflict `change.waiting`."""
    values = {
        **{name: getattr(change, name) for name in _SAME},
        "holder_kind": str(change.holder.kind),
        "holder_id": change.holder.id,
        "live_holder": str(change.holder),
        "state": str(change.state),
        "changes": json.dumps(dict(change.changes), ensure_ascii=False),
        "before": json.dumps(dict(change.before), ensure_ascii=False),
    }
    try:
        connection.execute(insert(data_changes), values)
    except IntegrityError as error:
        raise Conflict("change.waiting", "an earlier change waits for its decision") from error


def by_id(connection: Connection, identifier: str) -> DataChange:
    """Raises NotFound `change.unknown`."""
    query = select(data_changes).where(data_changes.c.id == identifier[:32])
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("change.unknown", "there is no such change of data")
    return _change(row)


def undecided(connection: Connection, identifier: str) -> DataChange:
    """Raises NotFound `change.unknown`, Conflict `change.decided`."""
    change = by_id(connection, identifier)
    if change.state is not ChangeState.PROPOSED:
        raise _decided()
    return change


def decide(connection: Connection, change: DataChange) -> None:
    """Store the decision. Raises Conflict `change.decided`."""
    values = {
        "state": str(change.state),
        "live_holder": None,
        "decided_by": change.decided_by,
        "decided_at": change.decided_at,
        "reasons": change.reasons,
        "remarks": json.dumps(dict(change.remarks)) if change.remarks else None,
    }
    open_one = (data_changes.c.id == change.id) & (
        data_changes.c.state == str(ChangeState.PROPOSED)
    )
    if connection.execute(update(data_changes).where(open_one).values(values)).rowcount != 1:
        raise _decided()


def waiting(
    connection: Connection, by: Identity, length: int, after: Place | None, backwards: bool
) -> Cut[DataChange]:
    """Undecided ones that the officer's branch may see, a page of them, oldest first."""
    query = select(data_changes).where(
        data_changes.c.state == str(ChangeState.PROPOSED),
        branches.seen_by(by, data_changes.c.holder_kind, data_changes.c.holder_id),
    )
    place = (data_changes.c.proposed_at, data_changes.c.id)
    page = oldest_first(connection, query, *place, length, after, backwards)
    return Cut([_change(row) for row in page.shown], page.earlier, page.later)


def of_holder(connection: Connection, holder: Holder, limit: int) -> list[DataChange]:
    """The newest first."""
    query = select(data_changes).where(
        data_changes.c.holder_id == holder.id, data_changes.c.holder_kind == str(holder.kind)
    )
    query = query.order_by(data_changes.c.proposed_at.desc(), data_changes.c.id.desc())
    return [_change(row) for row in connection.execute(query.limit(limit))]


def _decided() -> Conflict:
    return Conflict("change.decided", "this change is decided already")


def _change(row: Any) -> DataChange:
    return DataChange(
        holder=Holder(HolderKind(row.holder_kind), row.holder_id),
        state=ChangeState(row.state),
        changes=json.loads(row.changes),
        before=json.loads(row.before),
        remarks=json.loads(row.remarks or "{}"),
        **{name: getattr(row, name) for name in _SAME},
    )
