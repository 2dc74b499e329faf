"""The outbox: what must reach another system, written with the fact that causes it.

A message is delivered at least once, and where its channel asks for it in order. When the other
system is down, messages wait; nothing is lost and, in order, nothing overtakes. A message that the
other system itself refuses, time and again or for good, is set aside for a person to look at, and
the others go on.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from kernel.clock import Clock
from kernel.refusals import Unavailable
from records.bulk import insert_rows
from records.database import Database, new_id
from records.tables import outbox, outbox_lease

_LEASE = timedelta(seconds=60)
_LONGEST_DELAY = timedelta(minutes=5)
_TRIES = 5
"""Refusals of one message before it is set aside; an absence of the other system counts not."""
_LONGEST_DEFERRAL = timedelta(days=2)
"""After which a message that is put off again and again is set aside."""
_BATCH, _TIMED_BATCH = 200, 5
"""Messages whose delivery is recorded at once; a death in between delivers them again."""

Payload = dict[str, Any]
Handler = Callable[[Payload], None]


class Deferred(Exception):
    """The other system is there and does not take this message yet (greylisting)."""


class Undeliverable(Exception):
    """The other system will never take this message, and said so."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that was set aside."""

    id: int
    channel: str
    created_at: datetime
    refused_at: datetime
    failure: str


@dataclass(frozen=True)
class Delivery:
    """What one round of delivery did."""

    delivered: int
    waiting: int
    failure: str | None = None
    """The error of the message that is now at the head of the queue."""
    refused: int = 0
    """Messages that are set aside."""


