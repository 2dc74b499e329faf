"""The journal: append-only records, each bound to the one before by SHA-256.

A record is appended in the transaction of the fact that it tells, so neither exists alone; and as
the last thing that this transaction does, so that the head, which all share, is held for a moment.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, text, update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from kernel.clock import Clock
from kernel.refusals import Unavailable
from kernel.request_id import current_request
from records.bulk import insert_rows
from records.common_time import THEIR_TIME, difference_told_by
from records.database import do_last
from records.events import Event
from records.prepared import Step
from records.tables import journal, journal_head

_GENESIS = hashlib.sha256(b"PortSeal journal, version 1").digest()
_HEAD_ID = 1
# Built once: on the path of every certificate, building a statement costs as much as running it.
_HEAD = Step(select(journal_head).where(journal_head.c.id == _HEAD_ID).with_for_update())
_MOVE_HEAD = update(journal_head).where(journal_head.c.id == _HEAD_ID)
_MOVE_HEAD_AND_TELL_TIME = _MOVE_HEAD.returning(THEIR_TIME)
_ONE = insert(journal).values({each.name: bindparam(f"new_{each.name}") for each in journal.c})
_WRITE_ONE = Step(
    _MOVE_HEAD_AND_TELL_TIME.values(
        position=bindparam("new_position"), hash=bindparam("new_hash")
    ).add_cte(_ONE.cte("written"))
)
"""PostgreSQL's way to write one record, as most transactions do."""
_FIELDS = ("position", "at", "event", "subject", "actor", "facts")

_FIRST_HEAD = text(
    "INSERT INTO journal_head (id, position, hash) VALUES (:id, :position, :hash) "
    "ON CONFLICT (id) DO NOTHING"
)

Fact = str | int | bool | None


@dataclass(frozen=True)
class Entry:
    """A record that is to be written."""

    event: Event
    subject: str
    actor: str
    facts: Mapping[str, Fact]


@dataclass(frozen=True)
class Verification:
    """The verdict on the chain."""

    intact: bool
    count: int
    """Records examined, up to and with the broken one."""
    broken_at: int | None = None
    """Position of the first record that does not fit."""
    reason: str | None = None


@dataclass(frozen=True)
class Record:
    position: int
    at: str
    """RFC 3339, UTC, microseconds."""
    event: str
    subject: str
    actor: str
    facts: str
    """JSON object, keys sorted."""
    hash: bytes


