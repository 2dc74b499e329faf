"""Taking a card's certificate out of use."""

from ca.inventory import RevocationReason
from ca.revocation import Revocation
from kernel.identifiers import parse_serial
from kernel.refusals import Conflict
from ra_portal.cards.card import Card


def withdraw(revocation: Revocation, card: Card, reason: RevocationReason, actor: str) -> None:
    """Revoke the certificate, or put it on hold; a card without one needs nothing.

    What was revoked before for another reason keeps its first time and reason.
    """
    if card.serial is None:
        return
    try:
        revocation.revoke(parse_serial(card.serial), reason, actor)
    except Conflict as conflict:
        if conflict.code != "certificate.already-revoked":
            raise