class Outbox:
    """Puts messages and hands them to their handler."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def put(self, connection: Connection, channel: str, payload: Payload) -> None:
        """Queue a message in the caller's transaction. `payload` is JSON, small, no secrets."""
        self.put_many(connection, channel, [payload])

    def put_many(self, connection: Connection, channel: str, payloads: Sequence[Payload]) -> None:
        """Queue messages in their order."""
        now = self._clock.now()
        rows = [
            {
                "channel": channel,
                "payload": json.dumps(payload, ensure_ascii=False),
                "created_at": now,
                "due_at": now,
                "attempts": 0,
                "refusals": 0,
            }
            for payload in payloads
        ]
        if rows:
            insert_rows(connection, outbox, rows)

    def waiting(self, connection: Connection, channel: str) -> int:
        return connection.execute(select(func.count()).where(_pending(channel))).scalar_one()

    def is_due(self, connection: Connection, channels: str) -> bool:
        """Whether a message waits, and not only for its next try, in a channel that begins so."""
        due = and_(
            outbox.c.channel.startswith(channels, autoescape=True),
            outbox.c.delivered_at.is_(None),
            outbox.c.refused_at.is_(None),
            outbox.c.due_at <= self._clock.now(),
        )
        return connection.execute(select(outbox.c.id).where(due).limit(1)).first() is not None

    def due_channels(
        self, connection: Connection, prefix: str, *, at_once: bool = False
    ) -> list[str]:
        """Channels that begin so and have something to deliver, by name; as `is_due`, or whatever
        waits when it is to be tried `at_once`."""
        query = (
            select(outbox.c.channel)
            .where(
                outbox.c.channel.startswith(prefix, autoescape=True),
                outbox.c.delivered_at.is_(None),
                outbox.c.refused_at.is_(None),
            )
            .distinct()
            .order_by(outbox.c.channel)
        )
        if not at_once:
            query = query.where(outbox.c.due_at <= self._clock.now())
        return list(connection.execute(query).scalars())

    def oldest_waiting(self, connection: Connection, channel: str) -> datetime | None:
        """When the message at the head of the queue was put there."""
        query = select(outbox.c.created_at).where(_pending(channel)).order_by(outbox.c.id).limit(1)
        found: datetime | None = connection.execute(query).scalar_one_or_none()
        return found

    def refused(self, connection: Connection, channel: str) -> int:
        """How many messages are set aside."""
        aside = (outbox.c.channel == channel) & outbox.c.refused_at.is_not(None)
        return connection.execute(select(func.count()).where(aside)).scalar_one()

    def dead_letters(self, connection: Connection, limit: int = 200) -> list[DeadLetter]:
        """What was set aside, of every channel, newest first."""
        query = (
            select(outbox)
            .where(outbox.c.refused_at.is_not(None))
            .order_by(outbox.c.id.desc())
            .limit(limit)
        )
        return [
            DeadLetter(row.id, row.channel, row.created_at, row.refused_at, row.failure or "")
            for row in connection.execute(query)
        ]

    def queues(self, connection: Connection) -> list[tuple[str, int, datetime]]:
        """Each channel with messages waiting: how many, and since when the oldest waits."""
        query = (
            select(outbox.c.channel, func.count(), func.min(outbox.c.created_at))
            .where(outbox.c.delivered_at.is_(None), outbox.c.refused_at.is_(None))
            .group_by(outbox.c.channel)
            .order_by(outbox.c.channel)
        )
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]

    def put_back(self, connection: Connection, identifier: int) -> bool:
        """Put one message that was set aside back in its place; False: there is none."""
        mine = (outbox.c.id == identifier) & outbox.c.refused_at.is_not(None)
        values = {"refused_at": None, "refusals": 0, "attempts": 0, "due_at": self._clock.now()}
        return connection.execute(update(outbox).where(mine).values(values)).rowcount == 1

    def discard(self, connection: Connection, identifier: int) -> Payload | None:
        """Delete one message that was set aside; what it was, None: there is none."""
        mine = (outbox.c.id == identifier) & outbox.c.refused_at.is_not(None)
        gone = connection.execute(delete(outbox).where(mine).returning(outbox.c.payload)).scalar()
        return None if gone is None else json.loads(gone)

    def try_again(self, connection: Connection, channel: str) -> int:
        """Put the messages that were set aside back in their places; how many."""
        aside = (outbox.c.channel == channel) & outbox.c.refused_at.is_not(None)
        values = {"refused_at": None, "refusals": 0, "attempts": 0, "due_at": self._clock.now()}
        return connection.execute(update(outbox).where(aside).values(values)).rowcount

    def deliver(
        self,
        database: Database,
        channel: str,
        handler: Handler,
        *,
        limit: int = 1000,
        limit_seconds: float = math.inf,
        at_once: bool = False,
        in_order: bool = True,
    ) -> Delivery:
        """Deliver what is due, in order, until one fails; then wait longer each time.

        A round ends after `limit` messages, or `limit_seconds`, looked at between batches.

        `handler` raises Unavailable when the other system is away, Deferred when it does not
        take this message yet, Undeliverable when it never will (set aside at once), any other
        exception when it did not take the message: after five of these it is set aside.
        `at_once` ignores the waiting time (a person asked for it). Not `in_order`: a message
        that waits holds up no other; only an absence of the other system ends the round.
        """
        owner = new_id()
        if not self._lease(database, channel, owner):
            return self._report(database, channel, 0, "another worker is delivering")
        delivered, failure, told = 0, None, None
        tried: set[int] = set()
        end = time.monotonic() + limit_seconds
        try:
            while delivered < limit and failure is None and time.monotonic() < end:
                most = _BATCH if limit_seconds == math.inf else _TIMED_BATCH
                batch = min(most, limit - delivered)
                rows = self._next(database, channel, batch, at_once, in_order, tried)
                if not rows:
                    break
                tried.update(row.id for row in rows)
                done, failure, goes_on = self._attempt(database, rows, handler, in_order)
                delivered += done
                if goes_on:  # the failure blocks nobody
                    told, failure = failure or told, None
                if not self._lease(database, channel, owner):
                    break
        finally:
            self._release(database, channel, owner)
        return self._report(database, channel, delivered, failure or told)

    def _next(
        self,
        database: Database,
        channel: str,
        limit: int,
        at_once: bool,
        in_order: bool,
        tried: set[int],
    ) -> list[Any]:
        """The messages at the head of the queue; in order, none when the first one is to wait."""
        query = (
            select(
                outbox.c.id,
                outbox.c.payload,
                outbox.c.attempts,
                outbox.c.refusals,
                outbox.c.created_at,
                outbox.c.due_at,
            )
            .where(_pending(channel))
            .order_by(outbox.c.id)
            .limit(limit)
        )
        if not in_order:
            query = query.where(outbox.c.id.not_in(tried))
            if not at_once:
                query = query.where(outbox.c.due_at <= self._clock.now())
        with database.reading() as connection:
            rows = list(connection.execute(query))
        if not in_order:
            return rows
        if rows and rows[0].due_at > self._clock.now() and not at_once:
            return []
        return rows

    def _attempt(
        self, database: Database, rows: Sequence[Any], handler: Handler, in_order: bool
    ) -> tuple[int, str | None, bool]:
        """Deliver until one fails that holds up the others: how many were taken, the last
        failure, and whether the round goes on all the same.

        Stops well before the lease ends, so that no second worker delivers beside this one.
        """
        now = self._clock.now()
        until = time.monotonic() + _LEASE.total_seconds() / 4
        taken: list[int] = []
        failed: dict[int, dict[str, Any]] = {}
        goes_on = True
        for row in rows:
            try:
                handler(json.loads(row.payload))
            except Exception as error:  # noqa: BLE001 - whatever it raises, the message stays
                failed[row.id] = values = _failure(error, row, now)
                goes_on = "refused_at" in values
                if in_order or isinstance(error, Unavailable):
                    break
                goes_on = True
            else:
                taken.append(row.id)
            if time.monotonic() > until:
                break
        with database.transaction() as connection:
            if taken:
                done = {"delivered_at": now, "failure": None, "attempts": outbox.c.attempts + 1}
                connection.execute(update(outbox).where(outbox.c.id.in_(taken)).values(done))
            for identifier, values in failed.items():
                connection.execute(update(outbox).where(outbox.c.id == identifier), values)
        last = None if not failed else str(list(failed.values())[-1]["failure"])
        return len(taken), last, goes_on

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
            waiting, refused = (
                self.waiting(connection, channel),
                self.refused(connection, channel),
            )
        return Delivery(delivered, waiting, failure, refused)


def _pending(channel: str) -> Any:
    return and_(
        outbox.c.channel == channel, outbox.c.delivered_at.is_(None), outbox.c.refused_at.is_(None)
    )


def _failure(error: Exception, row: Any, now: datetime) -> dict[str, Any]:
    """What is recorded of a message that was not taken."""
    delay = min(timedelta(seconds=2 ** min(row.attempts, 16)), _LONGEST_DELAY)
    values: dict[str, Any] = {
        "attempts": row.attempts + 1,
        "due_at": now + delay,
        "failure": f"{type(error).__name__}: {error}"[:200],
    }
    if isinstance(error, Unavailable):
        return values
    if isinstance(error, Deferred):
        if now - row.created_at > _LONGEST_DEFERRAL:
            values["refused_at"] = now
        return values
    values["refusals"] = row.refusals + 1
    if isinstance(error, Undeliverable) or row.refusals + 1 >= _TRIES:
        values["refused_at"] = now
    return values
