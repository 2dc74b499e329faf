"""Messages that another system refused: seen, sent again or discarded by an administrator."""

from kernel.refusals import NotFound
from ra_portal.notices.notices import Notices
from ra_portal.people.identity import Identity
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.outbox import DeadLetter, Outbox


class DeadLetters:
    def __init__(
        self, database: Database, journal: Journal, outbox: Outbox, notices: Notices
    ) -> None:
        self._database = database
        self._journal = journal
        self._outbox = outbox
        self._notices = notices

    def all(self, by: Identity) -> list[DeadLetter]:
        """Newest first. Raises Forbidden `role.missing`."""
        by.require("letter.manage")
        with self._database.reading() as connection:
            return self._outbox.dead_letters(connection)

    def try_again(self, by: Identity, identifier: int) -> None:
        """Raises Forbidden `role.missing`, NotFound `letter.unknown`."""
        self._move(by, identifier, Event.LETTER_PUT_BACK)

    def discard(self, by: Identity, identifier: int) -> None:
        """Raises as `try_again`."""
        self._move(by, identifier, Event.LETTER_DISCARDED)

    def _move(self, by: Identity, identifier: int, event: Event) -> None:
        by.require("letter.manage")
        with self._database.transaction() as connection:
            if event is Event.LETTER_DISCARDED:
                letter = self._outbox.discard(connection, identifier)
                moved = letter is not None
                self._notices.forget(connection, str((letter or {}).get("notice", "")))
            else:
                moved = self._outbox.put_back(connection, identifier)
            if not moved:
                raise NotFound("letter.unknown", "there is no such message")
            self._journal.append(connection, event, subject=f"letter:{identifier}", actor=by.actor)
