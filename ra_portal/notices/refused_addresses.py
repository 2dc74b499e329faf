"""Mail addresses that the mail server refused for good, until one of their mails is taken.

An address is kept as an HMAC under a key of the token: who reads the database learns none, and
cannot try some out.
"""

from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, delete, insert, select, update

from kernel.clock import Clock
from ra_portal.notices.tables import refused_addresses


class Indexing(Protocol):
    """What equal texts have in common (`people.personal_data.PersonalData`)."""

    def index_text(self, text: str, purpose: str) -> str: ...


class RefusedAddresses:
    def __init__(self, clock: Clock, indexing: Indexing) -> None:
        self._clock = clock
        self._indexing = indexing

    def index(self, address: str) -> str:
        """By which the others here know it. Raises Unavailable from the token."""
        return self._indexing.index_text(address, "mail address")

    def since(self, connection: Connection, address: str | None) -> datetime | None:
        """When it was first refused; None: its last mail was taken, or none was sent."""
        if address is None:
            return None
        mine = refused_addresses.c.address_index == self.index(address)
        query = select(refused_addresses.c.refused_at).where(mine)
        found: datetime | None = connection.execute(query).scalar_one_or_none()
        return found

    def refused(self, connection: Connection, index: str) -> None:
        """The first time stays. One worker sends mail at a time: nobody inserts beside it."""
        now = self._clock.now()
        mine = refused_addresses.c.address_index == index
        again = update(refused_addresses).where(mine).values(last_at=now)
        if connection.execute(again).rowcount == 0:
            row = {"address_index": index, "refused_at": now, "last_at": now}
            connection.execute(insert(refused_addresses), row)

    def forget(self, connection: Connection, *indexes: str) -> None:
        """A mail was taken, or somebody put the address in anew."""
        mine = refused_addresses.c.address_index.in_(indexes)
        connection.execute(delete(refused_addresses).where(mine))
