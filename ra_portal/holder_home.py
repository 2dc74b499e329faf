"""What the home of a card's holder tells at a glance: cards, rights, the last sign-in."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, select

from kernel.clock import Clock
from kernel.refusals import Unavailable
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card, CardState, Holder
from ra_portal.cards.tables import cards
from ra_portal.history import sign_ins_before_this_one
from ra_portal.people import people_rows
from ra_portal.people.contact import Contact
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.people.people import Grant
from ra_portal.people.tables import operators
from records.database import Database

SOON = timedelta(days=30)
"""Cards that end within it are told."""


@dataclass(frozen=True)
class OperatorsCards:
    """How many live cards of an enterprise's operators there are."""

    to_be_made: int
    active: int
    frozen: int
    ending: int
    """Among the active ones, those that end soon."""


@dataclass(frozen=True)
class HolderHome:
    card: Card | None
    """The holder's own, the newest."""
    ends_soon: bool
    rights: tuple[Grant, ...]
    """Of an operator, in force or to come."""
    operators_cards: OperatorsCards | None
    """None: the holder is no enterprise."""
    last_sign_in: datetime | None
    """The one before this session; None: this is the first."""
    reachable: bool
    """Whether a telephone number or mail address is left; what cannot be looked up counts so."""


class HolderHomes:
    def __init__(self, database: Database, clock: Clock, contacts: Contacts) -> None:
        self._database = database
        self._clock = clock
        self._contacts = contacts

    def of(self, by: Identity) -> HolderHome:
        """`by`: a legal person or an operator. A handful of look-ups by index, however many
        enterprises there are."""
        assert by.kind is not None
        holder, now = Holder(by.kind, by.subject), self._clock.now()
        with self._database.reading() as connection:
            card = card_rows.newest_of(connection, by.kind, [by.subject]).get(by.subject)
            counts, rights = None, tuple[Grant, ...]()
            if by.kind is HolderKind.LEGAL_PERSON:
                counts = _counted(connection, by.require_legal_person(), now)
            else:
                granted = people_rows.grants_of(connection, [by.subject])
                rights = tuple(each for each in granted if _not_over(each, now))
            last = sign_ins_before_this_one(connection, by.subject)
        ends_soon = (
            card is not None
            and card.state is CardState.ACTIVE
            and card.not_after is not None
            and card.not_after <= now + SOON
        )
        return HolderHome(card, ends_soon, rights, counts, last, self._reachable(holder))

    def _reachable(self, holder: Holder) -> bool:
        with suppress(Unavailable):
            return self._contacts.look_up(holder) != Contact()
        return True


def cards_of_operators(enterprise_id: str, now: datetime) -> Select[int, int, int, int]:
    """How many live cards of the enterprise's operators are in which state."""

    def counted(state: CardState, soon: bool = False) -> ColumnElement[int]:
        wanted = [cards.c.state == str(state)]
        if soon:
            wanted.append(cards.c.not_after <= now + SOON)
        return func.count(case((and_(*wanted), 1)))

    return (
        select(
            counted(CardState.REQUESTED),
            counted(CardState.ACTIVE),
            counted(CardState.FROZEN),
            counted(CardState.ACTIVE, soon=True),
        )
        .select_from(operators)
        .join(
            cards,
            (cards.c.holder_kind == str(HolderKind.OPERATOR))
            & (cards.c.holder_id == operators.c.id)
            & cards.c.live_holder.is_not(None),
        )
        .where(operators.c.enterprise_id == enterprise_id)
    )


def _counted(connection: Connection, enterprise_id: str, now: datetime) -> OperatorsCards:
    row = connection.execute(cards_of_operators(enterprise_id, now)).one()
    return OperatorsCards(*row)


def _not_over(grant: Grant, now: datetime) -> bool:
    return grant.valid_until is None or grant.valid_until > now
