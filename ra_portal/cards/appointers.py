"""Cards of those who appoint officers: nobody ends one alone, nor the last (docs/decisions/0058).

Whoever could end the other administrators' cards would be alone, and with two roles of accomplices
would have both pairs of eyes. Freezing, which can be taken back, stays one person's; a holder
reports the own card lost at any time.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from kernel.refusals import Conflict
from policies.permissions import permissions
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card, CardState
from ra_portal.people import officer_change, people_rows
from ra_portal.people.identity import HolderKind, Identity, Role
from ra_portal.people.people import Officer


def appoints(roles: Iterable[Role]) -> list[str]:
    """The permissions among those of these roles that appoint officers, a family each."""
    held = frozenset(roles)
    wanted = [f"officer.{each.code}.manage" for each in permissions().families]
    return [each for each in wanted if permissions().allows(held, each)]


def takes_two(connection: Connection, card: Card) -> bool:
    """Whether it is a made card of an officer who appoints others, and has not left."""
    if card.holder.kind is not HolderKind.OFFICER or not card.is_made:
        return False
    officer = people_rows.officer(connection, card.holder.id)
    return officer.retired_at is None and bool(appoints(officer.roles))


def require_two(connection: Connection, by: Identity, card: Card) -> None:
    """One person does not end this card for good. The console, which may only while no
    administrator has a card in use (`charge.require_first`), does.

    Raises Conflict `card.two-officers`.
    """
    if by.kind is not None and takes_two(connection, card):
        raise Conflict(
            "card.two-officers",
            "an administrator's card is ended by two officers: freeze it now, and propose its end",
            card=card.number,
        )


def require_left(connection: Connection, before: Officer, kept: Iterable[Role]) -> None:
    """When this officer can use no more than the roles `kept`, somebody else with a card in use
    still appoints, in each family that this one does.

    Raises Conflict `officer.last-administrator`.
    """
    still = frozenset(kept)
    lost = [each for each in appoints(before.roles) if not permissions().allows(still, each)]
    if not lost:
        return
    others = [each for each in people_rows.all_officers(connection) if each.id != before.id]
    able = _with_cards_in_use(connection, others)
    for permission in lost:
        if not any(permissions().allows(each.roles, permission) for each in able):
            raise Conflict(
                "officer.last-administrator",
                "nobody else with a card in use could appoint officers: appoint another first",
            )


def _with_cards_in_use(connection: Connection, officers: list[Officer]) -> list[Officer]:
    """A card whose end is confirmed is in use no more, though it is not revoked yet."""
    ids = [each.id for each in officers]
    newest = card_rows.newest_of(connection, HolderKind.OFFICER, ids)
    ending = {each.ends_card for each in officer_change.endings(connection)}
    able = {
        holder
        for holder, card in newest.items()
        if card.state is CardState.ACTIVE and card.number not in ending
    }
    return [each for each in officers if each.id in able and each.retired_at is None]
