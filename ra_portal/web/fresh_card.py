"""The certificate of a card that was made a moment ago, for who was interrupted before it was on
the USB key."""

import base64
from datetime import datetime, timedelta

from ra_portal.cards.card import Card, CardState

_FRESH = timedelta(hours=1)


def fresh_certificate(card: Card | None, now: datetime) -> str:
    """Base64; empty when there is none, or it has been there for long."""
    if card is None or card.state is not CardState.ACTIVE or card.activated_at is None:
        return ""
    if card.certificate is None or now - card.activated_at >= _FRESH:
        return ""
    return base64.b64encode(card.certificate).decode("ascii")
