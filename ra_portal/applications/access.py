"""How long an applicant sees the own application: until the card that was approved is made, or
withdrawn."""

from sqlalchemy import Connection

from kernel.refusals import Unauthenticated
from ra_portal.applications.application import Application
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card, CardState


def approved_card(connection: Connection, application: Application) -> Card | None:
    """The legal-person card that the approval requested."""
    if application.card_number is None:
        return None
    return card_rows.by_number(connection, application.card_number)


def is_over(connection: Connection, application: Application) -> bool:
    card = approved_card(connection, application)
    return card is not None and card.state is not CardState.REQUESTED


def require_access(connection: Connection, application: Application) -> None:
    """Raises Unauthenticated `application.access-ended`."""
    if is_over(connection, application):
        raise Unauthenticated(
            "application.access-ended",
            "the card is made, or withdrawn: the access code has served its turn",
        )
