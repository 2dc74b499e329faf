"""Who has charge of a card: an administrator of every one but those of officers of another family
(`policies/permissions.toml`), an enterprise of its operators' cards."""

from sqlalchemy import Connection

from kernel.refusals import Forbidden
from policies.permissions import permissions
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card, CardState
from ra_portal.people import branches, people_rows
from ra_portal.people.identity import HolderKind, Identity


def is_own(by: Identity, card: Card) -> bool:
    """Whether the card, or one before it, is the actor's."""
    return by.kind is card.holder.kind and by.subject == card.holder.id


def permission_for(connection: Connection, card: Card, act: str) -> str:
    """What it takes to `manage` a card, to `confirm` its code or to `report` its loss."""
    if card.holder.kind is HolderKind.OFFICER:
        family = people_rows.officer(connection, card.holder.id).family
        return f"officer.{family}.{act}"
    return f"card.{act}"


def require_act(connection: Connection, by: Identity, card: Card, act: str) -> None:
    """An officer, or the console, may do this to this card.

    Raises Forbidden `role.missing`, `branch.foreign`, `console.use-card`.
    """
    permission = permission_for(connection, card, act)
    by.require(permission)
    if by.kind is None and permissions()[permission].console in ("first", "emergency"):
        require_first(connection, permission)
    branches.require_holder(connection, by, card.holder)


def require_first(connection: Connection, permission: str) -> None:
    """What the console may do only at first: nobody who holds an active card may do it yet.

    Raises Forbidden `console.use-card`.
    """
    able = [
        officer.id
        for officer in people_rows.all_officers(connection)
        if permissions().allows(officer.roles, permission)
    ]
    cards = card_rows.newest_of(connection, HolderKind.OFFICER, able)
    if any(card.state is CardState.ACTIVE for card in cards.values()):
        raise Forbidden(
            "console.use-card",
            "somebody with a card may do this; the console does so in an emergency only",
            permission=permission,
        )


def require_access(connection: Connection, by: Identity, card: Card) -> None:
    """Holders see their cards, officers those that they may, and whoever has charge of one.

    Raises Forbidden `card.foreign`, `role.missing`, `branch.foreign`.
    """
    branches.require_holder(connection, by, card.holder)
    seen = by.may("officer.read" if card.holder.kind is HolderKind.OFFICER else "card.read")
    if not seen and not is_own(by, card):
        require_charge(connection, by, card)


def require_charge(connection: Connection, by: Identity, card: Card) -> None:
    """Raises Forbidden `card.foreign`, `role.missing`, `branch.foreign`, `console.use-card`."""
    if by.kind is None or by.kind is HolderKind.OFFICER:
        require_act(connection, by, card, "manage")
        return
    if by.kind is HolderKind.LEGAL_PERSON and card.holder.kind is HolderKind.OPERATOR:
        operator = people_rows.operator(connection, card.holder.id)
        if operator.enterprise_id == by.enterprise_id:
            return
    raise Forbidden("card.foreign", "this card belongs to somebody else")
