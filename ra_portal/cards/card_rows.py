"""Cards in the database."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from kernel.refusals import Conflict, NotFound
from ra_portal.cards.card import Card, CardState, Holder
from ra_portal.cards.tables import cards
from ra_portal.keyset import Place
from ra_portal.people import name_search
from ra_portal.people.identity import HolderKind
from ra_portal.people.tables import enterprises, officers, operators
from records.bulk import insert_rows

_MADE = (str(CardState.ACTIVE), str(CardState.FROZEN))
MOST_COUNTED = 10_000
"""Cards that match a search are counted up to here."""
_OWN = tuple(name for name in Card.__dataclass_fields__ if name != "holder")


def add(connection: Connection, card: Card) -> None:
    """Raises Conflict `card.holder-has-one`."""
    add_many(connection, [card])


def add_many(connection: Connection, new: Sequence[Card]) -> None:
    """All or none. Raises as `add`."""
    try:
        insert_rows(connection, cards, [_row(each) for each in new])
    except IntegrityError as error:
        raise Conflict("card.holder-has-one", "the holder already has a live card") from error


def save(connection: Connection, card: Card) -> None:
    """Store a moved card. Raises Conflict `card.changed`."""
    done = connection.execute(
        update(cards)
        .where(cards.c.id == card.id, cards.c.version == card.version - 1)
        .values(_row(card))
    )
    if done.rowcount != 1:
        raise Conflict("card.changed", "the card has just been changed", card=card.number)


def by_number(connection: Connection, number: str) -> Card:
    """Raises NotFound `card.unknown`."""
    card = _find(connection, cards.c.number == number.strip().upper())
    if card is None:
        raise NotFound("card.unknown", "there is no card of this number")
    return card


def find_by_number(connection: Connection, number: str) -> Card | None:
    return _find(connection, cards.c.number == number.strip().upper()[:24])


def find_made(connection: Connection, uscc: str, employee_number: str = "") -> Card | None:
    """The active or frozen card of an enterprise's operator, or without an employee number of
    the legal person."""
    enterprise = select(enterprises.c.id).where(enterprises.c.uscc == uscc.strip().upper()[:18])
    if employee_number.strip():
        holder = select(operators.c.id).where(
            operators.c.enterprise_id == enterprise.scalar_subquery(),
            operators.c.employee_number == employee_number.strip()[:32],
        )
        kind = HolderKind.OPERATOR
    else:
        holder, kind = enterprise, HolderKind.LEGAL_PERSON
    return _find(
        connection,
        (cards.c.holder_kind == str(kind))
        & (cards.c.holder_id == holder.scalar_subquery())
        & cards.c.state.in_(_MADE),
    )


def find_by_code(connection: Connection, activation_hash: str) -> Card | None:
    return _find(connection, cards.c.activation_hash == activation_hash)


def find_by_fingerprint(connection: Connection, fingerprint: str) -> Card | None:
    return _find(connection, cards.c.fingerprint == fingerprint)


def find_live(connection: Connection, holder: Holder) -> Card | None:
    """The holder's requested or active card."""
    return _find(connection, cards.c.live_holder == str(holder))


def of_holder(connection: Connection, holder: Holder) -> list[Card]:
    """All cards that the holder ever had, newest first."""
    query = (
        select(cards)
        .where(cards.c.holder_kind == str(holder.kind), cards.c.holder_id == holder.id)
        .order_by(cards.c.requested_at.desc(), cards.c.id)
    )
    return [card_of(row._mapping) for row in connection.execute(query)]


def of_holders(connection: Connection, holders: Iterable[Holder]) -> list[Card]:
    """All cards that any of them ever had."""
    ids = [holder.id for holder in holders]
    kinds = (str(HolderKind.LEGAL_PERSON), str(HolderKind.OPERATOR))
    query = select(cards).where(cards.c.holder_kind.in_(kinds), cards.c.holder_id.in_(ids))
    return [card_of(row._mapping) for row in connection.execute(query)]


