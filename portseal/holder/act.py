"""An officer's card signs the statement of an act at the console."""

import base64
import binascii
import json

from kernel.refusals import Malformed
from portseal.holder.card import Card
from ra_portal.console.act import TITLE, SignedAct

MAX_SIGNED_BYTES = 64 << 10


def sign_act(card: Card, statement: str) -> SignedAct:
    """Raises Malformed `act.statement` for any other text, and as `Card.key`."""
    if not statement.startswith(f"{TITLE}\n"):
        raise Malformed("act.statement", "this is no statement of an act at the console")
    certificate = card.certificate.der
    return SignedAct(statement, certificate, card.key.sign(statement.encode()))


def to_json(signed: SignedAct) -> str:
    """As it is carried from the officer's computer to the console."""
    told = {
        "statement": signed.statement,
        "certificate": base64.b64encode(signed.certificate).decode("ascii"),
        "signature": base64.b64encode(signed.signature).decode("ascii"),
    }
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"


def from_json(octets: bytes) -> SignedAct:
    """Raises Malformed `act.signed`."""
    try:
        if len(octets) > MAX_SIGNED_BYTES:
            raise ValueError("too large")
        told = json.loads(octets)
        certificate, signature = (
            base64.b64decode(told[name], validate=True) for name in ("certificate", "signature")
        )
        statement = told["statement"]
        if not isinstance(statement, str):
            raise TypeError("no text")
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise Malformed("act.signed", "this is no signed statement of an act") from error
    return SignedAct(statement, certificate, signature)
