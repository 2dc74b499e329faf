"""What time does to cards: notices before the end, each once, and revocation of those that were
to be renewed and were not."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select

from ca.inventory import RevocationReason
from ca.revocation import Revocation
from kernel.clock import Clock
from kernel.refusals import Conflict
from policies.card_life import CardLifePolicy
from ra_portal.cards import card_moves, card_rows
from ra_portal.cards.card import Card
from ra_portal.cards.card_moves import Move
from ra_portal.cards.tables import cards
from ra_portal.cards.withdrawal import withdraw
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices
from ra_portal.notices.times import day
from ra_portal.people.contacts import Contacts
from ra_portal.row_by_row import row_by_row
from records.database import Database
from records.events import Event
from records.journal import Journal

_IN_A_ROUND = 500


class Expiry:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        contacts: Contacts,
        notices: Notices,
        revocation: Revocation,
        policy: CardLifePolicy,
        on_card_ended: Callable[[Card], None],
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._contacts = contacts
        self._notices = notices
        self._revocation = revocation
        self._days = sorted(policy.notices.expiry_days)
        self._on_card_ended = on_card_ended

    def give_notice(self, limit: int = _IN_A_ROUND) -> int:
        """Tell holders whose cards end soon; how many cards were looked at. Each of the policy's
        days is told once, and none that a nearer one has overtaken."""
        now = self._clock.now()
        with self._database.reading() as connection:
            waiting = card_rows.ending(connection, now, self._days, limit)
        for card in waiting:
            try:
                self._tell(card, now)
            except Conflict:  # moved in this moment: in a later round, if it still ends
                continue
        return len(waiting)

    def _tell(self, card: Card, now: datetime) -> None:
        """Raises Conflict `card.changed`, Unavailable."""
        assert card.not_after is not None
        left = card.not_after - now
        due = next(days for days in self._days if left.total_seconds() <= days * 86_400)
        contact = self._contacts.look_up(card.holder)
        values = {
            "card": card.number,
            "days": str(max(1, -(-int(left.total_seconds()) // 86_400))),
            "date": day(card.not_after),
        }
        letters = [
            self._notices.seal(channel, to, "card-expires", values)
            for channel in Channel
            if channel in self._notices.channels and (to := contact.at(channel)) is not None
        ]
        with self._database.transaction() as connection:
            sent = [
                str(letter.channel)
                for letter in letters
                if self._notices.put_sealed(connection, letter, about=card.number)
            ]
            if letters and not sent:
                return  # the card has had as many as it may have in a day: in a later round
            card_rows.save(connection, card.noticed(due))
            self._journal.append(
                connection,
                Event.CARD_NOTICE_QUEUED,
                subject=card.number,
                actor="worker",
                days=due,
                channels=",".join(sent),
            )

    def end_overdue_renewals(self, limit: int = _IN_A_ROUND) -> int:
        """Revoke, as superseded, cards whose data changed and that were not renewed in time."""
        query = (
            select(cards.c.number)
            .where(cards.c.renew_by < self._clock.now(), cards.c.live_holder.is_not(None))
            .order_by(cards.c.number)
            .limit(limit)
        )

        def page(behind: str) -> Sequence[str]:
            with self._database.reading() as connection:
                return connection.execute(query.where(cards.c.number > behind)).scalars().all()

        return row_by_row("renewals due", page, str, self._end_overdue)

    def _end_overdue(self, number: str) -> None:
        now = self._clock.now()
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, number)
        ended = card.revoke("superseded", now)
        withdraw(self._revocation, card, RevocationReason.SUPERSEDED, "worker")
        with self._database.transaction() as connection:
            card_rows.save(connection, ended)
            card_moves.record(
                connection, self._journal, Move.REVOKE, ended, now, "worker", "not renewed"
            )
        self._on_card_ended(ended)
