"""The outbox: what must reach another system, written with the fact that causes it.

A message is delivered at least once and in the order of its channel. When the other system is
down, messages wait; nothing is lost and nothing overtakes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from kernel.clock import Clock
from records.database import Database, new_id
from records.tables import outbox, outbox_lease

_LEASE = timedelta(seconds=60)
_LONGEST_DELAY = timedelta(minutes=5)

Payload = dict[str, Any]
Handler = Callable[[Payload], None]
_PUT = insert(outbox)


@dataclass(frozen=True)
class Delivery:
    """What one round of delivery did."""

    delivered: int
    waiting: int
    failure: str | None = None
    """The error of the message that is now at the head of the queue."""


class Outbox:
    """Puts messages and hands them to their handler."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def put(self, connection: Connection, channel: str, payload: Payload) -> None:
        """Queue a message in the caller's transaction. `payload` is JSON, small, no secrets."""
        now = self._clock.now()
        row = {
            "channel": channel,
            "payload": json.dumps(payload, ensure_ascii=False),
            "created_at": now,
            "due_at": now,
            "attempts": 0,
        }
        connection.execute(_PUT, row)

    def waiting(self, connection: Connection, channel: str) -> int:
        pending = (outbox.c.channel == channel) & outbox.c.delivered_at.is_(None)
        return connection.execute(select(func.count()).where(pending)).scalar_one()

    def deliver(
        self,
        database: Database,
        channel: str,
        handler: Handler,
        *,
        limit: int = 1000,
        at_once: bool = False,
    ) -> Delivery:
        """Deliver what is due, in order, until one fails; then wait longer each time.

        `handler` raises any exception when the other system did not take the message.
        `at_once` ignores the waiting time (a person asked for it).
        """
        owner = new_id()
        if not self._lease(database, channel, owner):
            return self._report(database, channel, 0, "another worker is delivering")
        delivered, failure = 0, None
        try:
            while delivered < limit and failure is None:
                row = self._next(database, channel, at_once)
                if row is None:
                    break
                failure = self._attempt(database, row.id, row.payload, row.attempts, handler)
                delivered += failure is None
                if not self._lease(database, channel, owner):
                    break
        finally:
            self._release(database, channel, owner)
        return self._report(database, channel, delivered, failure)

    def _next(self, database: Database, channel: str, at_once: bool) -> Any:
        query = (
            select(outbox.c.id, outbox.c.payload, outbox.c.attempts, outbox.c.due_at)
            .where(outbox.c.channel == channel, outbox.c.delivered_at.is_(None))
            .order_by(outbox.c.id)
            .limit(1)
        )
        with database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or (row.due_at > self._clock.now() and not at_once):
            return None
        return row

    def _attempt(
        self, database: Database, row_id: int, payload: str, attempts: int, handler: Handler
    ) -> str | None:
        now = self._clock.now()
        failure: str | None = None
        values: dict[str, Any]
        try:
            handler(json.loads(payload))
        except Exception as error:  # noqa: BLE001 - whatever it raises, the message stays
            failure = f"{type(error).__name__}: {error}"[:200]
            delay = min(timedelta(seconds=2 ** min(attempts, 16)), _LONGEST_DELAY)
            values = {"attempts": attempts + 1, "due_at": now + delay, "failure": failure}
        else:
            values = {"attempts": attempts + 1, "delivered_at": now, "failure": None}
        with database.transaction() as connection:
            connection.execute(update(outbox).where(outbox.c.id == row_id), values)
        return failure

    def _lease(self, database: Database, channel: str, owner: str) -> bool:
        """Take or prolong the channel's lease; False while another worker holds it."""
        now = self._clock.now()
        free = or_(outbox_lease.c.until < now, outbox_lease.c.owner == owner)
        try:
            with database.transaction() as connection:
                taken = connection.execute(
                    update(outbox_lease)
                    .where(outbox_lease.c.channel == channel, free)
                    .values(owner=owner, until=now + _LEASE)
                )
                if taken.rowcount:
                    return True
                held = select(outbox_lease.c.owner).where(outbox_lease.c.channel == channel)
                if connection.execute(held).first() is not None:
                    return False
                values = {"channel": channel, "owner": owner, "until": now + _LEASE}
                connection.execute(insert(outbox_lease), values)
                return True
        except IntegrityError:
            return False

    def _release(self, database: Database, channel: str, owner: str) -> None:
        with database.transaction() as connection:
            connection.execute(
                update(outbox_lease)
                .where(outbox_lease.c.channel == channel, outbox_lease.c.owner == owner)
                .values(until=self._clock.now() - timedelta(seconds=1))
            )

    def _report(
        self, database: Database, channel: str, delivered: int, failure: str | None
    ) -> Delivery:
        with database.reading() as connection:
            return Delivery(delivered, self.waiting(connection, channel), failure)
