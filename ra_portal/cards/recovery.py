"""Recovery of a legal-person card that is locked or expired, without post or counter.

Several officers must agree (`policies/card_life.toml`), each in person; then a one-time secret
goes out in two halves, one by mail and one by text message. Both together are an activation code
for another card of the enterprise, made on another or a newly initialised token. Nobody of the
authority sees either half, no PIN is reset, and none is known but to the holder
(docs/decisions/, "Recovery without a PIN reset").
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from ca.inventory import RevocationReason
from ca.revocation import Revocation
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Conflict, Forbidden
from policies.card_life import CardLifePolicy
from ra_portal import fields
from ra_portal.cards import card_moves, card_rows, recovery_rows
from ra_portal.cards.card import Card, CardState, Holder
from ra_portal.cards.card_moves import LONGEST_REASON, Evidence, EvidenceKind, Move
from ra_portal.cards.cards import Cards
from ra_portal.cards.recovery_rows import Approval, RecoveryCase, RecoveryState
from ra_portal.cards.withdrawal import withdraw
from ra_portal.codes import CodePurpose, code_hash, new_secret
from ra_portal.keyset import Cut, Place
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices
from ra_portal.people import branches, people_rows
from ra_portal.people.contact import Contact
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.row_by_row import row_by_row
from records.database import Database
from records.events import Event
from records.journal import Journal

_MAIL_CHARACTERS, _SMS_CHARACTERS = 16, 12
"""Of 5 bits each: 80 and 60 bits; who reads one channel still has to guess the other half."""
PAGE_LENGTH = 20
"""Requests on one page of those that wait."""
MOST_IN_A_DAY = 3
"""Requests for one enterprise."""


class Recovery:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        cards: Cards,
        contacts: Contacts,
        notices: Notices,
        revocation: Revocation,
        policy: CardLifePolicy,
        on_card_ended: Callable[[Card], None],
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._cards = cards
        self._contacts = contacts
        self._notices = notices
        self._revocation = revocation
        self._policy = policy.recovery
        self._on_card_ended = on_card_ended

    def ask(self, uscc: str, why: str) -> None:
        """Begin one, if there is a card to recover. Who asks is told nothing of it, and is heard
        by `RecoveriesAsked`, which calls this later.

        Raises Malformed `field.*` for a reason that is none.
        """
        reason = fields.text(LONGEST_REASON)(fields.paragraph(why, LONGEST_REASON))
        now = self._clock.now()
        with self._database.transaction() as connection:
            enterprise = people_rows.find_enterprise(connection, uscc)
            if enterprise is None or enterprise.closed_at is not None:
                return
            people_rows.lock_enterprise(connection, enterprise.id)  # one counts after the other
            card = _recoverable(connection, enterprise.holder)
            if (
                card is None
                or recovery_rows.asked_in_a_day(connection, enterprise.id, now) >= MOST_IN_A_DAY
            ):
                return
            if not recovery_rows.insert_asked(connection, card.number, enterprise.id, reason, now):
                return  # one is on its way
            self._journal.append(
                connection,
                Event.RECOVERY_ASKED,
                subject=card.number,
                actor="anonymous",
                # What a stranger writes may be anything, and the journal forgets nothing.
                reason_sha256=hashlib.sha256(reason.encode("utf-8")).hexdigest(),
            )

    def waiting(
        self, by: Identity, after: Place | None = None, backwards: bool = False
    ) -> Cut[RecoveryCase]:
        """Undecided ones that the officer's branch may see, a page of them, oldest first.

        Raises Forbidden `role.missing`.
        """
        by.require_one_of("card.confirm", "card.manage")
        with self._database.reading() as connection:
            page = recovery_rows.asked(connection, by, PAGE_LENGTH, after, backwards)
            cases = [self._case(connection, row) for row in page.shown]
        return Cut(cases, page.earlier, page.later)

    def approve(self, by: Identity, identifier: str, note: str) -> RecoveryCase:
        """One officer agrees, and says what was checked; with the last that is needed, the card
        is replaced and the two halves go out. Who put in the telephone number or the mail address
        that a half goes to has no say, and whoever agreed before it was changed is asked again.

        Raises Forbidden `role.missing`, `recovery.same-officer`, `recovery.own-contact`, NotFound
        `recovery.unknown`, Conflict `recovery.decided`, `recovery.unreachable`, Malformed
        `field.*`.
        """
        by.require("card.confirm")
        if by.kind is not HolderKind.OFFICER:
            raise Forbidden("role.missing", "only an officer may do this")
        checked = fields.text(LONGEST_REASON)(fields.paragraph(note, LONGEST_REASON))
        old: Card | None = None
        with self._database.transaction() as connection:
            row = recovery_rows.locked(connection, identifier)
            branches.require_holder(connection, by, recovery_rows.holder_of(row))
            known = self._contacts.known(connection, recovery_rows.holder_of(row))
            if by.actor in known.set_by:
                raise Forbidden(
                    "recovery.own-contact",
                    "you put in where the secret would go; other officers must agree",
                )
            given = recovery_rows.approvals_that_hold(row, known)
            if any(each["officer"] == by.subject for each in given):
                raise Forbidden("recovery.same-officer", "you have agreed already; others must too")
            self._require_reachable(known.contact)
            now = self._clock.now()
            given.append({"officer": by.subject, "at": now.isoformat(), "note": checked})
            needed = self._policy.needed(known.changed_at, now)
            granted = len(given) >= needed
            recovery_rows.store_approvals(connection, row.id, given, granted)
            self._journal.append(
                connection,
                Event.RECOVERY_APPROVED,
                subject=row.card,
                actor=by.actor,
                approvals=len(given),
                needed=needed,
                note=checked,
            )
            if granted:
                old = self._grant(connection, row, given, by, known.contact)
            case = self._case(connection, recovery_rows.by_id(connection, row.id))
        if old is not None:
            withdraw(self._revocation, old, RevocationReason.SUPERSEDED, by.actor)
            self._on_card_ended(old)
        return case

    def refuse(self, by: Identity, identifier: str, why: str) -> RecoveryCase:
        """Raises as `approve`."""
        by.require("card.confirm")
        reason = fields.text(LONGEST_REASON)(fields.paragraph(why, LONGEST_REASON))
        with self._database.transaction() as connection:
            row = recovery_rows.locked(connection, identifier)
            branches.require_holder(connection, by, recovery_rows.holder_of(row))
            recovery_rows.store_refused(connection, row.id)
            self._journal.append(
                connection,
                Event.RECOVERY_REFUSED,
                subject=row.card,
                actor=by.actor,
                reason=reason,
            )
            return self._case(connection, recovery_rows.by_id(connection, row.id))

    def withdraw_old(self, limit: int = 100) -> int:
        """Revoke old cards' certificates and end their sessions, where a death left them; how
        many were settled. For the worker."""

        def page(behind: str) -> Sequence[Any]:
            with self._database.reading() as connection:
                return recovery_rows.unsettled(connection, behind, limit)

        return row_by_row("recoveries", page, lambda row: str(row.id), self._withdraw_old)

    def _withdraw_old(self, row: Any) -> None:
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, row.card)
        withdraw(self._revocation, card, RevocationReason.SUPERSEDED, "recovery")
        self._on_card_ended(card)
        with self._database.transaction() as connection:
            recovery_rows.store_settled(connection, row.id, self._clock.now())

    def _grant(
        self,
        connection: Connection,
        row: Any,
        given: Sequence[Any],
        by: Identity,
        contact: Contact,
    ) -> Card | None:
        """The old card ends, another is requested, the halves go out; the old one if it lived."""
        now = self._clock.now()
        old = card_rows.by_number(connection, row.card)
        ended = None
        decision = {"recovery": row.id, "approvals": given}
        content = json.dumps(decision, ensure_ascii=False, sort_keys=True).encode("utf-8")
        evidence = Evidence(EvidenceKind.DECISION, content)
        if old.is_live:
            ended = old.replace_by_another(now)
            card_rows.save(connection, ended)
        card_moves.record(
            connection, self._journal, Move.RECOVER, ended or old, now, by.actor,
            f"recovery {row.id}", evidence,
        )  # fmt: skip
        following = self._cards.request(connection, old.holder, by.actor, predecessor=old.number)
        halves = {
            Channel.MAIL: new_secret(self._entropy, _MAIL_CHARACTERS),
            Channel.SMS: new_secret(self._entropy, _SMS_CHARACTERS),
        }
        both = halves[Channel.MAIL] + halves[Channel.SMS]
        hashed = code_hash(CodePurpose.ACTIVATION, both)
        card_rows.save(connection, following.offer_code(hashed, now + self._policy.lifetime))
        for part, (channel, half) in enumerate(halves.items(), start=1):
            to = contact.at(channel)
            assert to is not None, "reachable, as was checked"
            values = {
                "card": following.number,
                "part": str(part),
                "half": half,
                "hours": str(self._policy.hours),
            }
            put = self._notices.put(
                connection,
                channel,
                to,
                "recovery-half",
                values,
                about=following.number,
                lifetime=self._policy.lifetime,
            )
            assert put, "the channel is there, and the card is new"
        self._journal.append(
            connection,
            Event.RECOVERY_SENT,
            subject=following.number,
            actor=by.actor,
            predecessor=old.number,
        )
        return ended

    def _require_reachable(self, contact: Contact) -> None:
        if not all(
            contact.at(channel) and channel in self._notices.channels for channel in Channel
        ):
            raise Conflict(
                "recovery.unreachable",
                "the enterprise left no telephone or no mail address: it must come to the counter",
            )

    def _case(self, connection: Connection, row: Any) -> RecoveryCase:
        known = self._contacts.known(connection, recovery_rows.holder_of(row))
        given = json.loads(row.approvals)
        needed = self._policy.needed(known.changed_at, self._clock.now())
        if RecoveryState(row.state) is RecoveryState.ASKED:
            given = recovery_rows.approvals_that_hold(row, known)
        return RecoveryCase(
            id=row.id,
            card=row.card,
            enterprise_id=row.enterprise_id,
            enterprise_name=people_rows.enterprise(connection, row.enterprise_id).name,
            state=RecoveryState(row.state),
            why=row.why,
            asked_at=row.asked_at,
            approvals=tuple(Approval(**each) for each in given),
            needed=needed,
            contact=known.contact.masked(),
            contact_changed_at=known.changed_at,
            mail_refused_at=self._contacts.mail_refused_at(connection, known.contact),
            contact_set_by=known.set_by,
        )


def _recoverable(connection: Connection, holder: Holder) -> Card | None:
    """The legal-person card that is in use but locked, or has expired. One that was never made
    is no matter of recovery, nor is one that was lost or revoked: the counter replaces it."""
    newest = card_rows.newest_of(connection, holder.kind, [holder.id]).get(holder.id)
    if newest is None or newest.state not in (CardState.ACTIVE, CardState.EXPIRED):
        return None
    return newest
