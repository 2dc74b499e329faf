"""What officers write to each other about an application. The applicant never sees it; it is
sealed, since people write telephone numbers and names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from kernel.clock import Clock
from kernel.refusals import Conflict
from ra_portal import fields
from ra_portal.applications import application_rows
from ra_portal.applications.tables import application_notes
from ra_portal.people import branches
from ra_portal.people.identity import Identity
from ra_portal.people.personal_data import PersonalData
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

MOST = 50
"""Of one application."""
LONGEST = 500
_PURPOSE = "application note"


@dataclass(frozen=True)
class Note:
    at: datetime
    officer: str
    """By id."""
    text: str


class Notes:
    def __init__(
        self, database: Database, journal: Journal, clock: Clock, personal: PersonalData
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._personal = personal

    def add(self, by: Identity, application_id: str, text: str) -> None:
        """Also to one that is decided: for who comes after.

        Raises Forbidden `role.missing`, `branch.foreign`, NotFound `application.unknown`,
        Malformed `field.*`, Conflict `note.too-many`.
        """
        by.require("application.assign")
        clean, now, identifier = fields.paragraph(text, LONGEST), self._clock.now(), new_id()
        sealed = self._personal.seal_text(clean, _PURPOSE, identifier)
        with self._database.transaction() as connection:
            application = application_rows.by_id(connection, application_id)
            branches.require_branch(by, application.details.branch_id)
            if _count(connection, application.id) >= MOST:
                raise Conflict(
                    "note.too-many", "there are as many notes as an application may have"
                )
            row = {
                "id": identifier,
                "application_id": application.id,
                "at": now,
                "officer": by.subject,
                "sealed": sealed,
            }
            connection.execute(insert(application_notes), row)
            self._journal.append(
                connection, Event.APPLICATION_NOTED, subject=application.reference, actor=by.actor
            )


@dataclass(frozen=True)
class SealedNote:
    """As it is kept."""

    id: str
    at: datetime
    officer: str
    sealed: bytes


def notes_of(connection: Connection, application_id: str) -> list[SealedNote]:
    """Oldest first."""
    own = application_notes.c
    query = select(application_notes).where(own.application_id == application_id)
    return [
        SealedNote(row.id, row.at, row.officer, bytes(row.sealed))
        for row in connection.execute(query.order_by(own.at, own.id))
    ]


def opened(personal: PersonalData, notes: Sequence[SealedNote]) -> list[Note]:
    """Asks the token for each, so not while a database connection is held. Raises Unavailable."""
    return [
        Note(each.at, each.officer, personal.open_text(each.sealed, _PURPOSE, each.id))
        for each in notes
    ]


def _count(connection: Connection, application_id: str) -> int:
    query = select(func.count()).where(application_notes.c.application_id == application_id)
    return connection.execute(query).scalar_one()