def newest_of(connection: Connection, kind: HolderKind, holders: list[str]) -> dict[str, Card]:
    """The live card of each holder, else the newest, by holder id."""
    query = (
        select(cards)
        .where(cards.c.holder_kind == str(kind), cards.c.holder_id.in_(holders))
        .order_by(cards.c.requested_at, cards.c.id)
    )
    found = [card_of(row._mapping) for row in connection.execute(query)]
    return {card.holder.id: card for card in sorted(found, key=lambda card: card.is_live)}


def live_of_operators(connection: Connection, enterprise_id: str) -> list[Card]:
    """Requested, active and frozen cards of an enterprise's operators."""
    query = (
        select(cards)
        .join(operators, _held_by(HolderKind.OPERATOR, operators.c.id))
        .where(operators.c.enterprise_id == enterprise_id, cards.c.live_holder.is_not(None))
        .order_by(cards.c.requested_at, cards.c.id)
    )
    return [card_of(row._mapping) for row in connection.execute(query)]


def live_of_retired(connection: Connection) -> list[Card]:
    """Requested, active and frozen cards of officers who have left."""
    query = (
        select(cards)
        .join(officers, _held_by(HolderKind.OFFICER, officers.c.id))
        .where(officers.c.retired_at.is_not(None), cards.c.live_holder.is_not(None))
        .order_by(cards.c.id)
    )
    return [card_of(row._mapping) for row in connection.execute(query)]


def made_of(connection: Connection, holder: Holder) -> list[Card]:
    """The active or frozen card of a holder; of an enterprise, its operators' cards too."""
    own = (cards.c.holder_kind == str(holder.kind)) & (cards.c.holder_id == holder.id)
    if holder.kind is HolderKind.LEGAL_PERSON:
        theirs = select(operators.c.id).where(operators.c.enterprise_id == holder.id)
        own |= (cards.c.holder_kind == str(HolderKind.OPERATOR)) & cards.c.holder_id.in_(theirs)
    query = select(cards).where(own, cards.c.state.in_(_MADE)).order_by(cards.c.id)
    return [card_of(row._mapping) for row in connection.execute(query)]


def lock(connection: Connection, number: str) -> None:
    """Keep others that do so, or that move the card, waiting until the transaction ends."""
    connection.execute(select(cards.c.id).where(cards.c.number == number).with_for_update())


def by_serials(connection: Connection, serials: Sequence[str], states: Sequence[str]) -> list[Card]:
    """Cards in one of the states whose certificates have these serial numbers."""
    query = select(cards).where(cards.c.serial.in_(serials), cards.c.state.in_(states))
    return [card_of(row._mapping) for row in connection.execute(query.order_by(cards.c.id))]


def overdue(connection: Connection, at: datetime, limit: int) -> list[Card]:
    """Active and frozen cards whose certificates have ended."""
    query = select(cards).where(cards.c.state.in_(_MADE), cards.c.not_after < at).limit(limit)
    return [card_of(row._mapping) for row in connection.execute(query)]


def ending(connection: Connection, at: datetime, days: Sequence[int], limit: int) -> list[Card]:
    """Made cards that end within one of `days`, and whose holders were not told of that one or a
    nearer one."""
    due = [
        (cards.c.not_after <= at + timedelta(days=each))
        & or_(cards.c.expiry_notice.is_(None), cards.c.expiry_notice > each)
        for each in days
    ]
    query = (
        select(cards)
        .where(cards.c.state.in_(_MADE), cards.c.not_after > at)
        .where(cards.c.not_after <= at + timedelta(days=max(days)))
        .where(or_(*due))
        .limit(limit)
    )
    return [card_of(row._mapping) for row in connection.execute(query)]


def search(
    connection: Connection,
    state: CardState | None,
    text: str,
    limit: int,
    after: Place | None,
    backwards: bool,
    branch: str | None = None,
) -> tuple[list[tuple[Card, str]], int]:
    """The next cards behind `after` with their holders' names, newest first, before it when
    `backwards`; and how many in all."""
    query = listed(connection, state, text, branch)
    # Nobody turns ten thousand pages, and counting millions takes seconds.
    counted = query.with_only_columns(cards.c.id).limit(MOST_COUNTED).subquery()
    total = connection.execute(select(func.count()).select_from(counted)).scalar_one()
    return page_of(connection, query, limit, after, backwards), total


