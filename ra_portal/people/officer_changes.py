"""Officers get other roles or another branch, or leave, or an administrator's card ends: one
administrator proposes, another officer confirms (docs/decisions/0054-changes-of-officers.md, 0058).

Portal pages read roles and branch with every request, so a change counts from the next one on; the
officer's sessions end nevertheless, for platforms were told the roles at sign-in. What takes an
officer out at once is not this but freezing the card, which one person does; or revoking it, where
the officer appoints nobody.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.refusals import Conflict, Forbidden, NotFound, Unprocessable
from policies.permissions import permissions
from ra_portal import fields
from ra_portal.applications.assignments import Assignments
from ra_portal.cards import appointers, card_rows
from ra_portal.cards.card import Card
from ra_portal.cards.card_moves import LONGEST_REASON
from ra_portal.cards.cards import Cards, read_reason
from ra_portal.people import branches, officer_change, people_rows
from ra_portal.people.identity import HolderKind, Identity, Role
from ra_portal.people.officer_change import ChangeState, OfficerChange
from ra_portal.people.officers import read_branch, read_roles
from ra_portal.people.people import Officer
from records import named_lock
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

_OFFICERS = "officers"
"""Held while a change is carried out, so that two administrators cannot go at once."""


@dataclass(frozen=True)
class WaitingChange:
    """A proposal, as who may decide it reads it."""

    change: OfficerChange
    name: str
    """Of the officer concerned."""
    proposer: str
    may_confirm: bool
    """Whether the reader is the second person that it waits for."""
    may_refuse: bool


class OfficerChanges:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        cards: Cards,
        assignments: Assignments,
        on_officer_changed: Callable[[Card], None] = lambda card: None,
    ) -> None:
        """`on_officer_changed` ends the sessions of the card of an officer who is another now."""
        self._database = database
        self._journal = journal
        self._clock = clock
        self._cards = cards
        self._assignments = assignments
        self._on_officer_changed = on_officer_changed

    def show(self, by: Identity, identifier: str) -> Officer:
        """Raises Forbidden `role.missing`, NotFound `officer.unknown`."""
        by.require("officer.read")
        with self._database.reading() as connection:
            return people_rows.officer(connection, identifier)

    def roles_like(self, officer: Officer) -> list[str]:
        """Those that the officer could have: of the same family."""
        return [each.code for each in permissions().roles if each.family == officer.family]

    def propose(
        self, by: Identity, identifier: str, roles: Iterable[str], branch: str, why: str
    ) -> OfficerChange:
        """Other roles, another branch (its code; empty: the head office), or both.

        Raises Forbidden `role.missing`, `officer.own`, NotFound `officer.unknown`, Conflict
        `officer.retired`, `officer.change-waits`, `officer.last-administrator`, Unprocessable
        `change.nothing`, `fields.InvalidFields` (`roles` also for `officer.other-family`).
        """
        with self._database.transaction() as connection:
            before = self._changeable(connection, by, identifier)
            reader = fields.FieldReader({"why": why})
            reason = reader.read("why", fields.text(LONGEST_REASON))
            named = reader.attempt("roles", lambda: _same_family(before, roles))
            place = reader.attempt(
                "branch", lambda: read_branch(connection, branch, named or frozenset())
            )
            reader.finish()
            assert named is not None
            if (named, place) == (before.roles, before.branch_id):
                raise Unprocessable("change.nothing", "nothing would change")
            after = replace(before, roles=named, branch_id=place)
            return self._put(connection, by, before, after, reason)

    def propose_leaving(self, by: Identity, identifier: str, why: str) -> OfficerChange:
        """The officer leaves for good. Raises as `propose`."""
        with self._database.transaction() as connection:
            before = self._changeable(connection, by, identifier)
            reader = fields.FieldReader({"why": why})
            reason = reader.read("why", fields.text(LONGEST_REASON))
            reader.finish()
            after = replace(before, retired_at=self._clock.now())
            return self._put(connection, by, before, after, reason)

    def propose_card_end(self, by: Identity, number: str, reason: str, why: str) -> OfficerChange:
        """An officer's card is revoked for good, for a reason of `cards.REASONS`; the officer
        stays, and may get another. Until it is decided, the card can be frozen.

        Raises as `propose`, NotFound `card.unknown`, Conflict `card.state`; `fields.InvalidFields`
        names `reason` for `card.reason`.
        """
        with self._database.transaction() as connection:
            card = card_rows.by_number(connection, number)
            if card.holder.kind is not HolderKind.OFFICER:
                raise NotFound("officer.unknown", "there is no such officer")
            before = self._changeable(connection, by, card.holder.id)
            reader = fields.FieldReader({"why": why})
            told = reader.read("why", fields.text(LONGEST_REASON))
            named = reader.attempt("reason", lambda: read_reason(reason))
            reader.finish()
            card.require_made()
            return self._put(connection, by, before, before, told, card.number, str(named))

    def waiting(self, by: Identity) -> list[WaitingChange]:
        """Undecided changes that the officer's branch may see, oldest first.

        Raises Forbidden `role.missing`.
        """
        by.require("officer.change.read")
        with self._database.reading() as connection:
            found = [
                each
                for each in officer_change.waiting(connection)
                if by.branch is None or by.branch in (each.branch_before, each.branch_id)
            ]
            concerned = [name for each in found for name in (each.officer_id, each.proposed_by)]
            names = people_rows.officer_names(connection, concerned)
        return [
            WaitingChange(
                each,
                names.get(each.officer_id, ""),
                names.get(each.proposed_by, ""),
                _may_confirm(by, each) and each.proposed_by != by.subject,
                _may_confirm(by, each) or each.proposed_by == by.subject,
            )
            for each in found
        ]

    def confirm(self, by: Identity, identifier: str) -> OfficerChange:
        """Carry it out: roles and branch change, or the officer leaves and the card is revoked, or
        the card alone; applications that the officer may not look after any more go back into the
        queue.

        Raises Forbidden `role.missing`, `branch.foreign`, `officer.own`, `approval.same-officer`,
        NotFound `officer.change-unknown`, Conflict `officer.change-decided`, `officer.changed`,
        `officer.proposer-left`, `officer.last-administrator`, `card.state`.
        """
        with self._database.transaction() as connection:
            named_lock.take(connection, _OFFICERS)
            change = officer_change.find(connection, identifier)
            _require_second(by, change)
            people_rows.lock_officer(connection, change.officer_id)
            before = people_rows.officer(connection, change.officer_id)
            if not change.is_of(before):
                raise Conflict("officer.changed", "the officer has changed since: propose it anew")
            now = self._clock.now()
            after = replace(
                before,
                roles=change.roles,
                branch_id=change.branch_id,
                retired_at=now if change.retires else None,
            )
            _require_appointer_left(connection, before, after, change.ends_card)
            _require_proposer(connection, change, before)
            if change.ends_card is None:
                people_rows.change_officer(connection, after)
            else:
                card_rows.by_number(connection, change.ends_card).require_made()
            change = officer_change.decide(
                connection, change, ChangeState.CONFIRMED, by.subject, now
            )
            given_back = self._assignments.give_back(connection, before, after, by.actor)
            self._record(connection, _event(change), change, by.actor, given_back=given_back)
            card = card_rows.find_live(connection, before.holder)
        if card is not None:
            self._on_officer_changed(card)
        if change.retires:
            self._cards.end_of_retired()
        if change.ends_card is not None:
            self._cards.end_as_confirmed()
        return change

    def refuse(self, by: Identity, identifier: str) -> OfficerChange:
        """Who proposed may take it back. Raises as `confirm`, but for what is only then wrong."""
        with self._database.transaction() as connection:
            change = officer_change.find(connection, identifier)
            if change.proposed_by != by.subject:
                _require_confirming(by, change)
            change = officer_change.decide(
                connection, change, ChangeState.REFUSED, by.subject, self._clock.now()
            )
            self._record(connection, Event.OFFICER_CHANGE_REFUSED, change, by.actor)
        return change

    def _changeable(self, connection: Connection, by: Identity, identifier: str) -> Officer:
        by.require("officer.change.read")
        officer = people_rows.officer(connection, identifier[:32])
        by.require(f"officer.{officer.family}.manage")
        if officer.id == by.subject:
            raise _own()
        officer.require_here()
        return officer

    def _put(
        self,
        connection: Connection,
        by: Identity,
        before: Officer,
        after: Officer,
        why: str,
        ends_card: str | None = None,
        end_reason: str | None = None,
    ) -> OfficerChange:
        _require_appointer_left(connection, before, after, ends_card)
        change = OfficerChange(
            id=new_id(),
            officer_id=before.id,
            state=ChangeState.PROPOSED,
            retires=after.retired_at is not None,
            roles=after.roles,
            branch_id=after.branch_id,
            roles_before=before.roles,
            branch_before=before.branch_id,
            why=why,
            proposed_by=by.subject,
            proposed_at=self._clock.now(),
            ends_card=ends_card,
            end_reason=end_reason,
        )
        officer_change.add(connection, change)
        self._record(connection, Event.OFFICER_CHANGE_PROPOSED, change, by.actor)
        return change

    def _record(
        self,
        connection: Connection,
        event: Event,
        change: OfficerChange,
        actor: str,
        **facts: int,
    ) -> None:
        told = {
            "roles": people_rows.write_roles(change.roles),
            "roles_before": people_rows.write_roles(change.roles_before),
            "branch": _code(connection, change.branch_id),
            "branch_before": _code(connection, change.branch_before),
            "card": change.ends_card,
            "card_reason": change.end_reason,
        }
        self._journal.append(
            connection,
            event,
            subject=f"officer:{change.officer_id}",
            actor=actor,
            change=change.id,
            proposed_by=f"officer:{change.proposed_by}",
            retires=change.retires,
            reason=change.why,
            **told,
            **facts,
        )


def _same_family(before: Officer, roles: Iterable[str]) -> frozenset[Role]:
    """Raises as `read_roles`; Unprocessable `officer.other-family`."""
    named = read_roles(roles)
    if permissions().families_of(named) != {before.family}:
        raise Unprocessable(
            "officer.other-family",
            "business, system and audit stay different people's: appoint somebody else",
        )
    return named


def _may_confirm(by: Identity, change: OfficerChange) -> bool:
    """Whether somebody who did not propose it may, by roles and branch."""
    (family,) = permissions().families_of(change.roles)
    own_branch = by.branch is None or {by.branch} == {change.branch_before, change.branch_id}
    return by.may(f"officer.{family}.confirm") and own_branch and change.officer_id != by.subject


def _require_confirming(by: Identity, change: OfficerChange) -> None:
    (family,) = permissions().families_of(change.roles)
    by.require("officer.change.read")
    by.require(f"officer.{family}.confirm")
    for branch_id in (change.branch_before, change.branch_id):
        branches.require_branch(by, branch_id)
    if change.officer_id == by.subject:
        raise _own()


def _require_second(by: Identity, change: OfficerChange) -> None:
    _require_confirming(by, change)
    if change.proposed_by == by.subject:
        raise Forbidden("approval.same-officer", "another officer must confirm what you proposed")


def _require_proposer(connection: Connection, change: OfficerChange, concerned: Officer) -> None:
    """Who has lost the role, or left, proposes nothing any more."""
    proposer = people_rows.officer(connection, change.proposed_by)
    manages = permissions().allows(proposer.roles, f"officer.{concerned.family}.manage")
    here = card_rows.find_live(connection, proposer.holder) is not None
    if not manages or proposer.retired_at is not None or not here:
        raise Conflict(
            "officer.proposer-left", "who proposed this may not do so any more: propose it anew"
        )


def _require_appointer_left(
    connection: Connection, before: Officer, after: Officer, ends_card: str | None
) -> None:
    """Raises Conflict `officer.last-administrator`."""
    gone = after.retired_at is not None or ends_card is not None
    appointers.require_left(connection, before, frozenset() if gone else after.roles)


def _event(change: OfficerChange) -> Event:
    if change.ends_card is not None:
        return Event.OFFICER_CARD_END_CONFIRMED
    return Event.OFFICER_RETIRED if change.retires else Event.OFFICER_CHANGED


def _code(connection: Connection, branch_id: str | None) -> str | None:
    branch = branches.by_id(connection, branch_id)
    return None if branch is None else branch.code


def _own() -> Forbidden:
    return Forbidden("officer.own", "nobody decides on the own roles")
