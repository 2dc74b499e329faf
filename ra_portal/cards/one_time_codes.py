"""One-time codes to a registered telephone or mail address: who has it acts for one card, once.

What a stranger may try: whether a card exists is told neither by the answer nor by its time (the
worker looks, and keeps a row for nobody's card, too); a code is good for ten minutes and five
tries; each purpose has three codes an hour of its own for a card, so that who asks for codes to
freeze it keeps nobody from reporting it lost.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Malformed, Unauthenticated
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card
from ra_portal.cards.tables import one_time_codes
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import ONE_TIME_CODE, Notices, Sealing
from ra_portal.people.contacts import Contacts
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from records.outbox import Delivery, Outbox, Payload

LIFETIME = timedelta(minutes=10)
MOST_TRIES = 5
MOST_IN_AN_HOUR = 3
"""Codes for one purpose of one card."""
MOST_IN_A_DAY = {"freeze": 10, "unfreeze": 10}
"""Likewise, by purpose. A loss can be reported at any hour."""
CHANNEL = "card-codes"
"""The outbox channel of what was asked for."""
_NOBODYS = ""
"""In place of a card's number: no code opens anything."""
_DIGITS = 8
_LONGEST = 40
"""Characters of a name: longer than any."""


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
class Named:
    """A card by its number, or by the enterprise's credit code (its legal-person card) and an
    operator's employee number."""

    card: str = ""
    uscc: str = ""
    employee: str = ""


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
        outbox: Outbox,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._sealing = sealing
        self._contacts = contacts
        self._notices = notices

    def request(self, named: Named, purpose: Purpose, channel: Channel) -> str:
        """Ask for a code to the holder of a made card; the request's identifier.

        An identifier is given whatever is named: whether a code went is told to nobody but the
        holder. The worker sends it, and the token is not asked here. Raises Malformed
        `request.malformed` for what is no text.
        """
        if not all(map(str.isprintable, (named.card, named.uscc, named.employee))):
            raise Malformed("request.malformed", "numbers are letters and digits")
        identifier = new_id()
        asked = {
            "request": identifier,
            "card": named.card.strip()[:_LONGEST],
            "uscc": named.uscc.strip()[:_LONGEST],
            "employee": named.employee.strip()[:_LONGEST],
            "purpose": str(purpose),
            "channel": str(channel),
            "at": self._clock.now().isoformat(),
        }
        with self._database.transaction() as connection:
            self._outbox.put(connection, CHANNEL, asked)
        return identifier

    def send_asked(self, *, at_once: bool = False) -> Delivery:
        """Send the codes that were asked for. For the worker."""
        return self._outbox.deliver(
            self._database, CHANNEL, self._send, at_once=at_once, in_order=False
        )

    def _send(self, asked: Payload) -> None:
        identifier, purpose = str(asked["request"]), Purpose(asked["purpose"])
        channel = Channel(asked["channel"])
        if self._clock.now() - datetime.fromisoformat(asked["at"]) >= LIFETIME:
            return  # nobody waits for it any more
        with self._database.reading() as connection:
            if self._row(connection, identifier) is not None:
                return  # sent before, by a worker that died before it could say so
            card = _find(connection, asked)
            to = None if card is None else self._contacts.of(connection, card.holder).at(channel)
        code = self._new_code()
        sealed = self._sealing.encrypt(code.encode("ascii"), _context(identifier))
        notice = None
        if card is not None and to is not None:
            values = _told(card, purpose, code)
            notice = self._notices.seal(channel, to, ONE_TIME_CODE, values, lifetime=LIFETIME)
        with self._database.transaction() as connection:
            goes = (
                card is not None
                and notice is not None
                and self._has_another(connection, card, purpose)
                and self._notices.put_sealed(connection, notice, about=card.number)
            )
            number = card.number if card is not None and goes else _NOBODYS
            self._keep(connection, identifier, number, purpose, sealed)
            if number != _NOBODYS:
                self._journal.append(
                    connection,
                    Event.CARD_CODE_SENT,
                    subject=number,
                    actor="anonymous",
                    purpose=str(purpose),
                    channel=str(channel),
                )

    def redeem(self, identifier: str, code: str) -> Redeemed:
        """Spend a code. Raises Unauthenticated `code.refused`, whatever is wrong with it."""
        with self._database.reading() as connection:
            row = self._row(connection, identifier)
        redeemed = None
        if row is not None:
            kept = self._sealing.decrypt(bytes(row.sealed), _context(row.id))
            with self._database.transaction() as connection:
                row = self._row(connection, identifier, lock=True)
                if row is not None and _may_be_tried(row, self._clock.now()):
                    redeemed = self._try(connection, row, kept, code)
        if redeemed is None:
            raise Unauthenticated("code.refused", "the code is wrong, used or too old")
        return redeemed

    def _try(self, connection: Connection, row: Any, kept: bytes, code: str) -> Redeemed | None:
        given = "".join(c for c in code[:40] if c.isdigit() and c.isascii())
        right = hmac.compare_digest(kept, given.encode()) and row.card != _NOBODYS
        changes: dict[str, object] = {"attempts": row.attempts + 1}
        if right:
            changes["used_at"] = self._clock.now()
        mine = update(one_time_codes).where(one_time_codes.c.id == row.id)
        connection.execute(mine.values(changes))
        if right:
            return Redeemed(card_rows.by_number(connection, row.card), Purpose(row.purpose))
        if row.card == _NOBODYS:
            return None  # strangers' guesses at nothing are no evidence
        self._journal.append(
            connection,
            Event.CARD_CODE_REFUSED,
            subject=row.card,
            actor="anonymous",
            purpose=row.purpose,
            tries=row.attempts + 1,
        )
        return None

    def _row(self, connection: Connection, identifier: str, *, lock: bool = False) -> Any:
        query = select(one_time_codes).where(one_time_codes.c.id == identifier[:32])
        return connection.execute(query.with_for_update() if lock else query).one_or_none()

    def _keep(
        self, connection: Connection, identifier: str, card: str, purpose: Purpose, sealed: bytes
    ) -> None:
        now = self._clock.now()
        row = {
            "id": identifier,
            "card": card,
            "purpose": str(purpose),
            "created_at": now,
            "expires_at": now + LIFETIME,
            "sealed": sealed,
            "attempts": 0,
        }
        connection.execute(insert(one_time_codes), row)

    def _has_another(self, connection: Connection, card: Card, purpose: Purpose) -> bool:
        """Whether the purpose has a code left. One counts after the other."""
        card_rows.lock(connection, card.number)
        bounds = {timedelta(hours=1): MOST_IN_AN_HOUR}
        if purpose in MOST_IN_A_DAY:
            bounds[timedelta(days=1)] = MOST_IN_A_DAY[purpose]
        now = self._clock.now()
        return all(
            self._sent(connection, card, purpose, now - span) < most
            for span, most in bounds.items()
        )

    def _sent(self, connection: Connection, card: Card, purpose: Purpose, since: datetime) -> int:
        query = select(func.count()).where(
            one_time_codes.c.card == card.number,
            one_time_codes.c.purpose == str(purpose),
            one_time_codes.c.created_at > since,
        )
        return connection.execute(query).scalar_one()

    def _new_code(self) -> str:
        """Eight digits; the remainder of 64 random bits leans by less than 2^-37."""
        number = int.from_bytes(self._entropy.token(8), "big")
        return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def _find(connection: Connection, asked: Payload) -> Card | None:
    """The made card that was named."""
    if asked["card"]:
        found = card_rows.find_by_number(connection, asked["card"])
        return found if found is not None and found.is_made else None
    return card_rows.find_made(connection, asked["uscc"], asked["employee"])


def _told(card: Card, purpose: Purpose, code: str) -> dict[str, str]:
    act_zh, act_en = _ACTS[purpose]
    return {
        "code": code,
        "card": card.number,
        "act_zh": act_zh,
        "act_en": act_en,
        "minutes": str(LIFETIME // timedelta(minutes=1)),
    }


def _may_be_tried(row: Any, now: datetime) -> bool:
    return row.used_at is None and now < row.expires_at and row.attempts < MOST_TRIES


def _context(identifier: str) -> bytes:
    return b"PortSeal one-time code " + identifier.encode("ascii")
