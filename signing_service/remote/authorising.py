"""Authorisation by the card itself: a program that can reach the legal-person card has it sign
what shall be sealed, and needs no browser (CSC API 2.0.0.2, 11.6 and 11.7: credentials/authorize
with `authData`, and credentials/getChallenge).
"""

import base64

from kernel.algorithms import DIGEST_OIDS
from kernel.asn1.certificate import Certificate
from kernel.refusals import Forbidden
from signing_service.remote.activation import Authorisation

CHALLENGE_OBJECT = "challenge"
CARD_OBJECT = "card"
"""Identifiers of the two authentication objects of `authData`."""


def statement(origin: str, nonce: str, agreed: Authorisation) -> bytes:
    """What the card signs: one line each for its purpose, our origin, the seal, the challenge and
    the digest algorithm, then a line for each digest. No other protocol signs such a text."""
    lines = [
        "PortSeal seal authorisation 1",
        origin,
        agreed.client_id,
        agreed.credential,
        nonce,
        DIGEST_OIDS[agreed.digest],
        *(base64.b64encode(each).decode("ascii") for each in agreed.hashes),
    ]
    return ("\n".join(lines) + "\n").encode("ascii")


def require_signed(card: Certificate, message: bytes, signature: bytes) -> None:
    """Raises Forbidden `remote.card-signature`."""
    key = card.public_key
    if not key.verify(key.default_suite(), signature, message):
        raise Forbidden("remote.card-signature", "The card did not sign this authorisation")
