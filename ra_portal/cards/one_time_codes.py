"""One-time codes to a registered telephone or mail address: who has it acts for one card, once.

What is shared, counted and told to nobody: `shared_codes.codes`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.refusals import Malformed
from ra_portal.cards import card_rows
from ra_portal.cards.appointers import takes_two
from ra_portal.cards.card import Card, Holder
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import ONE_TIME_CODE, Notices, SealedNotice
from ra_portal.people.contacts import Contacts
from ra_portal.shared_codes.codes import DIGITS, Kind, SharedCodes, Wanted, in_groups, typed_digits
from ra_portal.shared_codes.rows import NOBODYS, Kept
from records.database import Database, new_id
from records.events import Event
from records.outbox import Delivery, Outbox, Payload

CHANNEL = "card-codes"
"""The outbox channel of what was asked for."""
CODES_OF_CARDS = Kind(DIGITS, card_rows.lock, Event.CARD_CODE_SENT, Event.CARD_CODE_REFUSED)
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
        clock: Clock,
        shared: SharedCodes,
        contacts: Contacts,
        notices: Notices,
        outbox: Outbox,
    ) -> None:
        """`shared`: those of `CODES_OF_CARDS`."""
        self._database = database
        self._clock = clock
        self._shared = shared
        self._contacts = contacts
        self._notices = notices
        self._outbox = outbox

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
        if self._shared.is_stale(asked["at"]):
            return
        purpose, channel = Purpose(asked["purpose"]), Channel(asked["channel"])
        with self._database.reading() as connection:
            card = _find(connection, asked)
            two = card is not None and takes_two(connection, card)
        to = None if card is None else self._reached(card.holder, channel, two)
        number = NOBODYS if card is None or to is None else card.number

        def letters(code: str, holds: timedelta) -> Sequence[SealedNotice]:
            assert to is not None
            values = _told(number, purpose, code, holds)
            return [self._notices.seal(channel, to, ONE_TIME_CODE, values, lifetime=holds)]

        self._shared.give(Wanted(str(asked["request"]), number, purpose, channel), letters)

    def _reached(self, holder: Holder, channel: Channel, two: bool) -> str | None:
        """The code of a card that `two` must end goes only where the holder said: else whoever put
        in another address would end it alone."""
        look_up = self._contacts.look_up_own if two else self._contacts.look_up
        return look_up(holder).at(channel)

    def redeem(self, identifier: str, code: str) -> Redeemed:
        """Spend a code. Raises Unauthenticated `code.refused`, whatever is wrong with it."""
        return self._shared.redeem(identifier, typed_digits(code), _redeemed)


def _redeemed(connection: Connection, kept: Kept) -> Redeemed:
    return Redeemed(card_rows.by_number(connection, kept.subject), Purpose(kept.purpose))


def _find(connection: Connection, asked: Payload) -> Card | None:
    """The made card that was named."""
    if asked["card"]:
        found = card_rows.find_by_number(connection, asked["card"])
        return found if found is not None and found.is_made else None
    return card_rows.find_made(connection, asked["uscc"], asked["employee"])


def _told(card: str, purpose: Purpose, code: str, lifetime: timedelta) -> dict[str, str]:
    act_zh, act_en = _ACTS[purpose]
    return {
        "code": in_groups(code),
        "card": card,
        "act_zh": act_zh,
        "act_en": act_en,
        "minutes": str(lifetime // timedelta(minutes=1)),
    }
