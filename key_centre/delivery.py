"""Delivery: a card's encryption key is made once, escrowed, certified, and sent sealed.

In numbered lines, with what is left when the process dies after each:

1. The statement is verified, the card found. Nothing is left.
2. A key pair comes out of the pool (`key_centre.pool`) or, when that is empty, is made in the
   token; its row is written, with the journal, in one transaction: a key without a row was never
   anywhere but in the token's memory, or is in the pool still.
3. The certificate is issued, and noted in the row. Dying in between leaves a certificate that the
   next request finds by its key, or an intent that is reconciled.
4. The private key is sealed in the token to the transport key, the delivery journalled, and only
   then handed out. The same request again gives the same key, sealed anew.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from hsm.token import Token
from hsm.transport import seal
from kernel.algorithms import RSA_PKCS1_SHA256, AlgorithmSuite, KeyKind, PublicKey
from kernel.asn1.certificate import Certificate
from kernel.asn1.key_envelope import KeyEnvelope
from kernel.clock import Clock
from kernel.identifiers import serial_text
from kernel.refusals import Conflict, Unavailable, Unprocessable
from key_centre import escrow, escrow_keys
from key_centre.escrow import EscrowedKey
from key_centre.pool import take, use_of
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
        """`escrow_label`: the first secret key in `token` that wrapped (`key_centre.escrow_keys`);
        `origin`: what statements name."""
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
        certificate = self._newest(key) or self._certified(vouched.card, key)
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

    def _newest(self, key: EscrowedKey) -> Certificate | None:
        """None: it has no certificate yet."""
        if key.certificate is None:
            return None
        return self._certifier.newest(key.public_key) or key.certificate

    def sealed(self, key: EscrowedKey, transport_key: PublicKey) -> KeyEnvelope:
        """From escrow to a transport key, in the token. Raises Unavailable."""
        return seal(self._token, key.wrapped, key.escrow_label, transport_key)

    def _escrowed(self, card: LiveCard) -> EscrowedKey:
        found = self._found(card)
        if found is not None:
            return found
        try:
            return self._make(card)
        except Unavailable:
            found = self._found(card)  # another process was quicker
            if found is None:
                raise
            return found

    def _found(self, card: LiveCard) -> EscrowedKey | None:
        with self._database.reading() as connection:
            for serial in (card.certificate.serial, *card.before):
                found = escrow.of_signing_certificate(connection, serial)
                if found is not None:
                    return found
            return None

    def _make(self, card: LiveCard) -> EscrowedKey:
        """Raises Unavailable; Unprocessable `key-delivery.kind`."""
        suite = _kind_beside(card.certificate.public_key)
        pooled = self._from_pool(card, suite)
        if pooled is not None:
            return pooled
        with self._database.reading() as connection:
            label = escrow_keys.current(connection, self._escrow_label)
        wrapped = self._token.generate_wrapped(suite, use_of(suite), label)
        with self._database.transaction() as connection:
            now = self._clock.now()
            if escrow_keys.held(connection, self._escrow_label, now) != label:
                raise _unsettled()
            return self._add(connection, card, escrow.new_key(card, wrapped, label, now), False)

    def _from_pool(self, card: LiveCard, suite: AlgorithmSuite) -> EscrowedKey | None:
        """None: the pool has no key of this kind."""
        with self._database.transaction() as connection:
            taken = take(connection, suite)
            if taken is None:
                return None
            made = escrow.new_key(card, taken.wrapped, taken.escrow_label, self._clock.now())
            return self._add(connection, card, made, True)

    def _add(
        self, connection: Connection, card: LiveCard, made: EscrowedKey, made_ahead: bool
    ) -> EscrowedKey:
        """Raises Unavailable `key-delivery.unsettled`, which undoes everything, when another
        process made one for the same card first."""
        if not escrow.add(connection, made):
            raise _unsettled()
        self._journal.append(
            connection,
            Event.KEY_ESCROWED,
            subject=card.number,
            actor=card.holder,
            key=made.public_key.fingerprint,
            signing_serial=serial_text(made.signing_serial),
            made_ahead=made_ahead,
        )
        return made

    def _certified(self, card: LiveCard, key: EscrowedKey) -> Certificate:
        certificate = self._certifier.certify(card, key.public_key)
        with self._database.transaction() as connection:
            escrow.note_certificate(connection, key, certificate)
        return certificate


def _unsettled() -> Unavailable:
    return Unavailable("key-delivery.unsettled", "try again shortly")


def _kind_beside(signing: PublicKey) -> AlgorithmSuite:
    """An encryption key of the signing key's own kind and strength."""
    if signing.kind is KeyKind.RSA:
        return RSA_PKCS1_SHA256
    if signing.kind is KeyKind.EC:
        return signing.default_suite()
    raise Unprocessable("key-delivery.kind", "nothing is encrypted to this kind of key")
