"""The moves of cards as they are kept: what, when, who, why, and the evidence for it.

Each is written in the transaction that moves the card, beside the journal's record, which names
the evidence by its digest. The journal proves; this is what a card's page shows.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select, update

from ra_portal.cards.card import Card
from ra_portal.cards.tables import card_moves
from records.events import Event
from records.journal import Journal

LONGEST_REASON = 200


class Move(StrEnum):
    """The named transitions of a card that has been made."""

    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    REPORT_LOSS = "report-loss"
    RENEW = "renew"
    REPLACE = "replace"
    REVOKE = "revoke"
    EXPIRE = "expire"
    RENEWAL_DUE = "renewal-due"
    RECOVER = "recover"


_EVENTS = {
    Move.FREEZE: Event.CARD_FROZEN,
    Move.UNFREEZE: Event.CARD_UNFROZEN,
    Move.REPORT_LOSS: Event.CARD_LOSS_REPORTED,
    Move.RENEW: Event.CARD_RENEWED,
    Move.REPLACE: Event.CARD_REPLACED,
    Move.REVOKE: Event.CARD_REVOKED,
    Move.EXPIRE: Event.CARD_EXPIRED,
    Move.RENEWAL_DUE: Event.CARD_RENEWAL_DUE,
    Move.RECOVER: Event.CARD_RECOVERED,
}


class EvidenceKind(StrEnum):
    """What the evidence of a move is."""

    STATEMENT = "statement"
    """What was reported, as JSON; with a timestamp over it."""
    CARD_PROOF = "card-proof"
    """The old card's answer to a challenge that names the new key."""
    DECISION = "decision"
    """Who decided what under which reference, as JSON."""


@dataclass(frozen=True)
class Evidence:
    kind: EvidenceKind
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class RecordedMove:
    id: int
    card: str
    at: datetime
    move: Move
    actor: str
    why: str
    evidence: Evidence | None
    stamp: bytes | None
    """RFC 3161, over the evidence."""


def record(
    connection: Connection,
    journal: Journal,
    move: Move,
    card: Card,
    at: datetime,
    actor: str,
    why: str,
    evidence: Evidence | None = None,
) -> None:
    """Write a move and its journal record in the caller's transaction."""
    values = {
        "card": card.number,
        "at": at,
        "move": str(move),
        "actor": actor[:200],
        "why": why[:LONGEST_REASON],
        "evidence_kind": None if evidence is None else str(evidence.kind),
        "evidence": None if evidence is None else evidence.content,
    }
    connection.execute(insert(card_moves), values)
    journal.append(
        connection,
        _EVENTS[move],
        subject=card.number,
        actor=actor,
        serial=card.serial,
        reason=why[:LONGEST_REASON],
        evidence_kind=None if evidence is None else str(evidence.kind),
        evidence_sha256=None if evidence is None else evidence.sha256,
    )


def of_card(connection: Connection, number: str) -> list[RecordedMove]:
    """The moves of one card, oldest first."""
    query = select(card_moves).where(card_moves.c.card == number).order_by(card_moves.c.id)
    return [_move(row) for row in connection.execute(query)]


def unstamped(connection: Connection, limit: int) -> list[RecordedMove]:
    """Statements that wait for their timestamp, oldest first."""
    query = (
        select(card_moves)
        .where(
            card_moves.c.evidence.is_not(None),
            card_moves.c.stamp.is_(None),
            card_moves.c.evidence_kind == str(EvidenceKind.STATEMENT),
        )
        .order_by(card_moves.c.id)
        .limit(limit)
    )
    return [_move(row) for row in connection.execute(query)]


def add_stamp(connection: Connection, identifier: int, token: bytes) -> bool:
    """False: it has one already."""
    mine = update(card_moves).where(card_moves.c.id == identifier, card_moves.c.stamp.is_(None))
    return connection.execute(mine.values(stamp=token)).rowcount == 1


def _move(row: object) -> RecordedMove:
    found = row._mapping  # type: ignore[attr-defined]
    evidence = None
    if found["evidence"] is not None:
        evidence = Evidence(EvidenceKind(found["evidence_kind"]), bytes(found["evidence"]))
    return RecordedMove(
        id=found["id"],
        card=found["card"],
        at=found["at"],
        move=Move(found["move"]),
        actor=found["actor"],
        why=found["why"],
        evidence=evidence,
        stamp=None if found["stamp"] is None else bytes(found["stamp"]),
    )
