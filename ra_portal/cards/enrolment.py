"""Enrolment: an activation code and a PKCS#10 request become a certificate and an active card.

In numbered lines, with what is left when the process dies after each:

1. The code is looked up by its hash, the request is read and its proof of possession verified.
2. The card notes the key that it is being made for. The code still works, with any key.
3. The certificate is prepared and issued with subject data from our records; the card's number
   is the inventory's reference. Dying midway leaves an intent, which `Authority.reconcile`
   revokes, or an issued certificate, which the next attempt with the same key takes over and the
   next attempt with another key revokes.
4. The card becomes active with the certificate, in one transaction; the code is used up.
5. The certificate is written onto the USB key. Where that came to nothing, the same code with the
   same key brings the same certificate again, until the code's time is over.

So no card is active without its certificate, and every certificate belongs to a card or is revoked.
"""

from dataclasses import dataclass

from ca.inventory import RevocationReason
from ca.issuing.request import read_pkcs10
from ca.issuing.subject import SubjectFields
from ca.revocation import Revocation
from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import serial_text
from kernel.refusals import Conflict, Refusal, TooMany, Unauthenticated, Unavailable
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card, CardState
from ra_portal.cards.card_making import CardMaking
from ra_portal.codes import CodePurpose, code_hash
from records.database import Database
from records.events import Event
from records.journal import Journal

MOST_FAILED_ATTEMPTS = 10
"""With one right code; then the holder needs a new one."""


@dataclass(frozen=True)
class EnrolledCard:
    """What goes onto the USB key."""

    card: Card
    certificate: Certificate
    chain: tuple[Certificate, ...]
    """Issuer first, root last."""


class Enrolment:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        making: CardMaking,
        revocation: Revocation,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._making = making
        self._revocation = revocation

    def enrol(self, activation_code: str, pkcs10: bytes) -> EnrolledCard:
        """Make the card that the code was given for.

        Asked again with the key that it was made for, it gives the same again.

        Raises Unauthenticated `enrolment.code` (unknown, used, replaced or too old), TooMany
        `enrolment.attempts`, what `ca.issuing.request.read_pkcs10` and `Authority.prepare` raise,
        Conflict `enterprise.closed`,
        Unavailable `enrolment.unsettled` while an attempt that died has not been reconciled.
        """
        card = self._card_for(activation_code)
        if card.state is CardState.ACTIVE:
            return self._made_before(card, pkcs10)
        try:
            key = read_pkcs10(pkcs10).public_key
            card, subject = self._begin(card, key)
            certificate = self._making.certificate(card, key, subject)
        except Unavailable:
            raise
        except Refusal as refusal:
            self._count_failure(card, refusal)
            raise
        return self._activate(card, key, certificate)

    def _card_for(self, activation_code: str) -> Card:
        hashed = code_hash(CodePurpose.ACTIVATION, activation_code)
        with self._database.reading() as connection:
            card = card_rows.find_by_code(connection, hashed)
        expires_at = card.activation_expires_at if card else None
        if (
            card is None
            or card.state not in (CardState.REQUESTED, CardState.ACTIVE)
            or expires_at is None
            or self._clock.now() >= expires_at
        ):
            raise _no_code()
        if card.failed_attempts >= MOST_FAILED_ATTEMPTS:
            raise TooMany("enrolment.attempts", "too many failed attempts; ask for a new code")
        return card

    def _made_before(self, card: Card, pkcs10: bytes) -> EnrolledCard:
        """For the key that the card was made for, and no other: whoever was interrupted before
        the certificate was on the USB key goes on."""
        certificate = Certificate.parse(card.certificate or b"")
        if read_pkcs10(pkcs10).public_key.spki != certificate.public_key.spki:
            raise _no_code()
        return EnrolledCard(card, certificate, self._making.path_of(certificate))

    def _begin(self, card: Card, key: PublicKey) -> tuple[Card, SubjectFields]:
        with self._database.transaction() as connection:
            subject = self._making.subject(connection, card)
            begun = card.begin(key.fingerprint)
            card_rows.save(connection, begun)
            self._journal.append(
                connection,
                Event.ENROLMENT_STARTED,
                subject=card.number,
                actor=str(card.holder),
                key=key.fingerprint,
            )
        return begun, subject

    def _activate(self, card: Card, key: PublicKey, certificate: Certificate) -> EnrolledCard:
        active = card.activate(
            certificate.der,
            serial_text(certificate.serial),
            certificate.fingerprint,
            self._clock.now(),
            certificate.not_after,
        )
        try:
            with self._database.transaction() as connection:
                card_rows.save(connection, active)
                self._journal.append(
                    connection,
                    Event.CARD_MADE,
                    subject=card.number,
                    actor=str(card.holder),
                    serial=active.serial,
                    sha256=active.fingerprint,
                )
        except Conflict:
            # Another attempt, a new code or a revocation overtook this one.
            self._revocation.revoke(
                certificate.serial, RevocationReason.CESSATION_OF_OPERATION, "enrolment"
            )
            raise
        return EnrolledCard(active, certificate, self._making.path_of(certificate))

    def _count_failure(self, card: Card, refusal: Refusal) -> None:
        with self._database.transaction() as connection:
            now = card_rows.by_number(connection, card.number)
            if now.state is CardState.REQUESTED:
                card_rows.save(connection, now.count_failure())
            self._journal.append(
                connection,
                Event.ENROLMENT_REFUSED,
                subject=card.number,
                actor=str(card.holder),
                code=refusal.code,
            )


def _no_code() -> Unauthenticated:
    return Unauthenticated(
        "enrolment.code", "the activation code is wrong, used, replaced or too old"
    )
