"""Cards: requested for a holder, offered by a code, ended by revocation, replacement or time."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from ca.inventory import RevocationReason
from ca.revocation import Revocation
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Unprocessable
from ra_portal import fields, keyset
from ra_portal.cards import card_certificates, card_moves, card_rows
from ra_portal.cards.appointers import require_two, takes_two
from ra_portal.cards.card import NUMBER_PREFIXES, Card, CardState, Holder
from ra_portal.cards.card_certificates import CardCertificate
from ra_portal.cards.card_moves import Evidence, EvidenceKind, Move
from ra_portal.cards.charge import permission_for, require_access, require_act, require_charge
from ra_portal.cards.withdrawal import withdraw
from ra_portal.codes import CodePurpose, code_hash, new_code, new_number
from ra_portal.keyset import Place
from ra_portal.people import branches, officer_change, people_rows
from ra_portal.people.identity import HolderKind, Identity
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

ACTIVATION_CODE_LIFETIME = timedelta(days=7)
PAGE_LENGTH = 20

REASONS = (
    RevocationReason.UNSPECIFIED,
    RevocationReason.KEY_COMPROMISE,
    RevocationReason.AFFILIATION_CHANGED,
    RevocationReason.SUPERSEDED,
    RevocationReason.CESSATION_OF_OPERATION,
    RevocationReason.PRIVILEGE_WITHDRAWN,
)
"""Why an administrator may end a card (RFC 5280, 5.3.1)."""


@dataclass(frozen=True)
class CardPage:
    """Cards with their holders' names."""

    cards: list[tuple[Card, str]]
    total: int
    """Of all pages; `card_rows.MOST_COUNTED` at most."""
    earlier: Place | None
    """Where the page before this one ends; None: this is the first."""
    later: Place | None


