"""A change of an enterprise's or operator's data: proposed by one, approved by another officer.

What stands in certificates is then no longer true: the cards concerned are to be renewed within
the policy's days, from the card and without an officer, and are revoked as superseded after them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from kernel.clock import Clock
from kernel.identifiers import parse_customs_code
from kernel.refusals import Conflict, Forbidden, NotFound, Unprocessable
from policies.card_life import CardLifePolicy
from ra_portal import fields
from ra_portal.applications.application import LONGEST_NAME
from ra_portal.applications.tables import data_changes
from ra_portal.cards import card_moves, card_rows
from ra_portal.cards.card import Card, Holder
from ra_portal.cards.card_moves import LONGEST_REASON, Evidence, EvidenceKind, Move
from ra_portal.keyset import Cut, Place
from ra_portal.keyset_rows import oldest_first
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices
from ra_portal.notices.times import day
from ra_portal.people import branches, name_search, people_rows
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import HolderKind, Identity
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

_FIELDS = {
    HolderKind.LEGAL_PERSON: {
        "name": fields.text(LONGEST_NAME),
        "legal_representative": fields.text(LONGEST_NAME),
        "region": fields.text(80),
        "customs_code": parse_customs_code,
    },
    HolderKind.OPERATOR: {"name": fields.text(LONGEST_NAME)},
}
PAGE_LENGTH = 20
"""Changes on one page of those that wait."""
_CERTIFIED = frozenset({"name"})
"""Fields that stand in certificates."""


class ChangeState(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True)
class DataChange:
    id: str
    holder: Holder
    state: ChangeState
    changes: Mapping[str, str]
    before: Mapping[str, str]
    why: str
    proposed_by: str
    """Actor, as the journal names it."""
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None


class DataChanges:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        contacts: Contacts,
        notices: Notices,
        policy: CardLifePolicy,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._contacts = contacts
        self._notices = notices
        self._grace = policy.renewal.grace

    def propose(
        self, by: Identity, holder: Holder, values: Mapping[str, object], why: str
    ) -> DataChange:
        """An enterprise for itself and its operators, or an officer who registers.

        Raises Forbidden `role.missing`, `legal-person.required`, NotFound, `fields.InvalidFields`,
        Conflict `change.waiting`, Unprocessable `change.nothing`.
        """
        reason = fields.text(LONGEST_REASON)(fields.paragraph(why, LONGEST_REASON))
        now = self._clock.now()
        with self._database.transaction() as connection:
            current = self._current(connection, by, holder)
            changes = _read(holder, values, current)
            change = DataChange(
                id=new_id(),
                holder=holder,
                state=ChangeState.PROPOSED,
                changes=changes,
                before={name: current[name] for name in changes},
                why=reason,
                proposed_by=by.actor,
                proposed_at=now,
                decided_by=None,
                decided_at=None,
            )
            _add(connection, change)
            self._record(connection, Event.DATA_CHANGE_PROPOSED, change, by)
        return change

    def waiting(
        self, by: Identity, after: Place | None = None, backwards: bool = False
    ) -> Cut[DataChange]:
        """Undecided ones that the officer's branch may see, a page of them, oldest first.

        Raises Forbidden `role.missing`.
        """
        by.require("application.read")
        query = select(data_changes).where(
            data_changes.c.state == str(ChangeState.PROPOSED),
            branches.seen_by(by, data_changes.c.holder_kind, data_changes.c.holder_id),
        )
        place = (data_changes.c.proposed_at, data_changes.c.id)
        with self._database.reading() as connection:
            page = oldest_first(connection, query, *place, PAGE_LENGTH, after, backwards)
        return Cut([_change(row) for row in page.shown], page.earlier, page.later)

    def approve(self, by: Identity, identifier: str) -> DataChange:
        """The data change, and the cards concerned are to be renewed.

        Raises Forbidden `role.missing`, `approval.same-officer`, NotFound `change.unknown`,
        Conflict `change.decided`.
        """
        by.require("application.approve")
        with self._database.transaction() as connection:
            change = _undecided(connection, identifier)
            branches.require_holder(connection, by, change.holder)
            if change.proposed_by == by.actor:
                raise Forbidden(
                    "approval.same-officer", "another officer must confirm what you proposed"
                )
            if change.holder.kind is HolderKind.OPERATOR:
                people_rows.change_operator(connection, change.holder.id, change.changes)
            else:
                people_rows.change_enterprise(connection, change.holder.id, change.changes)
                self._remember_name(connection, change)
            self._decide(connection, change, ChangeState.APPROVED, by)
            self._record(connection, Event.DATA_CHANGE_APPROVED, change, by)
            if _CERTIFIED & change.changes.keys():
                for card in card_rows.made_of(connection, change.holder):
                    self._demand_renewal(connection, card, change, by)
        return change

    def refuse(self, by: Identity, identifier: str) -> DataChange:
        """Raises as `approve`, but for the same officer."""
        by.require_one_of("application.approve", "application.register")
        with self._database.transaction() as connection:
            change = _undecided(connection, identifier)
            branches.require_holder(connection, by, change.holder)
            self._decide(connection, change, ChangeState.REFUSED, by)
            self._record(connection, Event.DATA_CHANGE_REFUSED, change, by)
        return change

    def _current(self, connection: Connection, by: Identity, holder: Holder) -> dict[str, str]:
        """The data as they are, for somebody who may propose a change of them."""
        officer = by.kind is HolderKind.OFFICER
        enterprise_id = None
        if officer:
            by.require("application.register")
            branches.require_holder(connection, by, holder)
        else:
            enterprise_id = by.require_legal_person()
        if holder.kind is HolderKind.OPERATOR:
            return {"name": people_rows.operator(connection, holder.id, enterprise_id).name}
        if holder.kind is not HolderKind.LEGAL_PERSON or enterprise_id not in (None, holder.id):
            raise NotFound("enterprise.unknown", "there is no such enterprise")
        found = people_rows.enterprise(connection, holder.id)
        found.require_active()
        return {name: getattr(found, name) for name in _FIELDS[HolderKind.LEGAL_PERSON]}

    def _demand_renewal(
        self, connection: Connection, card: Card, change: DataChange, by: Identity
    ) -> None:
        now = self._clock.now()
        until = now + self._grace
        due = card.must_be_renewed(until)
        card_rows.save(connection, due)
        decision = {"change": change.id, "proposed_by": change.proposed_by, "approved_by": by.actor}
        evidence = Evidence(EvidenceKind.DECISION, json.dumps(decision, sort_keys=True).encode())
        card_moves.record(
            connection, self._journal, Move.RENEWAL_DUE, due, now, by.actor, change.why, evidence
        )
        contact = self._contacts.of(connection, card.holder)
        values = {"card": card.number, "date": day(until)}
        for channel in Channel:
            to = contact.at(channel)
            if to is not None:
                self._notices.put(connection, channel, to, "renewal-due", values, about=card.number)

    def _remember_name(self, connection: Connection, change: DataChange) -> None:
        """Searches find the enterprise by its new name."""
        if "name" in change.changes:
            uscc = people_rows.enterprise(connection, change.holder.id).uscc
            name_search.ENTERPRISES.remember(connection, uscc, change.changes["name"])

    def _decide(
        self, connection: Connection, change: DataChange, state: ChangeState, by: Identity
    ) -> None:
        values = {
            "state": str(state),
            "live_holder": None,
            "decided_by": by.actor,
            "decided_at": self._clock.now(),
        }
        open_one = (data_changes.c.id == change.id) & (
            data_changes.c.state == str(ChangeState.PROPOSED)
        )
        if connection.execute(update(data_changes).where(open_one).values(values)).rowcount != 1:
            raise _decided()

    def _record(
        self, connection: Connection, event: Event, change: DataChange, by: Identity
    ) -> None:
        self._journal.append(
            connection,
            event,
            subject=str(change.holder),
            actor=by.actor,
            change=change.id,
            fields=",".join(sorted(change.changes)),
            reason=change.why,
        )


def _read(
    holder: Holder, values: Mapping[str, object], current: Mapping[str, str]
) -> dict[str, str]:
    reader = fields.FieldReader(values)
    wanted = {name: reader.optional(name, parse) for name, parse in _FIELDS[holder.kind].items()}
    reader.finish()
    changes = {
        name: value
        for name, value in wanted.items()
        if value is not None and value != current[name]
    }
    if not changes:
        raise Unprocessable("change.nothing", "nothing would change")
    return changes


def _add(connection: Connection, change: DataChange) -> None:
    values = {
        "id": change.id,
        "holder_kind": str(change.holder.kind),
        "holder_id": change.holder.id,
        "live_holder": str(change.holder),
        "state": str(change.state),
        "changes": json.dumps(change.changes, ensure_ascii=False),
        "before": json.dumps(change.before, ensure_ascii=False),
        "why": change.why,
        "proposed_by": change.proposed_by,
        "proposed_at": change.proposed_at,
    }
    try:
        connection.execute(insert(data_changes), values)
    except IntegrityError as error:
        raise Conflict("change.waiting", "an earlier change waits for its decision") from error


def _undecided(connection: Connection, identifier: str) -> DataChange:
    row = connection.execute(
        select(data_changes).where(data_changes.c.id == identifier[:32])
    ).one_or_none()
    if row is None:
        raise NotFound("change.unknown", "there is no such change of data")
    change = _change(row)
    if change.state is not ChangeState.PROPOSED:
        raise _decided()
    return change


def _decided() -> Conflict:
    return Conflict("change.decided", "this change is decided already")


def _change(row: Any) -> DataChange:
    return DataChange(
        id=row.id,
        holder=Holder(HolderKind(row.holder_kind), row.holder_id),
        state=ChangeState(row.state),
        changes=json.loads(row.changes),
        before=json.loads(row.before),
        why=row.why,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
