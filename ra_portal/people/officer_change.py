"""A change of an officer: other roles, another branch, leaving for good, or the end of a card."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from kernel.refusals import Conflict, NotFound
from ra_portal.cards.tables import cards
from ra_portal.people import people_rows
from ra_portal.people.identity import Role
from ra_portal.people.people import Officer
from ra_portal.people.tables import officer_changes

MOST_WAITING = 500
"""Of an authority that has some hundreds of officers, each with one at most."""


class ChangeState(StrEnum):
    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True)
class OfficerChange:
    id: str
    officer_id: str
    state: ChangeState
    retires: bool
    """The officer leaves; roles and branch stay as they were."""
    roles: frozenset[Role]
    """After the change."""
    branch_id: str | None
    roles_before: frozenset[Role]
    """When it was proposed."""
    branch_before: str | None
    why: str
    proposed_by: str
    """Id of an officer."""
    proposed_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    ends_card: str | None = None
    """The number of the officer's card that is revoked, all else as it was; None: no card's end."""
    end_reason: str | None = None
    """CRLReason in RFC 5280's spelling."""

    def is_of(self, officer: Officer) -> bool:
        """Whether the officer is still as the proposal found this one."""
        before = (self.roles_before, self.branch_before, None)
        return before == (officer.roles, officer.branch_id, officer.retired_at)


def add(connection: Connection, change: OfficerChange) -> None:
    """Raises Conflict `officer.change-waits`."""
    values = {name: getattr(change, name) for name in OfficerChange.__dataclass_fields__}
    told = {name: people_rows.write_roles(values[name]) for name in ("roles", "roles_before")}
    row = {**values, **told, "state": str(change.state), "live_officer": change.officer_id}
    try:
        connection.execute(insert(officer_changes), row)
    except IntegrityError as error:
        raise Conflict(
            "officer.change-waits", "an earlier change of this officer waits for its decision"
        ) from error


def find(connection: Connection, identifier: str) -> OfficerChange:
    """One that waits, locked until the transaction ends.

    Raises NotFound `officer.change-unknown`, Conflict `officer.change-decided`.
    """
    mine = officer_changes.c.id == identifier[:32]
    row = connection.execute(select(officer_changes).where(mine).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("officer.change-unknown", "there is no such change of an officer")
    if row.state != str(ChangeState.PROPOSED):
        raise Conflict("officer.change-decided", "this change is decided already")
    return _change(row)


def waiting(connection: Connection) -> list[OfficerChange]:
    """Undecided ones, oldest first."""
    query = (
        select(officer_changes)
        .where(officer_changes.c.state == str(ChangeState.PROPOSED))
        .order_by(officer_changes.c.proposed_at, officer_changes.c.id)
        .limit(MOST_WAITING)
    )
    return [_change(row) for row in connection.execute(query)]


def endings(connection: Connection) -> list[OfficerChange]:
    """Confirmed ends of cards that are still in use: they are about to be revoked."""
    query = (
        select(officer_changes)
        .join(cards, cards.c.number == officer_changes.c.ends_card)
        .where(
            officer_changes.c.state == str(ChangeState.CONFIRMED), cards.c.live_holder.is_not(None)
        )
        .order_by(officer_changes.c.decided_at, officer_changes.c.id)
    )
    return [_change(row) for row in connection.execute(query)]


def decide(
    connection: Connection, change: OfficerChange, state: ChangeState, by: str, at: datetime
) -> OfficerChange:
    values = {"state": str(state), "live_officer": None, "decided_by": by, "decided_at": at}
    connection.execute(
        update(officer_changes).where(officer_changes.c.id == change.id).values(values)
    )
    return replace(change, state=state, decided_by=by, decided_at=at)


def _change(row: Any) -> OfficerChange:
    told = {name: getattr(row, name) for name in OfficerChange.__dataclass_fields__}
    roles: Sequence[str] = ("roles", "roles_before")
    read = {name: people_rows.stored_roles(told[name]) for name in roles}
    return OfficerChange(**{**told, **read, "state": ChangeState(row.state)})