class Cards:
    """The use cases of a card's life, but for its making (`ra_portal.cards.enrolment`)."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        revocation: Revocation,
        on_card_ended: Callable[[Card], None] = lambda card: None,
        end_seals: Callable[[Identity, str], None] = lambda by, enterprise_id: None,
    ) -> None:
        """`on_card_ended` is called after a card was revoked or replaced, to end its sessions;
        `end_seals` revokes the seals of an enterprise that closes."""
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._revocation = revocation
        self._on_card_ended = on_card_ended
        self._end_seals = end_seals

    # -- inside another use case's transaction -------------------------------------------------

    def new_number(self, holder: Holder) -> str:
        """The number of a card yet to be requested."""
        return new_number(NUMBER_PREFIXES[holder.kind], self._clock, self._entropy)

    def request(
        self,
        connection: Connection,
        holder: Holder,
        actor: str,
        number: str | None = None,
        predecessor: str | None = None,
    ) -> Card:
        """A first or next card for a holder; `predecessor` names the card that it follows.

        Raises Conflict `card.holder-has-one`, `enterprise.closed`, `officer.retired`.
        """
        require_active_holder(connection, holder)
        card = self._new(holder, number, predecessor)
        self._add(connection, [card], actor)
        return card

    def request_for_operators(
        self, connection: Connection, enterprise_id: str, holders: Sequence[Holder], actor: str
    ) -> list[Card]:
        """First cards for operators of one enterprise. Raises as `request`."""
        people_rows.enterprise(connection, enterprise_id).require_active()
        new = [self._new(holder) for holder in holders]
        self._add(connection, new, actor)
        return new

    def _new(
        self, holder: Holder, number: str | None = None, predecessor: str | None = None
    ) -> Card:
        return Card(
            id=new_id(),
            number=number or self.new_number(holder),
            holder=holder,
            state=CardState.REQUESTED,
            requested_at=self._clock.now(),
            predecessor=predecessor,
        )

    def _add(self, connection: Connection, new: Sequence[Card], actor: str) -> None:
        card_rows.add_many(connection, new)
        for card in new:
            self._journal.append(
                connection,
                Event.CARD_REQUESTED,
                subject=card.number,
                actor=actor,
                holder_kind=card.holder.kind,
                holder=card.holder.id,
                predecessor=card.predecessor,
            )

    def offer_code(self, connection: Connection, card: Card, actor: str) -> tuple[Card, str]:
        """A new activation code, valid once and for a week; the one before stops working.

        Raises Conflict `card.state`.
        """
        code = new_code(self._entropy)
        expires_at = self._clock.now() + ACTIVATION_CODE_LIFETIME
        offered = card.offer_code(code_hash(CodePurpose.ACTIVATION, code), expires_at)
        card_rows.save(connection, offered)
        self._journal.append(
            connection,
            Event.CARD_CODE_OFFERED,
            subject=card.number,
            actor=actor,
            expires_at=expires_at.isoformat(timespec="seconds"),
        )
        return offered, code

    def hand_out(self, connection: Connection, by: Identity, card: Card) -> tuple[Card, str | None]:
        """A code for the card's enterprise or the console; an officer only proposes one.

        Whoever sees a code can act as the card's holder, so officers hand one out by four eyes:
        without a code (None) another officer must call `confirm_code`. Raises Conflict
        `card.state`.
        """
        if by.kind is not HolderKind.OFFICER:
            return self.offer_code(connection, card, by.actor)
        return self.propose_code(connection, by, card), None

    def propose_code(self, connection: Connection, by: Identity, card: Card) -> Card:
        """An officer wants a code handed out. Raises Conflict `card.state`."""
        proposed = card.propose_code(by.subject)
        card_rows.save(connection, proposed)
        self._journal.append(
            connection, Event.CARD_CODE_PROPOSED, subject=card.number, actor=by.actor
        )
        return proposed

    # -- looking -------------------------------------------------------------------------------

    def show(self, by: Identity, number: str) -> Card:
        """A card that the identity may see: an officer every one, an enterprise its own.

        Raises NotFound `card.unknown`, Forbidden `card.foreign`.
        """
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, number)
            require_access(connection, by, card)
        return card

    def certificates(self, by: Identity, number: str) -> list[CardCertificate]:
        """Every certificate of a card, with those of a re-issue. Raises as `show`."""
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, number)
            require_access(connection, by, card)
            return card_certificates.of_card(connection, card, self._clock.now())

    def search(
        self,
        by: Identity,
        state: CardState | None = None,
        text: str = "",
        after: Place | None = None,
        backwards: bool = False,
    ) -> CardPage:
        """One page of all cards, behind `after`, before it when `backwards`; `text` may be the
        serial number of any of a card's certificates. Raises Forbidden `role.missing`."""
        by.require("card.read")
        with self._database.reading() as connection:
            found, total = card_rows.search(
                connection,
                state,
                card_certificates.first_of(connection, text.strip()[:80]),
                PAGE_LENGTH + 1,
                after,
                backwards,
                by.branch,
            )
        page = keyset.cut(found, PAGE_LENGTH, card_rows.place_of, after, backwards)
        return CardPage(page.shown, total, page.earlier, page.later)

    def takes_two(self, card: Card) -> bool:
        """Whether one person alone may not end it (`appointers`)."""
        with self._database.reading() as connection:
            return takes_two(connection, card)

    def may(self, by: Identity, card: Card, act: str) -> bool:
        """Whether an officer may `manage`, `confirm` or `report` this card."""
        with self._database.reading() as connection:
            return by.may(permission_for(connection, card, act))

    # -- moves ---------------------------------------------------------------------------------

    def new_activation_code(self, by: Identity, number: str) -> tuple[Card, str | None]:
        """A new code, or for an officer the proposal of one (`hand_out`).

        Raises Conflict `card.state`, Forbidden `card.foreign`, NotFound `card.unknown`.
        """
        with self._database.transaction() as connection:
            card = card_rows.by_number(connection, number)
            require_charge(connection, by, card)
            return self.hand_out(connection, by, card)

    def confirm_code(self, by: Identity, number: str) -> tuple[Card, str]:
        """The second pair of eyes: the code that another officer proposed, shown to this one.

        Raises Forbidden `role.missing`, `approval.same-officer`, `card.own`, NotFound
        `card.unknown`, Conflict `card.no-proposal`, `card.state`.
        """
        with self._database.transaction() as connection:
            card = card_rows.by_number(connection, number)
            require_act(connection, by, card, "confirm")
            card.require_second_officer(by.subject)
            return self.offer_code(connection, card, by.actor)

    def witness(self, by: Identity, number: str, token_model: str, token_serial: str) -> Card:
        """An officer saw at the counter that the card's key was made on this token.

        Without it nobody but the holder says so: an enrolment proves possession of a key, wherever
        it lies. Raises Forbidden `role.missing`, `card.own`, NotFound `card.unknown`, Conflict
        `card.state`, `card.witnessed`, `fields.InvalidFields`.
        """
        by.require("card.witness")
        reader = fields.FieldReader({"token_model": token_model, "token_serial": token_serial})
        model = reader.read("token_model", fields.text(32))
        serial = reader.read("token_serial", fields.text(32))
        reader.finish()
        with self._database.transaction() as connection:
            card = card_rows.by_number(connection, number)
            branches.require_holder(connection, by, card.holder)
            seen = card.witness(by.subject, model, serial, self._clock.now())
            card_rows.save(connection, seen)
            self._journal.append(
                connection,
                Event.CARD_WITNESSED,
                subject=card.number,
                actor=by.actor,
                serial=card.serial,
                token_model=model,
                token_serial=serial,
            )
        return seen

    def revoke(self, by: Identity, number: str, reason: str) -> Card:
        """End a card for a reason of `REASONS`; its certificate is revoked first.

        An administrator ends every card, a legal person those of the own operators. A legal-person
        card that ends for `cessationOfOperation` closes its enterprise: the operators' cards are
        revoked before it. After `keyCompromise` the enterprise goes on with a replacement.
        Dying between the two leaves a revoked certificate, never a usable one, and the call can
        be repeated. Raises Forbidden `role.missing`, `card.foreign`, NotFound `card.unknown`,
        Conflict `card.state`, `card.two-officers`, Unprocessable `card.reason`.
        """
        if by.kind is HolderKind.OPERATOR:
            by.require("card.manage")
        why = read_reason(reason)
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, number)
            require_charge(connection, by, card)
            require_two(connection, by, card)
        ended = card.revoke(why, self._clock.now())  # refused before anything happens
        closes = (
            card.holder.kind is HolderKind.LEGAL_PERSON
            and why is RevocationReason.CESSATION_OF_OPERATION
        )
        if closes:
            self._end_operators(by, card.holder.id)
            self._end_seals(by, card.holder.id)
        withdraw(self._revocation, card, why, by.actor)
        with self._database.transaction() as connection:
            if closes and ended.ended_at is not None:
                people_rows.close_enterprise(connection, card.holder.id, ended.ended_at)
            self._end(connection, ended, Move.REVOKE, by.actor, str(why))
            if closes:
                self._journal.append(
                    connection,
                    Event.ENTERPRISE_CLOSED,
                    subject=str(card.holder),
                    actor=by.actor,
                    card=card.number,
                )
        self._on_card_ended(ended)
        if closes:  # and what was made meanwhile; from now on nothing is
            self._end_operators(by, card.holder.id)
            self._end_seals(by, card.holder.id)
        return ended

    def _end_operators(self, by: Identity, enterprise_id: str) -> None:
        """Revoke the cards of an enterprise that closes, one after another: dying midway leaves
        the legal-person card, and with it the call that goes on."""
        why = RevocationReason.CESSATION_OF_OPERATION
        with self._database.reading() as connection:
            live = card_rows.live_of_operators(connection, enterprise_id)
        for card in live:
            ended = card.revoke(why, self._clock.now())
            withdraw(self._revocation, card, why, by.actor)
            with self._database.transaction() as connection:
                self._end(connection, ended, Move.REVOKE, by.actor, str(why))
            self._on_card_ended(ended)

    def replace(self, by: Identity, number: str) -> tuple[Card, str | None]:
        """Another card for the same holder; the one named ends, revoked as superseded.

        An enterprise replaces its operators' cards, an administrator every one. A card that has
        ended already is followed by the new one just so. An officer's code waits for another
        officer (`hand_out`). Raises as `revoke`,
        and Conflict `enterprise.closed`, `officer.retired`.
        """
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, number)
            require_charge(connection, by, card)
            require_two(connection, by, card)
            require_active_holder(connection, card.holder)  # before anything happens
        if card.is_live:
            ended = card.replace_by_another(self._clock.now())
            withdraw(self._revocation, card, RevocationReason.SUPERSEDED, by.actor)
        with self._database.transaction() as connection:
            if card.is_live:
                self._end(connection, ended, Move.REPLACE, by.actor, "superseded")
            following = self.request(connection, card.holder, by.actor, predecessor=card.number)
            made = self.hand_out(connection, by, following)
        if card.is_live:
            self._on_card_ended(ended)
        return made

    def end_of_retired(self) -> int:
        """Revoke the cards of officers who have left; how many. For the worker too, which goes on
        where a dead process has not."""
        why = RevocationReason.AFFILIATION_CHANGED
        with self._database.reading() as connection:
            live = card_rows.live_of_retired(connection)
        for card in live:
            ended = card.revoke(why, self._clock.now())
            withdraw(self._revocation, card, why, "worker")
            with self._database.transaction() as connection:
                self._end(connection, ended, Move.REVOKE, "worker", str(why))
            self._on_card_ended(ended)
        return len(live)

    def end_as_confirmed(self) -> int:
        """Revoke the cards whose end a second officer has confirmed (`people.officer_changes`); how
        many. For the worker too, as `end_of_retired`."""
        with self._database.reading() as connection:
            decided = officer_change.endings(connection)
            found = [card_rows.by_number(connection, each.ends_card or "") for each in decided]
        for change, card in zip(decided, found, strict=True):
            why, actor = read_reason(change.end_reason or ""), f"officer:{change.decided_by}"
            ended = card.revoke(why, self._clock.now())
            withdraw(self._revocation, card, why, actor)
            told = {
                "change": change.id,
                "proposed_by": f"officer:{change.proposed_by}",
                "approved_by": actor,
            }
            evidence = Evidence(EvidenceKind.DECISION, json.dumps(told, sort_keys=True).encode())
            with self._database.transaction() as connection:
                self._end(connection, ended, Move.REVOKE, actor, str(why), evidence)
            self._on_card_ended(ended)
        return len(decided)

    def expire_overdue(self, limit: int = 500) -> int:
        """Move cards whose certificates have ended; how many. For the worker."""
        with self._database.transaction() as connection:
            overdue = card_rows.overdue(connection, self._clock.now(), limit)
            for card in overdue:
                self._end(connection, card.expire(), Move.EXPIRE, "worker", "expired")
        return len(overdue)

    def _end(
        self,
        connection: Connection,
        ended: Card,
        move: Move,
        actor: str,
        why: str,
        evidence: Evidence | None = None,
    ) -> None:
        card_rows.save(connection, ended)
        at = ended.ended_at or self._clock.now()
        card_moves.record(connection, self._journal, move, ended, at, actor, why, evidence)


def require_active_holder(connection: Connection, holder: Holder) -> None:
    """Who is closed, or has left, gets no card. Raises Conflict `enterprise.closed`,
    `officer.retired`."""
    if holder.kind is HolderKind.OFFICER:
        people_rows.officer(connection, holder.id).require_here()
    enterprise = people_rows.enterprise_of(connection, holder)
    if enterprise is not None:
        enterprise.require_active()


def read_reason(text: str) -> RevocationReason:
    """Raises Unprocessable `card.reason`."""
    for reason in REASONS:
        if reason == text:
            return reason
    raise Unprocessable("card.reason", "this is no reason to revoke a card", reason=text[:40])
