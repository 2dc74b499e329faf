"""What a card asks for with its signing key: the statement of docs/key-centre.md, verified."""

from dataclasses import dataclass

from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.asn1.key_envelope import require_transport_key
from kernel.identifiers import Serial
from kernel.refusals import Forbidden, Unauthenticated
from kernel.transport_statement import transport_statement
from key_centre.ports import Cards, LiveCard

MAX_SIGNATURE_BYTES = 1024


@dataclass(frozen=True)
class CardRequest:
    """Octets as they came."""

    certificate: bytes
    """The signing certificate, DER."""
    transport_key: bytes
    """SubjectPublicKeyInfo, DER."""
    signature: bytes
    """Over the statement, in X.509's shape."""


@dataclass(frozen=True)
class VouchedKey:
    """A transport key that a live card vouches for."""

    card: LiveCard
    transport_key: PublicKey


def verified(
    request: CardRequest, cards: Cards, origin: str, recovers: Serial | None = None
) -> VouchedKey:
    """Raises Malformed `certificate.malformed`, `public-key.malformed`; Unprocessable
    `public-key.unsupported`, `transport-key.unsuitable`; Unauthenticated
    `key-delivery.signature`; Forbidden `key-delivery.card`."""
    certificate = Certificate.parse(request.certificate)
    key = PublicKey.from_spki(request.transport_key)
    require_transport_key(key)
    own = certificate.public_key
    statement = transport_statement(certificate, key, origin, recovers)
    if len(request.signature) > MAX_SIGNATURE_BYTES or not own.verify(
        own.default_suite(), request.signature, statement
    ):
        raise Unauthenticated(
            "key-delivery.signature", "the transport key is not signed for by the card's key"
        )
    card = cards.live(certificate)
    if card is None:
        raise Forbidden("key-delivery.card", "not a card of ours that is good now")
    return VouchedKey(card, key)
