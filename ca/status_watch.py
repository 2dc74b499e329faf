"""Notices changes of status that any process made, by asking for one number now and then."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from ca import inventory
from ca.crl import entries as crl_entries
from kernel.identifiers import Serial
from kernel.refusals import Unavailable
from records.database import Database

POLL_SECONDS = 0.2
_MANY = 1000


@dataclass(frozen=True)
class StatusChange:
    """What changed since the last look."""

    serials: tuple[Serial, ...]
    everything: bool
    """So much that naming it is no use, or unknown because the database was away."""


class StatusWatch:
    """One per process and authority. Safe for threads."""

    def __init__(
        self,
        database: Database,
        authority: str,
        on_change: Callable[[StatusChange], None],
        poll_seconds: float = POLL_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._authority = authority
        self._on_change = on_change
        self._poll_seconds = poll_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._next_look = float("-inf")
        self._version: int | None = None
        self.is_up = False
        """Whether the last look reached the database."""

    def look(self) -> None:
        """Ask the database, unless it was asked a moment ago; one thread asks for all."""
        if self._monotonic() < self._next_look:
            return
        # Whoever comes while nothing is known yet waits; later ones go on with what is known.
        if not self._lock.acquire(blocking=not self.is_up):
            return
        try:
            if self._monotonic() >= self._next_look:
                self._ask()
        finally:
            self._lock.release()

    def _ask(self) -> None:
        try:
            with self._database.reading() as connection:
                version = inventory.status_version(connection, self._authority)
                change = None
                if version != self._version:
                    change = self._change_since(connection, version)
        except Unavailable:
            self.is_up = False
            self._version = None
        else:
            self._version = version
            if change is not None:
                self._on_change(change)
            self.is_up = True
        self._next_look = self._monotonic() + self._poll_seconds

    def _change_since(self, connection: Connection, version: int) -> StatusChange:
        if self._version is None or version < self._version:
            return StatusChange((), everything=True)
        serials = crl_entries.changed_since(connection, self._authority, self._version, _MANY)
        return StatusChange(tuple(serials), everything=len(serials) >= _MANY)
