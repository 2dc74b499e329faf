"""Whether the journal takes records: without it nothing is signed, and who watches must know."""

import threading
import time

from sqlalchemy import text

from kernel.refusals import Unavailable
from records.database import Database
from records.events import Event
from records.journal import Entry, Journal

_FRESH_SECONDS = 2.0
"""Who asks more often, or all at once, gets the last answer: each look waits for the head."""
# Nobody else's lock may hold the look for ever.
_PATIENCE = text("SET LOCAL lock_timeout = '3s'")
_PAGES = "x" * 16_384
"""More than one page of any database, so that a full disk shows."""


class _UndoneError(Exception):
    """Ends the transaction of a look: nothing of it stays."""


class JournalGate:
    """One process's view. Safe for threads."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._refusal: Unavailable | None = None

    def check(self) -> None:
        """Raises Unavailable `journal.unwritable`, `clock.apart`, `database.unavailable`, as the
        next act that is journalled would."""
        with self._lock:
            if time.monotonic() - self._looked_at > _FRESH_SECONDS:
                self._refusal = self._look()
                self._looked_at = time.monotonic()
            refusal = self._refusal
        if refusal is not None:
            raise Unavailable(refusal.code, refusal.detail, **refusal.facts)

    def _look(self) -> Unavailable | None:
        """Write a record, and take it back."""
        probe = Entry(Event.KEY_USED, "gate", "system", {"probe": _PAGES})
        try:
            with self._database.transaction() as connection:
                if not self._database.is_sqlite:
                    connection.execute(_PATIENCE)
                self._journal.close(connection, [probe])
                raise _UndoneError
        except _UndoneError:
            return None
        except Unavailable as refusal:
            return refusal
