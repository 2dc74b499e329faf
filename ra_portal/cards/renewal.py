"""Renewal: the old card asks for its successor, with a new key, and no officer is needed.

In numbered lines, with what is left when the process dies after each:

1. `begin`: signed in with the old card, the holder sends a PKCS#10 for the new key. The answer is
   a challenge that names it: SHA-256 over a random value and the request.
2. `finish`: the old key has signed a statement that names both keys, our origin and the challenge
   (`kernel.renewal_statement`), which it signs for nothing else.
3. The certificate is issued under the successor's number, which the renewal noted before. Dying
   here leaves a certificate without a card: `finish` again takes it over, and `settle` revokes it
   when nobody does.
4. In one transaction the old card is replaced, the successor active, the move recorded with the
   old card's proof as evidence.
5. The old certificate is revoked as superseded; `settle` makes up for a death before it.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from ca.inventory import RevocationReason
from ca.issuing.request import read_pkcs10
from ca.revocation import Revocation
from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.identifiers import serial_text
from kernel.refusals import Conflict, Forbidden, NotFound, Refusal, Unauthenticated
from kernel.renewal_statement import renewal_statement
from policies.card_life import CardLifePolicy
from ra_portal.cards import card_moves, card_rows
from ra_portal.cards.card import Card, CardState
from ra_portal.cards.card_making import CardMaking
from ra_portal.cards.card_moves import Evidence, EvidenceKind, Move
from ra_portal.cards.cards import Cards
from ra_portal.cards.charge import is_own
from ra_portal.cards.enrolment import EnrolledCard
from ra_portal.cards.tables import renewals
from ra_portal.cards.withdrawal import withdraw
from ra_portal.people.identity import Identity
from ra_portal.row_by_row import row_by_row
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

LIFETIME = timedelta(minutes=15)
_RANDOM_OCTETS = 32
_MAX_SIGNATURE_BYTES = 1024


@dataclass(frozen=True)
class BegunRenewal:
    id: str
    challenge: str
    """44 characters, for the statement that the old key signs."""
    expires_at: datetime


class Renewal:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        cards: Cards,
        making: CardMaking,
        revocation: Revocation,
        policy: CardLifePolicy,
        origin: str,
        on_card_ended: Callable[[Card], None],
    ) -> None:
        """`origin`: ours, as the statement of a renewal names it."""
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._cards = cards
        self._making = making
        self._revocation = revocation
        self._policy = policy.renewal
        self._origin = origin
        self._on_card_ended = on_card_ended

    def is_due(self, card: Card) -> bool:
        """Whether the card may renew itself now; else it may re-key, keeping its end."""
        if card.state is not CardState.ACTIVE or card.not_after is None:
            return False
        return (
            card.renew_by is not None or self._clock.now() >= card.not_after - self._policy.window
        )

    def begin(self, by: Identity, number: str, pkcs10: bytes) -> BegunRenewal:
        """The challenge for the old card. Raises Forbidden `card.foreign`, NotFound, Conflict
        `card.state`, `renewal.same-key`, `renewal.too-often`, and as `read_pkcs10`."""
        key = read_pkcs10(pkcs10).public_key
        now = self._clock.now()
        with self._database.transaction() as connection:
            card = card_rows.by_number(connection, number)
            if not is_own(by, card):
                raise Forbidden("card.foreign", "this card belongs to somebody else")
            self._require_renewable(connection, card, key)
            identifier, nonce = new_id(), self._entropy.token(_RANDOM_OCTETS)
            row = {
                "id": identifier,
                "card": card.number,
                "following": self._cards.new_number(card.holder),
                "random": nonce,
                "pkcs10": pkcs10,
                "created_at": now,
                "expires_at": now + LIFETIME,
            }
            connection.execute(insert(renewals), row)
        return BegunRenewal(identifier, _challenge(nonce, pkcs10), now + LIFETIME)

    def finish(self, by: Identity, identifier: str, signature: bytes) -> EnrolledCard:
        """The successor, made. `signature`: the old key's over `renewal_statement`, under the
        key's usual suite. Raises as `begin`, NotFound `renewal.unknown`, Conflict `renewal.over`,
        Unauthenticated `renewal.signature`, and as `Authority.prepare`."""
        with self._database.reading() as connection:
            row = connection.execute(
                select(renewals).where(renewals.c.id == identifier[:32])
            ).one_or_none()
            if row is None:
                raise NotFound("renewal.unknown", "there is no such renewal")
            old = card_rows.by_number(connection, row.card)
            if not is_own(by, old):
                raise Forbidden("card.foreign", "this card belongs to somebody else")
        if row.finished_at is not None or self._clock.now() >= row.expires_at:
            raise Conflict("renewal.over", "this renewal is finished or too old; begin another")
        _require_active(old)
        pkcs10, key = bytes(row.pkcs10), read_pkcs10(bytes(row.pkcs10)).public_key
        old_key = Certificate.parse(old.certificate or b"").public_key
        challenge = _challenge(bytes(row.random), pkcs10)
        statement = renewal_statement(old_key, key, self._origin, challenge)
        if len(signature) > _MAX_SIGNATURE_BYTES or not old_key.verify(
            old_key.default_suite(), signature, statement
        ):
            refusal = Unauthenticated(
                "renewal.signature", "the card's key has not signed for this new key here"
            )
            self._refuse(old, refusal)
            raise refusal
        following, certificate = self._certify(old, row.following, key)
        evidence = _evidence(bytes(row.random), pkcs10, statement, signature)
        made = self._hand_over(identifier, old, following, certificate, evidence)
        withdraw(self._revocation, old, RevocationReason.SUPERSEDED, by.actor)
        self._on_card_ended(made[0])
        self._settled(identifier)
        return EnrolledCard(made[1], certificate, self._making.path_of(certificate))

    def settle(self, limit: int = 100) -> int:
        """Make up for what died midway: certificates without a card, old ones not yet revoked,
        their sessions not yet ended. How many were settled. For the worker."""
        now = self._clock.now()
        query = (
            select(renewals)
            .where(renewals.c.settled_at.is_(None))
            .where(or_(renewals.c.expires_at < now, renewals.c.finished_at.is_not(None)))
            .order_by(renewals.c.id)
            .limit(limit)
        )

        def page(behind: str) -> Sequence[Any]:
            with self._database.reading() as connection:
                return connection.execute(query.where(renewals.c.id > behind)).all()

        return row_by_row("renewals", page, lambda row: str(row.id), self._settle)

    def _settle(self, row: Any) -> None:
        if row.finished_at is None:
            self._making.withdraw_all(row.following)
        else:
            with self._database.reading() as connection:
                old = card_rows.by_number(connection, row.card)
            withdraw(self._revocation, old, RevocationReason.SUPERSEDED, "renewal")
            self._on_card_ended(old)
        self._settled(row.id)

    def _require_renewable(self, connection: Connection, card: Card, key: PublicKey) -> None:
        _require_active(card)
        if Certificate.parse(card.certificate or b"").public_key.fingerprint == key.fingerprint:
            raise Conflict("renewal.same-key", "a renewed card has a new key")
        most = self._policy.self_renewals
        if _renewals_before(connection, card, most) >= most:
            raise Conflict(
                "renewal.too-often",
                "an officer must check the holder's identity before the next renewal",
                renewals=most,
            )

    def _certify(self, old: Card, number: str, key: PublicKey) -> tuple[Card, Certificate]:
        now = self._clock.now()
        following = Card(
            id=new_id(),
            number=number,
            holder=old.holder,
            state=CardState.REQUESTED,
            requested_at=now,
            predecessor=old.number,
        )
        with self._database.reading() as connection:
            subject = self._making.subject(connection, following)
        end = None if self.is_due(old) else old.not_after
        return following, self._making.certificate(following, key, subject, end)

    def _hand_over(
        self,
        identifier: str,
        old: Card,
        following: Card,
        certificate: Certificate,
        evidence: Evidence,
    ) -> tuple[Card, Card]:
        """The old card replaced and the successor active, or neither.

        Raises Conflict `card.changed`, `renewal.over` when something overtook the renewal; its
        certificate is revoked by `settle`.
        """
        now = self._clock.now()
        ended = old.replace_by_another(now)
        active = following.activate(
            certificate.der,
            serial_text(certificate.serial),
            certificate.fingerprint,
            now,
            certificate.not_after,
        )
        with self._database.transaction() as connection:
            mine = (renewals.c.id == identifier) & renewals.c.finished_at.is_(None)
            done = connection.execute(update(renewals).where(mine).values(finished_at=now))
            if done.rowcount != 1:
                raise Conflict("renewal.over", "this renewal is finished or too old; begin another")
            card_rows.save(connection, ended)
            card_rows.add(connection, active)
            actor, why = str(old.holder), f"renewed by {active.number}"
            card_moves.record(
                connection, self._journal, Move.RENEW, ended, now, actor, why, evidence
            )
            self._journal.append(
                connection,
                Event.CARD_MADE,
                subject=active.number,
                actor=actor,
                serial=active.serial,
                sha256=active.fingerprint,
                predecessor=old.number,
            )
        return ended, active

    def _settled(self, identifier: str) -> None:
        with self._database.transaction() as connection:
            mine = update(renewals).where(renewals.c.id == identifier)
            connection.execute(mine.values(settled_at=self._clock.now()))

    def _refuse(self, card: Card, refusal: Refusal) -> None:
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.CARD_RENEWAL_REFUSED,
                subject=card.number,
                actor=str(card.holder),
                code=refusal.code,
            )


def _require_active(card: Card) -> None:
    """A frozen card asks for nothing. Raises Conflict `card.state`."""
    if card.state is not CardState.ACTIVE:
        raise Conflict(
            "card.state",
            "the card's state does not allow this step",
            state=card.state,
            card=card.number,
        )


def _challenge(random: bytes, pkcs10: bytes) -> str:
    digest = hashlib.sha256(b"PortSeal card renewal, version 1\0" + random + pkcs10).digest()
    return base64.b64encode(digest).decode("ascii")


def _evidence(random: bytes, pkcs10: bytes, statement: bytes, signature: bytes) -> Evidence:
    told = {
        "random": base64.b64encode(random).decode("ascii"),
        "pkcs10": base64.b64encode(pkcs10).decode("ascii"),
        "statement": statement.decode("ascii"),
        "signature": base64.b64encode(signature).decode("ascii"),
    }
    return Evidence(EvidenceKind.CARD_PROOF, json.dumps(told, sort_keys=True).encode("utf-8"))


def _renewals_before(connection: Connection, card: Card, most: int) -> int:
    """How often in a row the card renewed itself, counted up to `most`."""
    count, before = 0, card.predecessor
    while count < most and before is not None:
        moves = card_moves.of_card(connection, before)
        if not any(each.move is Move.RENEW for each in moves):
            break
        count += 1
        before = card_rows.by_number(connection, before).predecessor
    return count
