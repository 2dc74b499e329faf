"""Cards to be made, in the groups in which officers hand out their codes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ra_portal.applications.tables import applications
from ra_portal.cards.card import Card, CardState
from ra_portal.cards.card_rows import card_of
from ra_portal.cards.tables import cards
from ra_portal.people import people_rows
from ra_portal.people.identity import HolderKind
from ra_portal.people.tables import enterprises, operators

MOST_SOURCES = 100

_REQUESTED = cards.c.state == str(CardState.REQUESTED)
_WITHOUT_PROPOSAL = cards.c.code_proposed_by.is_(None)
_OF_IMPORT = (
    (cards.c.holder_kind == str(HolderKind.LEGAL_PERSON))
    & (cards.c.holder_id == applications.c.enterprise_id)
    & applications.c.import_id.is_not(None)
)
_OF_OPERATOR = (cards.c.holder_kind == str(HolderKind.OPERATOR)) & (
    cards.c.holder_id == operators.c.id
)


def imports(connection: Connection, branch: str | None) -> list[Any]:
    """Each import with cards to be made: id, total, proposed, since."""
    query = (
        select(
            applications.c.import_id.label("id"),
            func.count().label("total"),
            func.count(cards.c.code_proposed_by).label("proposed"),
            func.min(cards.c.requested_at).label("since"),
        )
        .join_from(cards, applications, _OF_IMPORT)
        .where(_REQUESTED)
        .group_by(applications.c.import_id)
        .order_by(func.min(cards.c.requested_at).desc())
        .limit(MOST_SOURCES)
    )
    if branch is not None:
        query = query.where(applications.c.branch_id == branch)
    return list(connection.execute(query))


def proposed_enterprises(connection: Connection, branch: str | None) -> list[Any]:
    """Each enterprise for whose operators codes are proposed: id, name, proposed, since."""
    query = (
        select(
            enterprises.c.id,
            enterprises.c.name,
            func.count().label("proposed"),
            func.min(cards.c.requested_at).label("since"),
        )
        .join_from(cards, operators, _OF_OPERATOR)
        .join(enterprises, operators.c.enterprise_id == enterprises.c.id)
        .where(_REQUESTED, cards.c.code_proposed_by.is_not(None))
        .group_by(enterprises.c.id, enterprises.c.name)
        .order_by(func.min(cards.c.requested_at).desc())
        .limit(MOST_SOURCES)
    )
    if branch is not None:
        query = query.where(enterprises.c.branch_id == branch)
    return list(connection.execute(query))


def imported_cards(
    connection: Connection, identifier: str, branch: str | None, limit: int
) -> list[tuple[Card, str, str]]:
    """Legal-person cards of an import, with the enterprise's name and credit code."""
    query = (
        select(cards, applications.c.name.label("of"), applications.c.uscc.label("note"))
        .join_from(cards, applications, _OF_IMPORT)
        .where(_REQUESTED, applications.c.import_id == identifier[:32])
        .order_by(_WITHOUT_PROPOSAL, applications.c.uscc)
        .limit(limit)
    )
    if branch is not None:
        query = query.where(applications.c.branch_id == branch)
    return _told(connection, query)


def operators_cards(
    connection: Connection, enterprise_id: str, limit: int
) -> list[tuple[Card, str, str]]:
    """Operators' cards of an enterprise, with their names and employee numbers."""
    query = (
        select(cards, operators.c.name.label("of"), operators.c.employee_number.label("note"))
        .join_from(cards, operators, _OF_OPERATOR)
        .where(_REQUESTED, operators.c.enterprise_id == enterprise_id)
        .order_by(_WITHOUT_PROPOSAL, operators.c.employee_number)
        .limit(limit)
    )
    return _told(connection, query)


def by_numbers(connection: Connection, numbers: Sequence[str]) -> list[Card]:
    """In the order of the numbers."""
    query = select(cards).where(cards.c.number.in_(numbers))
    found = {row.number: card_of(row._mapping) for row in connection.execute(query)}
    return [found[number] for number in numbers if number in found]


def told(connection: Connection, card: Card) -> tuple[str, str]:
    """The holder's name, and what else tells the holder apart."""
    if card.holder.kind is HolderKind.OPERATOR:
        operator = people_rows.operator(connection, card.holder.id)
        return operator.name, operator.employee_number
    if card.holder.kind is HolderKind.LEGAL_PERSON:
        enterprise = people_rows.enterprise(connection, card.holder.id)
        return enterprise.name, enterprise.uscc
    return people_rows.officer(connection, card.holder.id).name, ""


def _told(connection: Connection, query: Select[Any]) -> list[tuple[Card, str, str]]:
    rows = connection.execute(query)
    return [(card_of(row._mapping), row._mapping["of"], row._mapping["note"]) for row in rows]
