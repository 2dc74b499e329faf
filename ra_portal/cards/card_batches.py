"""Many activation codes at once, handed out by officers: one proposes, another fetches them.

What belongs together is the legal-person cards of one import, or the operators' cards of one
enterprise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from kernel.refusals import NotFound, TooLarge, Unprocessable
from ra_portal.cards import batch_rows
from ra_portal.cards.card import Card
from ra_portal.cards.cards import Cards
from ra_portal.cards.charge import require_act
from ra_portal.people import branches, people_rows
from ra_portal.people.identity import Identity
from records.database import Database

MOST_CODES = 200
"""Handed out at once: so many slips are printed and cut in one go."""


class Origin(StrEnum):
    """What the cards of a batch have in common."""

    IMPORT = "import"
    """Legal-person cards of the enterprises of one import."""
    ENTERPRISE = "enterprise"
    """Operators' cards of one enterprise."""


@dataclass(frozen=True)
class Source:
    """Cards to be made that belong together."""

    origin: Origin
    id: str
    name: str
    """Of the enterprise; empty for an import."""
    waiting: int
    """Cards without a proposed code."""
    proposed: int
    since: datetime
    """When the first of them was requested."""


@dataclass(frozen=True)
class CardToMake:
    card: Card
    holder: str
    note: str
    """Of an operator the employee number, of an enterprise the credit code."""


@dataclass(frozen=True)
class Slip:
    """A code, and whose it is; it is nowhere else."""

    made: CardToMake
    activation_code: str


class CardBatches:
    def __init__(self, database: Database, cards: Cards) -> None:
        self._database = database
        self._cards = cards

    def sources(self, by: Identity) -> list[Source]:
        """Imports with cards to be made, and enterprises for whose operators codes are proposed,
        the newest first. Raises Forbidden `role.missing`."""
        by.require_one_of("card.manage", "card.confirm")
        with self._database.reading() as connection:
            found = [
                *(
                    Source(
                        Origin.IMPORT, row.id, "", row.total - row.proposed, row.proposed, row.since
                    )
                    for row in batch_rows.imports(connection, by.branch)
                ),
                *(
                    Source(Origin.ENTERPRISE, row.id, row.name, 0, row.proposed, row.since)
                    for row in batch_rows.proposed_enterprises(connection, by.branch)
                ),
            ]
        return sorted(found, key=lambda each: each.since, reverse=True)

    def show(self, by: Identity, origin: Origin, identifier: str) -> list[CardToMake]:
        """The cards of one source that are to be made, `MOST_CODES` at most, those with a proposed
        code first.

        Raises Forbidden `role.missing`, `branch.foreign`, NotFound `enterprise.unknown`.
        """
        by.require_one_of("card.manage", "card.confirm")
        with self._database.reading() as connection:
            if origin is Origin.ENTERPRISE:
                enterprise = people_rows.enterprise(connection, identifier)
                branches.require_branch(by, enterprise.branch_id)
                rows = batch_rows.operators_cards(connection, enterprise.id, MOST_CODES)
            else:
                rows = batch_rows.imported_cards(connection, identifier, by.branch, MOST_CODES)
            return [CardToMake(*row) for row in rows]

    def propose(self, by: Identity, numbers: Iterable[str]) -> int:
        """Codes are wanted for these cards; how many. None exists before another officer fetches
        them. All, or on any refusal none.

        Raises Forbidden `role.missing`, `branch.foreign`, NotFound `card.unknown`, Conflict
        `card.state`, TooLarge `card.too-many-codes`, Unprocessable `card.none-chosen`.
        """
        wanted = _chosen(numbers)
        with self._database.transaction() as connection:
            for card in _cards(connection, wanted):
                require_act(connection, by, card, "manage")
                self._cards.propose_code(connection, by, card)
        return len(wanted)

    def confirm(self, by: Identity, numbers: Iterable[str]) -> list[Slip]:
        """The second pair of eyes: the codes that another officer proposed, each on a slip.

        Raises as `propose`, and Conflict `card.no-proposal`, Forbidden `approval.same-officer`.
        """
        wanted = _chosen(numbers)
        with self._database.transaction() as connection:
            slips = []
            for card in _cards(connection, wanted):
                require_act(connection, by, card, "confirm")
                card.require_second_officer(by.subject)
                offered, code = self._cards.offer_code(connection, card, by.actor)
                slips.append(Slip(CardToMake(offered, *batch_rows.told(connection, card)), code))
        return slips


def _chosen(numbers: Iterable[str]) -> Sequence[str]:
    wanted = list(dict.fromkeys(number.strip().upper() for number in numbers))
    if not wanted:
        raise Unprocessable("card.none-chosen", "choose the cards that are meant")
    if len(wanted) > MOST_CODES:
        raise TooLarge("card.too-many-codes", "at most 200 cards at once", most=MOST_CODES)
    return wanted


def _cards(connection: Connection, numbers: Sequence[str]) -> list[Card]:
    found = batch_rows.by_numbers(connection, numbers)
    if len(found) < len(numbers):
        raise NotFound("card.unknown", "there is no card of this number")
    return found
