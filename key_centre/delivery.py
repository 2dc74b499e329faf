"""Delivery: a card's encryption key is made once, escrowed, certified, and sent sealed.

In numbered lines, with what is left when the process dies after each:

1. The statement is verified, the card found. Nothing is left.
2. The key pair is made in the token and its row written, with the journal, in one transaction: a
   key without a row was never anywhere but in the token's memory.
3. The certificate is issued, and noted in the row. Dying in between leaves a certificate that the
   next request finds by its key, or an intent that is reconciled.
4. The private key is sealed in the token to the transport key, the delivery journalled, and only
   then handed out. The same request again gives the same key, sealed anew.
"""

from dataclasses import dataclass

from hsm.token import Token
from hsm.transport import seal
from hsm.wrapping import KeyUse
from kernel.algorithms import RSA_PKCS1_SHA256, AlgorithmSuite, KeyKind, PublicKey
from kernel.asn1.certificate import Certificate
from kernel.asn1.key_envelope import KeyEnvelope
from kernel.clock import Clock
from kernel.identifiers import serial_text
from kernel.refusals import Conflict, Unavailable, Unprocessable
from key_centre import escrow
from key_centre.escrow import EscrowedKey
from key_centre.ports import Cards, Certifier, LiveCard
from key_centre.requests import CardRequest, verified
from records.database import Database
from records.events import Event
from records.journal import Journal


@dataclass(frozen=True)
class Delivery:
    """What goes onto the card."""

    certificate: Certificate
    envelope: KeyEnvelope


class Deliveries:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        token: Token,
        escrow_label: str,
        cards: Cards,
        certifier: Certifier,
        origin: str,
    ) -> None:
        """`escrow_label`: the secret key in `token` that wraps; `origin`: what statements name."""
        self._database = database
        self._journal = journal
        self._clock = clock
        self._token = token
        self._escrow_label = escrow_label
        self._cards = cards
        self._certifier = certifier
        self._origin = origin

    def deliver(self, request: CardRequest) -> Delivery:
        """The encryption key of the card that asks.

        Raises as `key_centre.requests.verified`; Unprocessable `key-delivery.kind` for a kind of
        key that nothing is encrypted to; Conflict `key-delivery.ended` when its encryption
        certificate ended; Unavailable `key-delivery.unsettled`, and from token or database.
        """
        vouched = verified(request, self._cards, self._origin)
        key = self._escrowed(vouched.card)
        certificate = key.certificate or self._certified(vouched.card, key)
        if not self._certifier.is_good(certificate.serial):
            raise Conflict(
                "key-delivery.ended", "the card's encryption certificate has ended: renew the card"
            )
        envelope = self.sealed(key, vouched.transport_key)
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.KEY_DELIVERED,
                subject=serial_text(certificate.serial),
                actor=vouched.card.holder,
                card=vouched.card.number,
                transport_key=vouched.transport_key.fingerprint,
            )
        return Delivery(certificate, envelope)

    def sealed(self, key: EscrowedKey, transport_key: PublicKey) -> KeyEnvelope:
        """From escrow to a transport key, in the token. Raises Unavailable."""
        return seal(self._token, key.wrapped, self._escrow_label, transport_key)

    def _escrowed(self, card: LiveCard) -> EscrowedKey:
        with self._database.reading() as connection:
            found = escrow.of_signing_certificate(connection, card.certificate.serial)
        return found or self._make(card)

    def _make(self, card: LiveCard) -> EscrowedKey:
        suite, use = _kind_beside(card.certificate.public_key)
        wrapped = self._token.generate_wrapped(suite, use, self._escrow_label)
        made = escrow.new_key(card, wrapped, self._clock.now())
        with self._database.transaction() as connection:
            if escrow.add(connection, made):
                self._journal.append(
                    connection,
                    Event.KEY_ESCROWED,
                    subject=card.number,
                    actor=card.holder,
                    key=made.public_key.fingerprint,
                    signing_serial=serial_text(made.signing_serial),
                )
                return made
            found = escrow.of_signing_certificate(connection, card.certificate.serial)
        if found is None:
            raise Unavailable("key-delivery.unsettled", "try again shortly")
        return found

    def _certified(self, card: LiveCard, key: EscrowedKey) -> Certificate:
        certificate = self._certifier.certify(card, key.public_key)
        with self._database.transaction() as connection:
            escrow.note_certificate(connection, key, certificate)
        return certificate


def _kind_beside(signing: PublicKey) -> tuple[AlgorithmSuite, KeyUse]:
    """An encryption key of the signing key's own kind and strength."""
    if signing.kind is KeyKind.RSA:
        return RSA_PKCS1_SHA256, KeyUse.DECRYPT
    if signing.kind is KeyKind.EC:
        return signing.default_suite(), KeyUse.AGREE
    raise Unprocessable("key-delivery.kind", "nothing is encrypted to this kind of key")
