"""A change of an enterprise's or operator's data: proposed by one, approved by another officer.

What stands in certificates is then no longer true: the cards concerned are to be renewed within
the policy's days, from the card and without an officer, and are revoked as superseded after them.
Whoever has charge of the enterprise is told of the decision.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Conflict, Forbidden, NotFound, Unprocessable
from policies.card_life import CardLifePolicy
from policies.registration import RegistrationPolicy
from ra_portal import fields
from ra_portal.applications import remarks as reasons_by_field
from ra_portal.cards import card_moves, card_rows
from ra_portal.cards.card import Card, Holder
from ra_portal.cards.card_moves import Evidence, EvidenceKind, Move
from ra_portal.codes import new_number
from ra_portal.data_changes import change_rows
from ra_portal.data_changes.change import FIELDS, ChangeState, DataChange, read_wanted
from ra_portal.data_changes.telling import Letters
from ra_portal.notices.notices import SealedNotice
from ra_portal.papers import document_rows
from ra_portal.papers.documents import DocumentKind, Upload
from ra_portal.people import branches, name_search, people_rows
from ra_portal.people.identity import HolderKind, Identity
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal


class DataChanges:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        letters: Letters,
        reasons: RegistrationPolicy,
        policy: CardLifePolicy,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._letters = letters
        self._reasons = reasons
        self._grace = policy.renewal.grace

    def propose(
        self,
        by: Identity,
        holder: Holder,
        values: Mapping[str, object],
        why: str,
        licence: Upload | None = None,
    ) -> DataChange:
        """An enterprise for itself and its operators, or an officer who registers; with a scan of
        the new licence where there is one.

        Raises Forbidden `role.missing`, `legal-person.required`, NotFound, `fields.InvalidFields`
        (the scan's error under `licence`, the reason's under `why`), Conflict `change.waiting`,
        Unprocessable `change.nothing`.
        """
        with self._database.reading() as connection:
            self._current(connection, by, holder)  # refused before a scan is opened
        wanted = read_wanted(holder.kind, values, why, licence)
        now, identifier = self._clock.now(), new_id()
        with self._database.transaction() as connection:
            current = self._current(connection, by, holder)
            changes = wanted.differing(current)
            kept, digest = None, None
            if wanted.licence is not None:
                kind = DocumentKind.LICENCE
                kept = document_rows.add(connection, identifier, kind, wanted.licence, now)
                digest = wanted.licence.sha256
            change = DataChange(
                id=identifier,
                reference=new_number("DC", self._clock, self._entropy),
                holder=holder,
                state=ChangeState.PROPOSED,
                changes=changes,
                before={name: current[name] for name in changes},
                why=wanted.why,
                proposed_by=by.actor,
                proposed_at=now,
                licence_id=kept,
            )
            change_rows.add(connection, change)
            self._record(connection, Event.DATA_CHANGE_PROPOSED, change, by, licence_sha256=digest)
        return change

    def own(
        self, by: Identity, operator_id: str | None = None, limit: int = 10
    ) -> list[DataChange]:
        """What was proposed of the enterprise's own data, or of an operator's, and how that was
        decided, newest first.

        Raises Forbidden `legal-person.required`, NotFound `operator.unknown`.
        """
        enterprise_id = by.require_legal_person()
        holder = Holder(HolderKind.LEGAL_PERSON, enterprise_id)
        with self._database.reading() as connection:
            if operator_id is not None:
                holder = people_rows.operator(connection, operator_id, enterprise_id).holder
            return change_rows.of_holder(connection, holder, limit)

    def approve(self, by: Identity, identifier: str) -> DataChange:
        """The data change, and the cards concerned are to be renewed.

        Raises Forbidden `role.missing`, `branch.foreign`, `approval.same-officer`, NotFound
        `change.unknown`, Conflict `change.decided`, `change.cards`.
        """
        by.require("application.approve")
        with self._database.reading() as connection:
            before = self._to_decide(connection, by, identifier)
            if before.proposed_by == by.actor:
                raise Forbidden(
                    "approval.same-officer", "another officer must confirm what you proposed"
                )
            concerned = self._cards(connection, before)
        now = self._clock.now()
        letter = self._letters.decided(before, ChangeState.APPROVED)
        renewals = {
            each.number: self._letters.renewal(each, now + self._grace) for each in concerned
        }
        change = replace(before, state=ChangeState.APPROVED, decided_by=by.actor, decided_at=now)
        with self._database.transaction() as connection:
            self._carry_out(connection, change)
            change_rows.decide(connection, change)
            told = self._letters.put(connection, change, letter)
            self._record(connection, Event.DATA_CHANGE_APPROVED, change, by, told=told)
            for card in self._cards(connection, change):
                if card.number not in renewals:
                    raise Conflict("change.cards", "a card was made just now: decide once more")
                self._demand_renewal(connection, card, change, by, renewals[card.number])
        return change

    def refuse(
        self,
        by: Identity,
        identifier: str,
        reasons: str = "",
        remarks: Mapping[str, str] | None = None,
    ) -> DataChange:
        """In words, or with a reason of the policy's for what of the change is wrong, or both.

        Raises as `approve`, but for the same officer; Malformed `field.*`, Unprocessable
        `reason.unknown`.
        """
        by.require_one_of("application.approve", "application.register")
        with self._database.reading() as connection:
            before = self._to_decide(connection, by, identifier)
        given = dict(remarks or {})
        reasons_by_field.require_known(self._reasons, "refuse-change", given)
        words = fields.paragraph(reasons) if reasons.strip() or not given else None
        if not given.keys() <= {*before.changes, "licence"}:
            raise Unprocessable("reason.unknown", "this is no reason that may be given here")
        letter = None
        if before.by_officer is None:  # an officer's own proposal was never told to the enterprise
            letter = self._letters.decided(before, ChangeState.REFUSED)
        change = replace(
            before,
            state=ChangeState.REFUSED,
            decided_by=by.actor,
            decided_at=self._clock.now(),
            reasons=words,
            remarks=given,
        )
        with self._database.transaction() as connection:
            change_rows.decide(connection, change)
            told = self._letters.put(connection, change, letter)
            self._record(
                connection,
                Event.DATA_CHANGE_REFUSED,
                change,
                by,
                told=told,
                reasons=words,
                remarks=",".join(f"{field}:{code}" for field, code in sorted(given.items())),
            )
        return change

    def _to_decide(self, connection: Connection, by: Identity, identifier: str) -> DataChange:
        change = change_rows.undecided(connection, identifier)
        branches.require_holder(connection, by, change.holder)
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
        return {name: getattr(found, name) for name in FIELDS[HolderKind.LEGAL_PERSON]}

    def _cards(self, connection: Connection, change: DataChange) -> list[Card]:
        """Those that say what is true no more."""
        return card_rows.made_of(connection, change.holder) if change.is_certified else []

    def _carry_out(self, connection: Connection, change: DataChange) -> None:
        if change.holder.kind is HolderKind.OPERATOR:
            people_rows.change_operator(connection, change.holder.id, change.changes)
            return
        people_rows.change_enterprise(connection, change.holder.id, change.changes)
        if "name" in change.changes:  # searches find the enterprise by its new name
            uscc = people_rows.enterprise(connection, change.holder.id).uscc
            name_search.ENTERPRISES.remember(connection, uscc, change.changes["name"])

    def _demand_renewal(
        self,
        connection: Connection,
        card: Card,
        change: DataChange,
        by: Identity,
        letters: Sequence[SealedNotice],
    ) -> None:
        assert change.decided_at is not None
        due = card.must_be_renewed(change.decided_at + self._grace)
        card_rows.save(connection, due)
        decision = {"change": change.id, "proposed_by": change.proposed_by, "approved_by": by.actor}
        evidence = Evidence(EvidenceKind.DECISION, json.dumps(decision, sort_keys=True).encode())
        card_moves.record(
            connection,
            self._journal,
            Move.RENEWAL_DUE,
            due,
            change.decided_at,
            by.actor,
            change.why,
            evidence,
        )
        self._letters.put_renewal(connection, card, letters)

    def _record(
        self,
        connection: Connection,
        event: Event,
        change: DataChange,
        by: Identity,
        **facts: str | None,
    ) -> None:
        self._journal.append(
            connection,
            event,
            subject=str(change.holder),
            actor=by.actor,
            change=change.id,
            fields=",".join(sorted(change.changes)),
            reason=change.why,
            **facts,
        )
