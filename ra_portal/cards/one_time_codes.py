"""One-time codes to a registered telephone or mail address: who has it acts for one card, once.

What a stranger may try: whether a card exists is told neither by the answer nor by its time (the
worker looks, and keeps a row for nobody's card, too). Who asks again and again uses up nothing:
whoever asks while a code for the same act on the same card is young shares that one, with five
tries of one's own. So the holder has always a code on the telephone that works for what the holder
asked for, or gets one, and gets no more than a few messages an hour whoever asks (decision 50).
"""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Malformed, Unauthenticated
from ra_portal.cards import card_rows, one_time_code_rows
from ra_portal.cards.card import Card
from ra_portal.cards.one_time_code_rows import NOBODYS, Kept
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import ONE_TIME_CODE, Notices, SealedNotice, Sealing
from ra_portal.people.contacts import Contacts
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from records.outbox import Deferred, Delivery, Outbox, Payload

PATIENCE = timedelta(minutes=10)
"""How old what was asked for may be when it is sent; and what a code that is shared has left."""
SHARED = timedelta(minutes=20)
"""For so long whoever asks anew shares the code; the next asks for another one."""
LIFETIME = SHARED + PATIENCE
"""Of a code."""
MOST_MESSAGES = 2
"""With the same code: one, and once more for whom the first did not reach."""
SENT_AGAIN_AFTER = timedelta(minutes=1)
MOST_TRIES = 5
"""Of each who asked. A dozen digits leave nothing to many who guess together."""
MOST_TOLD = 15
"""Wrong tries at one code that the journal tells of."""
CHANNEL = "card-codes"
"""The outbox channel of what was asked for."""
_DIGITS = 12
_GROUP = 4
_LONGEST = 40
"""Characters of a name: longer than any."""
_MOST_RETRIES = 5
"""When others ask in the same moment."""


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
        if self._clock.now() - datetime.fromisoformat(asked["at"]) >= PATIENCE:
            return  # nobody waits for it any more
        for _ in range(_MOST_RETRIES):
            if self._settle(asked):
                return
        raise Deferred("others ask for codes of the same card all the time")

    def _settle(self, asked: Payload) -> bool:
        """Keep a code, and send it where it is to be sent; the token is asked before anything is
        locked. False: another one began meanwhile."""
        identifier, purpose = str(asked["request"]), Purpose(asked["purpose"])
        channel, now = Channel(asked["channel"]), self._clock.now()
        with self._database.reading() as connection:
            if one_time_code_rows.find(connection, identifier) is not None:
                return True  # done before, by a worker that died before it could say so
            card = _find(connection, asked)
            to = None if card is None else self._contacts.of(connection, card.holder).at(channel)
            young = self._young(connection, card, purpose, channel)
        code = self._new_code() if young is None else self._open(young)
        kept = Kept(
            id=identifier,
            card=NOBODYS if card is None or to is None else card.number,
            purpose=str(purpose),
            channel=str(channel),
            created_at=now,
            begun_at=now if young is None else young.begun_at,
            expires_at=now + LIFETIME if young is None else young.expires_at,
            sent=False,
            sealed=self._sealing.encrypt(code.encode("ascii"), _context(identifier)),
        )
        if card is None or to is None:
            with self._database.transaction() as connection:
                one_time_code_rows.add(connection, kept)
            return True
        lifetime = kept.expires_at - now
        values = _told(card, purpose, code, lifetime)
        notice = self._notices.seal(channel, to, ONE_TIME_CODE, values, lifetime=lifetime)
        with self._database.transaction() as connection:
            card_rows.lock(connection, card.number)
            still = self._young(connection, card, purpose, channel)
            if (still and still.begun_at) != (young and young.begun_at):
                return False
            self._keep(connection, card, kept, notice, shared=young is not None)
        return True

    def _young(
        self, connection: Connection, card: Card | None, purpose: Purpose, channel: Channel
    ) -> Kept | None:
        """The code that whoever asks now shares."""
        if card is None:
            return None
        since = self._clock.now() - SHARED
        return one_time_code_rows.newest(connection, card.number, purpose, channel, since)

    def _keep(
        self, connection: Connection, card: Card, kept: Kept, notice: SealedNotice, *, shared: bool
    ) -> None:
        """The card is locked: one counts after the other."""
        now = self._clock.now()
        sent = one_time_code_rows.messages(connection, kept) if shared else []
        goes = len(sent) < MOST_MESSAGES and all(now - at >= SENT_AGAIN_AFTER for at in sent)
        goes = goes and self._notices.put_sealed(connection, notice, about=card.number)
        holds = kept if goes or shared else replace(kept, card=NOBODYS)
        one_time_code_rows.add(connection, replace(holds, sent=goes))
        if goes:
            self._journal.append(
                connection,
                Event.CARD_CODE_SENT,
                subject=card.number,
                actor="anonymous",
                purpose=kept.purpose,
                channel=kept.channel,
            )

    def redeem(self, identifier: str, code: str) -> Redeemed:
        """Spend a code. Raises Unauthenticated `code.refused`, whatever is wrong with it."""
        with self._database.reading() as connection:
            found = one_time_code_rows.find(connection, identifier)
        redeemed = None
        if found is not None:
            right = self._open(found)
            with self._database.transaction() as connection:
                card_rows.lock(connection, found.card)
                kept = one_time_code_rows.find(connection, identifier, lock=True)
                if kept is not None and kept.may_be_tried(self._clock.now(), MOST_TRIES):
                    redeemed = self._try(connection, kept, right, code)
        if redeemed is None:
            raise Unauthenticated("code.refused", "the code is wrong, used or too old")
        return redeemed

    def _try(self, connection: Connection, kept: Kept, right: str, given: str) -> Redeemed | None:
        digits = "".join(c for c in given[:40] if c.isdigit() and c.isascii())
        is_right = hmac.compare_digest(right, digits) and kept.card != NOBODYS
        one_time_code_rows.count_attempt(connection, kept)
        if is_right:
            one_time_code_rows.spend(connection, kept, self._clock.now())
            return Redeemed(card_rows.by_number(connection, kept.card), Purpose(kept.purpose))
        if kept.card == NOBODYS:
            return None  # strangers' guesses at nothing are no evidence
        tries = one_time_code_rows.count_attempts(connection, kept)
        if tries <= MOST_TOLD:
            self._journal.append(
                connection,
                Event.CARD_CODE_REFUSED,
                subject=kept.card,
                actor="anonymous",
                purpose=kept.purpose,
                tries=tries,
            )
        return None

    def _open(self, kept: Kept) -> str:
        return self._sealing.decrypt(kept.sealed, _context(kept.id)).decode("ascii")

    def _new_code(self) -> str:
        """The remainder of 128 random bits leans by less than 2^-88."""
        number = int.from_bytes(self._entropy.token(16), "big")
        return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def _find(connection: Connection, asked: Payload) -> Card | None:
    """The made card that was named."""
    if asked["card"]:
        found = card_rows.find_by_number(connection, asked["card"])
        return found if found is not None and found.is_made else None
    return card_rows.find_made(connection, asked["uscc"], asked["employee"])


def _told(card: Card, purpose: Purpose, code: str, lifetime: timedelta) -> dict[str, str]:
    act_zh, act_en = _ACTS[purpose]
    groups = [code[at : at + _GROUP] for at in range(0, _DIGITS, _GROUP)]
    return {
        "code": " ".join(groups),
        "card": card.number,
        "act_zh": act_zh,
        "act_en": act_en,
        "minutes": str(lifetime // timedelta(minutes=1)),
    }


def _context(identifier: str) -> bytes:
    return b"PortSeal one-time code " + identifier.encode("ascii")
