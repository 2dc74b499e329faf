"""Who has charge of a card: an administrator of every one, an enterprise of its operators'."""

from sqlalchemy import Connection

from kernel.refusals import Forbidden
from ra_portal import people_rows
from ra_portal.card import Card
from ra_portal.identity import HolderKind, Identity, Role


def is_own(by: Identity, card: Card) -> bool:
    """Whether the card, or one before it, is the actor's."""
    return by.kind is card.holder.kind and by.subject == card.holder.id


def require_access(connection: Connection, by: Identity, card: Card) -> None:
    """Holders see their cards, officers all, and whoever has charge of a card sees it.

    Raises Forbidden `card.foreign`.
    """
    if by.kind is not HolderKind.OFFICER and not is_own(by, card):
        require_charge(connection, by, card)


def require_charge(connection: Connection, by: Identity, card: Card) -> None:
    """Raises Forbidden `card.foreign`."""
    if by.kind is None or Role.ADMINISTRATOR in by.roles:
        return
    if by.kind is HolderKind.LEGAL_PERSON and card.holder.kind is HolderKind.OPERATOR:
        operator = people_rows.operator(connection, card.holder.id)
        if operator.enterprise_id == by.enterprise_id:
            return
    raise Forbidden("card.foreign", "this card belongs to somebody else")