class Journal:
    """Writes and verifies records."""

    def __init__(self, clock: Clock, max_clock_difference: timedelta | None = None) -> None:
        """`max_clock_difference`: how far our clock may be from that of the database, which all
        nodes share; None: it is not looked at."""
        self._clock = clock
        self._max_difference = max_clock_difference

    def append(
        self, connection: Connection, event: Event, *, subject: str, actor: str, **facts: Fact
    ) -> None:
        """Record one event with the caller's transaction, wherever in it this is called.

        Facts are small and public: never a PIN, a key or a person's identity number. The
        identifier of the request that is being answered goes with them. At the end of the
        transaction, which then comes to nothing, raises Unavailable `journal.unwritable` when
        the head is missing, `clock.apart` when this node's clock is not that of the others.
        """
        self.append_many(connection, [Entry(event, subject, actor, facts)])

    def append_many(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Record events in their order. Raises as `append`."""
        do_last(connection, self, entries)

    def close(self, connection: Connection, collected: list[Entry]) -> None:
        """Write what a transaction collected, in its last statements: the head's lock is held for
        no longer, and nothing else is locked after it."""
        if not collected:
            return
        position, digest = _locked_head(connection)
        asked = current_request.get()
        request = None if asked is None else {"request": asked}
        rows = []
        for entry in collected:
            position += 1
            record: dict[str, object] = {
                "position": position,
                "at": self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "event": str(entry.event),
                "subject": entry.subject[:200],
                "actor": entry.actor[:200],
                "facts": _json(entry.facts if request is None else {**entry.facts, **request}),
            }
            digest = _digest(digest, record)
            rows.append({**record, "hash": digest})
        self._write(connection, rows, {"position": position, "hash": digest})

    def _write(
        self, connection: Connection, rows: list[dict[str, object]], head: dict[str, object]
    ) -> None:
        try:
            if len(rows) == 1 and connection.dialect.name == "postgresql":
                self._write_one(connection, rows[0])
            else:
                insert_rows(connection, journal, rows)
                self._move_head(connection, head)
        except (OperationalError, InterfaceError):
            raise  # the database as a whole: `Database` says so
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            raise Unavailable(
                "journal.unwritable", "the journal cannot be written, so nothing is done"
            ) from error

    def _write_one(self, connection: Connection, row: dict[str, object]) -> None:
        new = {f"new_{name}": value for name, value in row.items()}
        self._check_clock(
            difference_told_by(self._clock, lambda: _WRITE_ONE.first(connection, **new)[0])
        )

    def _move_head(self, connection: Connection, head: dict[str, object]) -> None:
        if self._max_difference is None or connection.dialect.name == "sqlite":
            connection.execute(_MOVE_HEAD, head)
            return
        moved = _MOVE_HEAD_AND_TELL_TIME
        self._check_clock(
            difference_told_by(self._clock, lambda: connection.execute(moved, head).scalar_one())
        )

    def _check_clock(self, difference: timedelta) -> None:
        """The head is locked already, so the statement that moved it waited for nobody and could
        tell the time."""
        if self._max_difference is not None and abs(difference) > self._max_difference:
            raise Unavailable(
                "clock.apart",
                "this node's clock is not that of the database; nothing is recorded",
                ahead_milliseconds=round(difference / timedelta(milliseconds=1)),
            )

    def verify(
        self, connection: Connection, visit: Callable[[bytes], object] | None = None
    ) -> Verification:
        """Walk the whole chain; memory stays bounded whatever its length.

        `visit` is called with every record, as `entry_of` gives it, in their order.
        """
        previous, count = _GENESIS, 0
        query = select(journal).order_by(journal.c.position).execution_options(yield_per=2000)
        with connection.execute(query) as rows:
            for row in rows:
                count += 1
                if row.position != count:
                    return Verification(False, count, count, "a record is missing")
                expected = _digest(previous, {name: getattr(row, name) for name in _FIELDS})
                if not hmac.compare_digest(expected, row.hash):
                    return Verification(False, count, row.position, "the record was changed")
                previous = row.hash
                if visit is not None:
                    visit(entry_of(row))
        head = connection.execute(select(journal_head)).one_or_none()
        if head is None:
            if count:
                return Verification(False, count, count, "the journal's head is missing")
        elif head.position != count or not hmac.compare_digest(head.hash, previous):
            return Verification(False, count, count + 1, "records at the end are missing")
        return Verification(True, count)


def entry_of(row: Any) -> bytes:
    """A record as the chain and the Merkle tree take it: JSON, keys sorted, UTF-8.

    `row`: of the journal's table, or a `Record`.
    """
    return _json({name: getattr(row, name) for name in _FIELDS}).encode()


def records(connection: Connection, subject: str | None = None) -> list[Record]:
    """All records, or those of one subject, oldest first."""
    query = select(journal).order_by(journal.c.position)
    if subject is not None:
        query = query.where(journal.c.subject == subject)
    return [Record(**row._mapping) for row in connection.execute(query)]


def _locked_head(connection: Connection) -> tuple[int, bytes]:
    """The head, locked until the transaction ends, so that positions have no gaps."""
    head = _HEAD.first(connection)
    if head is None:
        # Two processes may write the first record at once: the later one waits here.
        first = {"id": _HEAD_ID, "position": 0, "hash": _GENESIS}
        is_first = connection.execute(_FIRST_HEAD, first).rowcount == 1
        if is_first and connection.execute(select(journal.c.position).limit(1)).first() is not None:
            raise Unavailable("journal.unwritable", "the journal's head is missing")
        head = _HEAD.first(connection)
    return head.position, head.hash


def _digest(previous: bytes, record: dict[str, object]) -> bytes:
    return hashlib.sha256(b"\x00record" + previous + _json(record).encode()).digest()


# One encoder: json.dumps with these options would make one for each call.
_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
