"""What officers take away of their lists: the queue and the cards, as the pages filter them.

A file is written whole before its first octet is sent, in one view of one moment and in bounded
memory: a slow reader holds no connection of the database, and what is too much is refused instead
of cut. Nothing goes in that the page does not show: no identity number, no telephone, no address.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from kernel.refusals import TooLarge
from ra_portal.applications.application import Application
from ra_portal.applications.queue import ApplicationQueue, Asked
from ra_portal.cards import card_certificates, card_rows
from ra_portal.cards.card import Card, CardState
from ra_portal.people import people_rows
from ra_portal.people.identity import Identity
from records.database import Database
from records.events import Event
from records.journal import Fact, Journal

MOST_EXPORTED = 50_000
"""Rows of one file; whoever needs more narrows the filters."""
_AT_ONCE = 1_000
"""Rows read from the database at once."""


@dataclass(frozen=True)
class ListedApplication:
    application: Application
    assigned_to: str
    """The officer's name; empty: nobody."""


Row = TypeVar("Row")
WriteApplications = Callable[[Iterable[ListedApplication]], int]
"""Writes the rows somewhere; how many there were."""
WriteCards = Callable[[Iterable[tuple[Card, str]]], int]
"""The same for cards, each with its holder's name."""


class Exports:
    def __init__(self, database: Database, journal: Journal, queue: ApplicationQueue) -> None:
        self._database = database
        self._journal = journal
        self._queue = queue

    def applications(self, by: Identity, asked: Asked, write: WriteApplications) -> int:
        """Those of the queue's page, of all its pages; how many. Journalled.

        Raises as `ApplicationQueue.page`; TooLarge `export.too-many`, before which `write` may
        have been given rows.
        """
        by.require("application.read")
        with self._database.reading() as connection:
            names = {each.id: each.name for each in people_rows.all_officers(connection, True)}
            found = _bounded(self._queue.everything(connection, by, asked, _AT_ONCE))
            count = write(
                ListedApplication(each, names.get(each.assigned_to or "", "")) for each in found
            )
        states = ",".join(sorted(asked.states))
        self._tell(Event.APPLICATIONS_EXPORTED, by, count, states=states, searched=bool(asked.text))
        return count

    def cards(self, by: Identity, state: CardState | None, text: str, write: WriteCards) -> int:
        """Those of the list's page, of all its pages; how many. Journalled.

        Raises as `Cards.search`; TooLarge `export.too-many`, as `applications`.
        """
        by.require("card.read")
        with self._database.reading() as connection:
            count = write(_bounded(_cards(connection, by, state, text)))
        states = "" if state is None else str(state)
        self._tell(Event.CARDS_EXPORTED, by, count, states=states, searched=bool(text.strip()))
        return count

    def _tell(self, event: Event, by: Identity, count: int, **facts: Fact) -> None:
        """What was searched for may be a person's name: that it was is enough."""
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                event,
                subject=f"officer:{by.subject}",
                actor=by.actor,
                count=count,
                branch=by.branch,
                **facts,
            )


def _cards(
    connection: Connection, by: Identity, state: CardState | None, text: str
) -> Iterable[tuple[Card, str]]:
    wanted = card_rows.listed(
        connection, state, card_certificates.first_of(connection, text.strip()[:80]), by.branch
    )
    after = None
    while True:
        found = card_rows.page_of(connection, wanted, _AT_ONCE, after, backwards=False)
        yield from found
        if len(found) < _AT_ONCE:
            return
        after = card_rows.place_of(found[-1])


def _bounded(rows: Iterable[Row]) -> Iterable[Row]:
    for count, row in enumerate(rows):
        if count >= MOST_EXPORTED:
            raise TooLarge(
                "export.too-many", "this is more than one file takes: narrow the filters",
                most=MOST_EXPORTED,
            )  # fmt: skip
        yield row
