"""The life of a made card: frozen, in use again, reported lost. Each a named transition with who,
why and evidence.

In every move the certificate's status changes first, then the card, so that dying between the two
leaves nothing usable that should not be; the call can be repeated.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from ca.inventory import RevocationReason
from ca.revocation import Revocation
from kernel.clock import Clock
from kernel.identifiers import Serial, parse_serial
from kernel.refusals import Forbidden
from ra_portal import fields
from ra_portal.cards import card_moves, card_rows
from ra_portal.cards.appointers import require_two, takes_two
from ra_portal.cards.card import Card
from ra_portal.cards.card_moves import LONGEST_REASON, Evidence, Move, RecordedMove
from ra_portal.cards.charge import is_own, require_access, require_act, require_charge
from ra_portal.cards.loss import LossReports, statement
from ra_portal.cards.withdrawal import withdraw
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices, SealedNotice
from ra_portal.notices.times import moment
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import HolderKind, Identity
from records.database import Database
from records.journal import Journal

_ACTS = {
    Move.FREEZE: ("冻结", "frozen"),
    Move.UNFREEZE: ("解冻", "in use again"),
    Move.REPORT_LOSS: ("挂失", "reported lost"),
}
"""As the notice to the holder says it."""


class CardLife:
    """Freeze, unfreeze, report loss; the history of a card."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        revocation: Revocation,
        losses: LossReports,
        contacts: Contacts,
        notices: Notices,
        on_card_ended: Callable[[Card], None] = lambda card: None,
    ) -> None:
        """`on_card_ended` ends the sessions of a card that may no longer be used."""
        self._database = database
        self._journal = journal
        self._clock = clock
        self._revocation = revocation
        self._losses = losses
        self._contacts = contacts
        self._notices = notices
        self._on_card_ended = on_card_ended

    def history(self, by: Identity, number: str) -> list[RecordedMove]:
        """The card's moves, oldest first. Raises as `Cards.show`."""
        with self._database.reading() as connection:
            require_access(connection, by, card_rows.by_number(connection, number))
            return card_moves.of_card(connection, number.strip().upper())

    def freeze(self, by: Identity, number: str, why: str) -> Card:
        """Put the card on hold, at once and everywhere, until `unfreeze`.

        The holder, the enterprise for its operators, and an administrator may; an administrator's
        card, whoever takes reports of its loss: it is not ended by one person. Raises Forbidden
        `card.foreign`, `role.missing`, NotFound `card.unknown`, Conflict `card.state`, Malformed
        `field.*`.
        """
        reason = _reason(why)
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, number)
            if is_own(by, card) or not takes_two(connection, card):
                _require_holder_or_charge(connection, by, card)
            else:
                require_act(connection, by, card, "report")
        now = self._clock.now()
        frozen = card.freeze(by.actor, reason, now)
        withdraw(self._revocation, card, RevocationReason.CERTIFICATE_HOLD, by.actor)
        self._save(frozen, Move.FREEZE, now, by.actor, reason)
        self._on_card_ended(frozen)
        return frozen

    def unfreeze(self, by: Identity, number: str, why: str) -> Card:
        """End the hold. Nobody ends a hold of somebody higher: what an officer froze, an
        administrator unfreezes; what the enterprise froze, not the operator.

        Raises as `freeze`, and Forbidden `card.frozen-by-higher`.
        """
        reason = _reason(why)
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, number)
            _require_holder_or_charge(connection, by, card)
        unfrozen = card.unfreeze()
        _require_not_above(by, card)
        self._revocation.release(_serial(card), by.actor)
        self._save(unfrozen, Move.UNFREEZE, self._clock.now(), by.actor, reason)
        return unfrozen

    def report_loss(self, by: Identity, number: str, channel: str) -> Card:
        """The card is lost: revoked at once and for good, for `keyCompromise`.

        The holder, the enterprise for its operators, and any officer (at the counter) may.
        `channel` says how the report came. A card that was frozen counts as unused since then.
        Raises Forbidden `card.foreign`, NotFound `card.unknown`, Conflict `card.state`,
        `card.two-officers`.
        """
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, number)
            if by.kind is HolderKind.OFFICER and not is_own(by, card):
                require_act(connection, by, card, "report")
                require_two(connection, by, card)
            else:
                _require_holder_or_charge(connection, by, card)
        now = self._clock.now()
        lost = card.report_loss(now)
        withdraw(self._revocation, card, RevocationReason.KEY_COMPROMISE, by.actor)
        evidence = statement(card, now, by.actor, channel)
        self._save(lost, Move.REPORT_LOSS, now, by.actor, channel, evidence)
        self._on_card_ended(lost)
        self._losses.stamp_missing()
        return lost

    def _save(
        self,
        card: Card,
        move: Move,
        at: datetime,
        actor: str,
        why: str,
        evidence: Evidence | None = None,
    ) -> None:
        letters = self._letters(card, move, at)
        with self._database.transaction() as connection:
            card_rows.save(connection, card)
            card_moves.record(connection, self._journal, move, card, at, actor, why, evidence)
            for letter in letters:
                if self._notices.put_sealed(connection, letter, about=card.number):
                    break

    def _letters(self, card: Card, move: Move, at: datetime) -> list[SealedNotice]:
        """To the holder, for somebody else may have done it: by mail, and where that takes no more
        by text message. Sealed before the transaction."""
        contact = self._contacts.look_up(card.holder)
        act_zh, act_en = _ACTS[move]
        values = {
            "card": card.number,
            "time": moment(at),
            "act_zh": act_zh,
            "act_en": act_en,
        }
        return [
            self._notices.seal(channel, to, "card-moved", values)
            for channel in (Channel.MAIL, Channel.SMS)
            if channel in self._notices.channels and (to := contact.at(channel)) is not None
        ]


def _require_holder_or_charge(connection: Connection, by: Identity, card: Card) -> None:
    if not is_own(by, card):
        require_charge(connection, by, card)


def _require_not_above(by: Identity, card: Card) -> None:
    """Raises Forbidden `card.frozen-by-higher`."""
    heights, held_by = {"officer": 3, "console": 3, "legal-person": 2}, card.held_by or ""
    height = 1
    if by.kind is None or (by.kind is HolderKind.OFFICER and not is_own(by, card)):
        height = 3  # in charge of the card
    elif by.kind is HolderKind.LEGAL_PERSON:
        height = 2
    if by.actor != held_by and height < heights.get(held_by.partition(":")[0], 1):
        raise Forbidden(
            "card.frozen-by-higher", "whoever froze the card, or a higher one, must unfreeze it"
        )


def _serial(card: Card) -> Serial:
    assert card.serial is not None, "a made card has a certificate"
    return parse_serial(card.serial)


def _reason(why: str) -> str:
    return fields.text(LONGEST_REASON)(why) if why.strip() else fields.paragraph(why)
