"""Requests for recovery and the approvals given to them, as rows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from kernel.refusals import Conflict, NotFound
from ra_portal.cards.card import Holder
from ra_portal.cards.tables import recoveries
from ra_portal.keyset import Cut, Place
from ra_portal.keyset_rows import oldest_first
from ra_portal.people import branches
from ra_portal.people.contact import Contact
from ra_portal.people.contacts import KnownContact
from ra_portal.people.identity import HolderKind, Identity
from records.database import new_id


class RecoveryState(StrEnum):
    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"


@dataclass(frozen=True)
class Approval:
    officer: str
    at: str
    note: str
    """What the officer checked."""


@dataclass(frozen=True)
class RecoveryCase:
    id: str
    card: str
    enterprise_id: str
    enterprise_name: str
    state: RecoveryState
    why: str
    asked_at: datetime
    approvals: tuple[Approval, ...]
    needed: int
    contact: Contact
    """Masked; where the halves would go."""
    contact_changed_at: datetime | None
    """A recent change is a reason to call back on another number; it takes one officer more."""
    mail_refused_at: datetime | None
    """Since when the mail server refuses the address: that half would not arrive."""
    contact_set_by: frozenset[str]
    """Actors who have no say in it."""


def insert_asked(
    connection: Connection, card: str, enterprise_id: str, why: str, at: datetime
) -> bool:
    """False: an undecided request of the enterprise is there already."""
    values = {
        "id": new_id(),
        "card": card,
        "enterprise_id": enterprise_id,
        "open_enterprise": enterprise_id,
        "state": str(RecoveryState.ASKED),
        "why": why,
        "asked_at": at,
        "approvals": "[]",
    }
    try:
        with connection.begin_nested():
            connection.execute(insert(recoveries), values)
    except IntegrityError:
        return False
    return True


def asked(
    connection: Connection, by: Identity, length: int, after: Place | None, backwards: bool
) -> Cut[Row[Any]]:
    """A page of the undecided ones that the officer's branch may see, oldest first."""
    query = select(recoveries).where(
        recoveries.c.state == str(RecoveryState.ASKED),
        branches.seen_by(by, literal(str(HolderKind.LEGAL_PERSON)), recoveries.c.enterprise_id),
    )
    place = (recoveries.c.asked_at, recoveries.c.id)
    return oldest_first(connection, query, *place, length, after, backwards)


def unsettled(connection: Connection, behind: str, limit: int) -> list[Row[Any]]:
    """`id, card` of granted ones whose old card may still be good, behind an id."""
    query = (
        select(recoveries.c.id, recoveries.c.card)
        .where(recoveries.c.state == str(RecoveryState.GRANTED), recoveries.c.id > behind)
        .where(recoveries.c.settled_at.is_(None))
        .order_by(recoveries.c.id)
        .limit(limit)
    )
    return list(connection.execute(query))


def asked_in_a_day(connection: Connection, enterprise_id: str, now: datetime) -> int:
    """How often recovery was asked for this enterprise."""
    query = select(func.count()).where(
        recoveries.c.enterprise_id == enterprise_id,
        recoveries.c.asked_at > now - timedelta(days=1),
    )
    return connection.execute(query).scalar_one()


def by_id(connection: Connection, identifier: str) -> Row[Any]:
    return connection.execute(select(recoveries).where(recoveries.c.id == identifier)).one()


def locked(connection: Connection, identifier: str) -> Row[Any]:
    """An undecided one, kept from others until the transaction ends.

    Raises NotFound `recovery.unknown`, Conflict `recovery.decided`.
    """
    query = select(recoveries).where(recoveries.c.id == identifier[:32]).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("recovery.unknown", "there is no such request")
    if row.state != str(RecoveryState.ASKED):
        raise Conflict("recovery.decided", "this request is decided already")
    return row


def store_approvals(
    connection: Connection, identifier: str, given: Sequence[Any], granted: bool
) -> None:
    values: dict[str, object] = {"approvals": json.dumps(given, ensure_ascii=False)}
    if granted:
        values |= {"state": str(RecoveryState.GRANTED), "open_enterprise": None}
    connection.execute(update(recoveries).where(recoveries.c.id == identifier).values(values))


def store_refused(connection: Connection, identifier: str) -> None:
    values = {"state": str(RecoveryState.REFUSED), "open_enterprise": None}
    connection.execute(update(recoveries).where(recoveries.c.id == identifier).values(values))


def store_settled(connection: Connection, identifier: str, at: datetime) -> None:
    mine = update(recoveries).where(recoveries.c.id == identifier)
    connection.execute(mine.values(settled_at=at))


def approvals_that_hold(row: Any, known: KnownContact) -> list[dict[str, str]]:
    """The approvals that hold: given for the contact as it is now."""
    given: list[dict[str, str]] = json.loads(row.approvals)
    since = known.changed_at
    if since is None:
        return given
    return [each for each in given if datetime.fromisoformat(each["at"]) >= since]


def holder_of(row: Any) -> Holder:
    return Holder(HolderKind.LEGAL_PERSON, row.enterprise_id)
