"""One-time codes to a registered telephone or mail address: who has it acts for one card, once.

What a stranger may try: whether a card exists is not told (the answer is the same), a code is
good for ten minutes and five tries, and a card gets three codes an hour.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Unauthenticated
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card
from ra_portal.cards.tables import one_time_codes
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices, Sealing
from ra_portal.people.contacts import Contacts
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

LIFETIME = timedelta(minutes=10)
MOST_TRIES = 5
MOST_IN_AN_HOUR = 3
_DIGITS = 8


class Purpose(StrEnum):
    """What a code opens: that one act on that one card."""

    LOSS = "loss"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"


_ACTS = {
    Purpose.LOSS: ("挂失", "report it lost"),
    Purpose.FREEZE: ("冻结", "freeze it"),
    Purpose.UNFREEZE: ("解冻", "unfreeze it"),
}


@dataclass(frozen=True)
class Redeemed:
    card: Card
    purpose: Purpose


class OneTimeCodes:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        sealing: Sealing,
        contacts: Contacts,
        notices: Notices,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._sealing = sealing
        self._contacts = contacts
        self._notices = notices

    def request(self, card_number: str, purpose: Purpose, channel: Channel) -> str:
        """Send a code to the holder of a made card; the request's identifier.

        An identifier is given for every number: whether a code went is told to nobody but the
        holder.
        """
        identifier = new_id()
        with self._database.transaction() as connection:
            card = card_rows.find_by_number(connection, card_number)
            if card is None or not card.is_made:
                return identifier
            card_rows.lock(connection, card.number)  # one counts after the other
            to = self._contacts.of(connection, card.holder).at(channel)
            now = self._clock.now()
            if to is None or self._recent(connection, card, now) >= MOST_IN_AN_HOUR:
                return identifier
            code = self._new_code()
            act_zh, act_en = _ACTS[purpose]
            values = {
                "code": code,
                "card": card.number,
                "act_zh": act_zh,
                "act_en": act_en,
                "minutes": str(LIFETIME // timedelta(minutes=1)),
            }
            put = self._notices.put(
                connection,
                channel,
                to,
                "one-time-code",
                values,
                about=card.number,
                lifetime=LIFETIME,
            )
            if put:
                self._keep(connection, identifier, card, purpose, code, now)
                self._journal.append(
                    connection,
                    Event.CARD_CODE_SENT,
                    subject=card.number,
                    actor="anonymous",
                    purpose=str(purpose),
                    channel=str(channel),
                )
        return identifier

    def redeem(self, identifier: str, code: str) -> Redeemed:
        """Spend a code. Raises Unauthenticated `code.refused`, whatever is wrong with it."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            row = self._locked(connection, identifier)
            redeemed = None
            if row is not None and _may_be_tried(row, now):
                redeemed = self._try(connection, row, code, now)
        if redeemed is None:
            raise Unauthenticated("code.refused", "the code is wrong, used or too old")
        return redeemed

    def _try(self, connection: Connection, row: Any, code: str, now: datetime) -> Redeemed | None:
        kept = self._sealing.decrypt(bytes(row.sealed), _context(row.id)).decode("ascii")
        given = "".join(c for c in code[:40] if c.isdigit() and c.isascii())
        right = hmac.compare_digest(kept.encode(), given.encode())
        changes: dict[str, object] = {"attempts": row.attempts + 1}
        if right:
            changes["used_at"] = now
        mine = update(one_time_codes).where(one_time_codes.c.id == row.id)
        connection.execute(mine.values(changes))
        if right:
            return Redeemed(card_rows.by_number(connection, row.card), Purpose(row.purpose))
        self._journal.append(
            connection,
            Event.CARD_CODE_REFUSED,
            subject=row.card,
            actor="anonymous",
            purpose=row.purpose,
            tries=row.attempts + 1,
        )
        return None

    def _locked(self, connection: Connection, identifier: str) -> Any:
        query = select(one_time_codes).where(one_time_codes.c.id == identifier[:32])
        return connection.execute(query.with_for_update()).one_or_none()

    def _keep(
        self,
        connection: Connection,
        identifier: str,
        card: Card,
        purpose: Purpose,
        code: str,
        now: datetime,
    ) -> None:
        row = {
            "id": identifier,
            "card": card.number,
            "purpose": str(purpose),
            "created_at": now,
            "expires_at": now + LIFETIME,
            "sealed": self._sealing.encrypt(code.encode("ascii"), _context(identifier)),
            "attempts": 0,
        }
        connection.execute(insert(one_time_codes), row)

    def _recent(self, connection: Connection, card: Card, now: datetime) -> int:
        query = select(func.count()).where(
            one_time_codes.c.card == card.number,
            one_time_codes.c.created_at > now - timedelta(hours=1),
        )
        return connection.execute(query).scalar_one()

    def _new_code(self) -> str:
        """Eight digits; the remainder of 64 random bits leans by less than 2^-37."""
        number = int.from_bytes(self._entropy.token(8), "big")
        return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def _may_be_tried(row: Any, now: datetime) -> bool:
    return row.used_at is None and now < row.expires_at and row.attempts < MOST_TRIES


def _context(identifier: str) -> bytes:
    return b"PortSeal one-time code " + identifier.encode("ascii")
