"""Who is told of a decision on changed data, and whose card is to be renewed for it.

Contacts are opened and notices sealed before the transaction that queues them.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from ra_portal.cards.card import Card, Holder
from ra_portal.data_changes.change import ChangeState, DataChange
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices, SealedNotice
from ra_portal.notices.times import day
from ra_portal.people import people_rows
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import HolderKind
from ra_portal.people.telling import sealed_to
from records.database import Database

_TEMPLATES = {
    ChangeState.APPROVED: "data-change-approved",
    ChangeState.REFUSED: "data-change-refused",
}


class Letters:
    def __init__(self, database: Database, contacts: Contacts, notices: Notices) -> None:
        self._database = database
        self._contacts = contacts
        self._notices = notices

    def decided(self, change: DataChange, state: ChangeState) -> SealedNotice | None:
        """To the enterprise; None: it left no address that could be used. Raises Unavailable."""
        with self._database.reading() as connection:
            enterprise = people_rows.enterprise_of(connection, change.holder)
        assert enterprise is not None
        contact = self._contacts.look_up(Holder(HolderKind.LEGAL_PERSON, enterprise.id))
        values = {"reference": _named(change), "page": _page(change)}
        return sealed_to(self._notices, contact, _TEMPLATES[state], values)

    def put(
        self, connection: Connection, change: DataChange, letter: SealedNotice | None
    ) -> str | None:
        """The channel; None: nobody was told."""
        if letter is None or not self._notices.put_sealed(connection, letter, about=_named(change)):
            return None
        return str(letter.channel)

    def renewal(self, card: Card, until: datetime) -> list[SealedNotice]:
        """To the holder, by every channel: the card is revoked after that day."""
        contact = self._contacts.look_up(card.holder)
        values = {"card": card.number, "date": day(until)}
        return [
            self._notices.seal(channel, to, "renewal-due", values)
            for channel in Channel
            if (to := contact.at(channel)) is not None and channel in self._notices.channels
        ]

    def put_renewal(
        self, connection: Connection, card: Card, letters: Sequence[SealedNotice]
    ) -> None:
        for letter in letters:
            self._notices.put_sealed(connection, letter, about=card.number)


def _named(change: DataChange) -> str:
    """What people and notices call it."""
    return change.reference or change.id


def _page(change: DataChange) -> str:
    """Where the legal person reads what became of it, and proposes it anew."""
    if change.holder.kind is HolderKind.OPERATOR:
        return f"/enterprise/operators/{change.holder.id}/data"
    return "/enterprise/data"
