"""Keys of seals in the authority's token, each accounted for: the intent is written down before the
token is asked, which takes its time and holds nobody up; what came of it afterwards, by whoever
asked or, after a death, by the worker."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from kernel.algorithms import PublicKey
from kernel.clock import Clock
from kernel.refusals import Conflict, Unavailable
from ra_portal.row_by_row import row_by_row
from ra_portal.seals.tables import seal_keys
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

ABANDONED = timedelta(minutes=15)
"""Older than any limit of making a key: its process has died, or somebody else was faster."""
LATE = timedelta(days=1)
"""So long a token that hung may still bring forth what it was asked for."""

_GIVEN_UP = "given-up"
"""To be destroyed; not settled until it is, or until it comes no more."""


class TokenOfSeals(Protocol):
    """The authority's token, as far as seals need it."""

    def make(self, label: str) -> PublicKey:
        """A key, sensitive and never in clear outside. Raises Unavailable `token.*`."""

    def public_key(self, label: str) -> PublicKey:
        """Raises Unavailable `token.no-key`."""

    def destroy(self, label: str) -> None:
        """Raises Unavailable `token.no-key` and others, Conflict `pool.token-away`."""


class SealKeys:
    def __init__(
        self, database: Database, journal: Journal, clock: Clock, token: TokenOfSeals
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._token = token

    def intend(self, connection: Connection, seal: str) -> str:
        """The label of a key that is about to be made for a seal; a new one for each attempt, so
        that two at once never make two keys of one name."""
        label = f"seal-{new_id()}"
        values = {"label": label, "seal": seal, "started_at": self._clock.now()}
        connection.execute(insert(seal_keys), values)
        return label

    def make(self, label: str) -> PublicKey:
        """Call it outside of any transaction. Raises Unavailable `token.*`."""
        return self._token.make(label)

    def public_key(self, label: str) -> PublicKey:
        return self._token.public_key(label)

    def used(self, connection: Connection, label: str) -> None:
        """The seal has this key, with the caller's transaction. Raises Conflict `seal.changed`
        when the worker has given the key up, for it took too long."""
        free = _open(label) & seal_keys.c.outcome.is_(None)
        if not self._note(connection, free, "used"):
            raise Conflict("seal.changed", "the key came too late: approve the seal again")

    def settle(self, limit: int = 100) -> int:
        """Destroy the keys that no seal took; how many were accounted for. For the worker."""
        before = self._clock.now() - ABANDONED
        query = (
            select(seal_keys)
            .where(seal_keys.c.settled_at.is_(None), seal_keys.c.started_at < before)
            .order_by(seal_keys.c.label)
            .limit(limit)
        )

        def page(behind: str) -> Sequence[Any]:
            with self._database.reading() as connection:
                return connection.execute(query.where(seal_keys.c.label > behind)).all()

        return row_by_row("seal keys", page, lambda row: str(row.label), self._settle)

    def _settle(self, row: Any) -> None:
        """What was read of the row may be over: first it is given up, and from then on no seal
        takes the key, also when this process dies before it is destroyed."""
        with self._database.transaction() as connection:
            free = _open(row.label) & or_(
                seal_keys.c.outcome.is_(None), seal_keys.c.outcome == _GIVEN_UP
            )
            claim = update(seal_keys).where(free).values(outcome=_GIVEN_UP)
            if connection.execute(claim).rowcount != 1:
                return
        try:
            self._token.destroy(row.label)
            outcome = "destroyed"
        except Unavailable as refusal:
            if refusal.code != "token.no-key":
                raise
            if self._clock.now() - row.started_at < LATE:
                return
            outcome = "none"
        with self._database.transaction() as connection:
            if self._note(connection, _open(row.label), outcome) and outcome == "destroyed":
                self._journal.append(
                    connection, Event.KEY_DESTROYED, subject=row.label, actor="worker",
                    reason="made for a seal that did not take it", seal=row.seal,
                )  # fmt: skip

    def _note(self, connection: Connection, which: ColumnElement[bool], outcome: str) -> bool:
        """False: it is accounted for already."""
        values = {"settled_at": self._clock.now(), "outcome": outcome}
        return connection.execute(update(seal_keys).where(which).values(values)).rowcount == 1


def _open(label: str) -> ColumnElement[bool]:
    return (seal_keys.c.label == label) & seal_keys.c.settled_at.is_(None)
