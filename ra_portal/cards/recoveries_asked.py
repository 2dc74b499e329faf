"""Anybody may ask that an enterprise's legal-person card be recovered.

Whether there is such an enterprise, or a card to recover, is told neither by the answer nor by its
time: the worker looks.
"""

from datetime import datetime, timedelta

from kernel.clock import Clock
from ra_portal import fields
from ra_portal.cards.card_moves import LONGEST_REASON
from ra_portal.cards.recovery import Recovery
from records.database import Database
from records.outbox import Delivery, Outbox, Payload

CHANNEL = "recoveries-asked"
"""The outbox channel of what was asked for."""
_PATIENCE = timedelta(days=1)
"""How old what was asked for may be when it is looked at."""
_LONGEST_USCC = 40
"""Characters: longer than any."""


class RecoveriesAsked:
    def __init__(
        self, database: Database, clock: Clock, outbox: Outbox, recovery: Recovery
    ) -> None:
        self._database = database
        self._clock = clock
        self._outbox = outbox
        self._recovery = recovery

    def ask(self, uscc: str, why: str) -> None:
        """By the enterprise's credit code. Raises Malformed `field.*` for a reason that is none."""
        asked = {
            "uscc": uscc.strip()[:_LONGEST_USCC] if uscc.isprintable() else "",
            "why": fields.text(LONGEST_REASON)(fields.paragraph(why, LONGEST_REASON)),
            "at": self._clock.now().isoformat(),
        }
        with self._database.transaction() as connection:
            self._outbox.put(connection, CHANNEL, asked)

    def begin_asked(self, *, at_once: bool = False) -> Delivery:
        """For the worker."""
        return self._outbox.deliver(
            self._database, CHANNEL, self._begin, at_once=at_once, in_order=False
        )

    def _begin(self, asked: Payload) -> None:
        if self._clock.now() - datetime.fromisoformat(asked["at"]) < _PATIENCE:
            self._recovery.ask(asked["uscc"], asked["why"])