def page_of(
    connection: Connection, query: Select[Any], limit: int, after: Place | None, backwards: bool
) -> list[tuple[Card, str]]:
    """The next cards of `listed`."""
    rows = connection.execute(_turned(query, limit, after, backwards)).all()
    found = [(card_of(row._mapping), row._mapping["holder_name"] or "") for row in rows]
    return found[::-1] if backwards else found


def listed(
    connection: Connection, state: CardState | None, text: str, branch: str | None
) -> Select[Any]:
    """Cards with their holders' names; with `branch` those of that branch's enterprises and
    officers."""
    name = func.coalesce(enterprises.c.name, operators.c.name, officers.c.name).label("holder_name")
    query = (
        select(cards, name)
        .outerjoin(enterprises, _held_by(HolderKind.LEGAL_PERSON, enterprises.c.id))
        .outerjoin(operators, _held_by(HolderKind.OPERATOR, operators.c.id))
        .outerjoin(officers, _held_by(HolderKind.OFFICER, officers.c.id))
    )
    if state is not None:
        query = query.where(cards.c.state == str(state))
    if branch is not None:
        of_branch = select(enterprises.c.id).where(enterprises.c.branch_id == branch)
        query = query.where(
            (enterprises.c.branch_id == branch)
            | (officers.c.branch_id == branch)
            | operators.c.enterprise_id.in_(of_branch)
        )
    if text:
        query = query.where(matching(connection, text))
    return query


def place_of(found: tuple[Card, str]) -> Place:
    """In the order of `search`."""
    return Place(found[0].requested_at, found[0].id)


def walk(limit: int, after: Place | None, backwards: bool) -> Select[Any]:
    """All cards in the order of `search`, from a place on."""
    return _turned(select(cards), limit, after, backwards)


def _turned(query: Select[Any], limit: int, after: Place | None, backwards: bool) -> Select[Any]:
    order = [cards.c.requested_at, cards.c.id]
    if after is not None:
        here, there = tuple_(*order), tuple_(after.at, after.id)
        query = query.where(here > there if backwards else here < there)
    return query.order_by(*(key if backwards else key.desc() for key in order)).limit(limit)


def matching(connection: Connection, text: str) -> ColumnElement[bool]:
    """Always by index: a card's number, a serial, a USCC, a part of a holder's name."""
    code = text.upper()
    exact = or_(cards.c.number == code, cards.c.serial == code)
    if connection.execute(select(cards.c.id).where(exact).limit(1)).first() is not None:
        return exact
    usccs = [code, *name_search.ENTERPRISES.find(connection, text)]
    found = select(enterprises.c.id).where(enterprises.c.uscc.in_(usccs))
    holders = {str(HolderKind.LEGAL_PERSON): list(connection.execute(found).scalars())}
    for each in name_search.PEOPLE.find(connection, text):
        kind, _, identifier = each.partition(":")
        holders.setdefault(kind, []).append(identifier)
    return or_(
        *(
            (cards.c.holder_kind == kind) & cards.c.holder_id.in_(ids)
            for kind, ids in holders.items()
        )
    )


def _held_by(kind: HolderKind, identifier: ColumnElement[str]) -> ColumnElement[bool]:
    return (cards.c.holder_kind == str(kind)) & (cards.c.holder_id == identifier)


def _find(connection: Connection, condition: ColumnElement[bool]) -> Card | None:
    row = connection.execute(select(cards).where(condition)).one_or_none()
    return card_of(row._mapping) if row else None


def _row(card: Card) -> dict[str, object]:
    own = {name: getattr(card, name) for name in _OWN}
    own["state"] = str(card.state)
    holder = card.holder
    return {
        **own,
        "holder_kind": str(holder.kind),
        "holder_id": holder.id,
        "live_holder": str(holder) if card.is_live else None,
    }


def card_of(row: Mapping[Any, Any]) -> Card:
    """The card that a row of the table, or one joined to it, holds."""
    own = {name: row[name] for name in _OWN}
    own["state"] = CardState(row["state"])
    if own["certificate"] is not None:
        own["certificate"] = bytes(own["certificate"])
    return Card(holder=Holder(HolderKind(row["holder_kind"]), row["holder_id"]), **own)
