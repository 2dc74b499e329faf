"""The journal as an auditor reads it: newest first, a page at a time."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from ra_portal.people.identity import Identity
from records.database import Database
from records.journal import Journal, Record, Verification
from records.tables import journal

PAGE_LENGTH = 50
_LAST_POSITION = 2**62
"""A larger number is no integer of the database's."""


@dataclass(frozen=True)
class JournalPage:
    records: list[Record]
    older: int | None
    """The position below which the next page begins."""


class JournalReader:
    def __init__(self, database: Database, chain: Journal) -> None:
        self._database = database
        self._chain = chain

    def page(self, by: Identity, below: int | None = None, subject: str = "") -> JournalPage:
        """Records, newest first. Raises Forbidden `role.missing`."""
        by.require("journal.read")
        with self._database.reading() as connection:
            found = _newest(connection, below, subject.strip()[:200])
        more = len(found) > PAGE_LENGTH
        shown = found[:PAGE_LENGTH]
        return JournalPage(shown, shown[-1].position if more else None)

    def verify(self, by: Identity) -> Verification:
        """Walk the whole chain. Raises Forbidden `role.missing`."""
        by.require("journal.verify")
        with self._database.reading() as connection:
            return self._chain.verify(connection)


def _newest(connection: Connection, below: int | None, subject: str) -> list[Record]:
    query = select(journal).order_by(journal.c.position.desc()).limit(PAGE_LENGTH + 1)
    if below is not None:
        query = query.where(journal.c.position < min(max(below, 0), _LAST_POSITION))
    if subject:
        query = query.where(journal.c.subject == subject)
    return [Record(**row._mapping) for row in connection.execute(query)]
