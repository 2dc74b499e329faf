"""A report of loss: what was reported, when and by whom, timestamped (Electronic Signature Law,
articles 15 and 27).

The report takes effect before it is timestamped, and though no timestamp can be had: what is
missing then is made up by `LossReports.stamp_missing`.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from datetime import datetime

from kernel.clock import Clock
from kernel.refusals import Refusal
from ra_portal.cards import card_moves
from ra_portal.cards.card import Card
from ra_portal.cards.card_moves import Evidence, EvidenceKind, RecordedMove
from records.database import Database
from records.events import Event
from records.journal import Journal

_log = logging.getLogger("portseal.cards")

Stamp = Callable[[bytes], bytes]
"""SHA-256 digest -> RFC 3161 token. Raises Unavailable."""


def statement(card: Card, at: datetime, reporter: str, channel: str) -> Evidence:
    """What is reported, as JSON with sorted keys, UTF-8."""
    told = {
        "report": "loss of a card",
        "card": card.number,
        "certificate_serial": card.serial,
        "certificate_sha256": card.fingerprint,
        "reported_at": at.isoformat(timespec="milliseconds"),
        "reported_by": reporter,
        "channel": channel,
    }
    text = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Evidence(EvidenceKind.STATEMENT, text.encode("utf-8"))


class LossReports:
    """Timestamps the reports."""

    def __init__(self, database: Database, journal: Journal, clock: Clock, stamp: Stamp) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._stamp = stamp

    def stamp_missing(self, limit: int = 100) -> int:
        """Timestamp the statements that have none; how many now have. Stops at a refusal of the
        timestamp authority, which is logged: the next call goes on."""
        with self._database.reading() as connection:
            waiting = card_moves.unstamped(connection, limit)
        done = 0
        for move in waiting:
            try:
                done += self._stamp_one(move)
            except Refusal as refusal:
                _log.warning("a report of loss waits for its timestamp: %s", refusal.code)
                break
        return done

    def _stamp_one(self, move: RecordedMove) -> bool:
        if move.evidence is None:
            return False
        digest = hashlib.sha256(move.evidence.content).digest()
        token = self._stamp(digest)
        with self._database.transaction() as connection:
            if not card_moves.add_stamp(connection, move.id, token):
                return False
            self._journal.append(
                connection,
                Event.CARD_LOSS_TIMESTAMPED,
                subject=move.card,
                actor="system",
                evidence_sha256=digest.hex(),
                token_sha256=hashlib.sha256(token).hexdigest(),
            )
        return True
