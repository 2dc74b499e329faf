"""A new escrow key: every escrowed and pooled key is wrapped anew, in one recorded job.

From the moment that the job is recorded new keys come under the new escrow key; those from before
are wrapped anew in batches, each a transaction with its journal record. A key can be delivered and
recovered all the while, for each row names the escrow key that wraps it. What a dead process left
is what still names another escrow key: any node goes on with that, whoever began it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, insert, select, update

from hsm.rewrapping import rewrap
from hsm.secret_keys import SecretUse
from hsm.token import Token
from hsm.wrapping import WrappedKey
from kernel.clock import Clock
from kernel.refusals import Conflict, Unavailable
from key_centre import escrow_keys
from key_centre.pool import digest_of
from key_centre.tables import escrowed_keys, pooled_keys, rewraps
from records import removals
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

_BATCH = 100
_TABLES = (pooled_keys, escrowed_keys)
"""In this order: a key that goes from the pool to a card meanwhile is seen in one of them."""


@dataclass(frozen=True)
class RewrapProgress:
    escrow_key: str
    """The one in use."""
    total: int
    """Keys under it and under those before it."""
    left: int
    """Keys that still are under one before it."""


@dataclass(frozen=True)
class Waiting:
    """A row that names a former escrow key."""

    table: Table
    id: str
    fingerprint: str
    wrapped: bytes
    escrow_label: str


class Rewrapping:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        token: Token,
        first_escrow_label: str,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._token = token
        self._first = first_escrow_label

    def begin(self, actor: str) -> str:
        """Make the next escrow key in the token and put it in use; its label.

        It may leave the token as the one before may. Raises Conflict `rewrap.unfinished` while
        keys are left from the last time; Unavailable, after which it can be called again.
        """
        before = self.progress()
        if before.left:
            raise Conflict("rewrap.unfinished", "finish the job that was begun before")
        with self._database.reading() as connection:
            label = f"{self._first}-{len(escrow_keys.former(connection)) + 2}"
        if label not in self._token.secret_labels():  # a process that died here made it already
            export = self._token.export_of(before.escrow_key, secret=True)
            self._token.generate_secret(label, SecretUse.WRAP, export=export)
        now = self._clock.now()
        with self._database.transaction() as connection:
            old = escrow_keys.replace(connection, self._first, label, now)
            values = {"id": new_id(), "escrow_key": label, "actor": actor[:200], "begun_at": now}
            connection.execute(insert(rewraps), values)
            self._journal.append(
                connection, Event.ESCROW_KEY_REPLACED, subject=label, actor=actor, before=old,
                token=self._token.label, keys=_count_under(connection, [old]),
            )  # fmt: skip
        return label

    def progress(self) -> RewrapProgress:
        """Raises Unavailable."""
        with self._database.reading() as connection:
            label = escrow_keys.current(connection, self._first)
            left = _count_under(connection, escrow_keys.former(connection))
            return RewrapProgress(label, left + _count_under(connection, [label]), left)

    def has_work(self) -> bool:
        """Whether a job is not recorded as finished."""
        open_job = select(rewraps.c.id).where(rewraps.c.finished_at.is_(None)).limit(1)
        with self._database.reading() as connection:
            return connection.execute(open_job).first() is not None

    def run(self, *, batch: int = _BATCH, batches: int | None = None) -> int:
        """Wrap anew what is left, or at most so many batches of it; how many keys were.

        Raises Malformed `wrapped-key.malformed` for a key that its escrow key does not open;
        Unavailable. What was done by then stays done.
        """
        done = rounds = 0
        while batches is None or rounds < batches:
            rows = self.waiting(batch)
            if not rows:
                self._finish()
                break
            done += self.rewrapped(rows)
            rounds += 1
        return done

    def waiting(self, most: int) -> list[Waiting]:
        """Keys that are still under a former escrow key, from one table at a time."""
        with self._database.reading() as connection:
            labels = escrow_keys.former(connection)
            for table in _TABLES:
                columns = table.c
                query = select(
                    columns.id, columns.fingerprint, columns.wrapped, columns.escrow_label
                )
                query = query.where(columns.escrow_label.in_(labels)).limit(most)
                found = [
                    Waiting(table, row.id, row.fingerprint, bytes(row.wrapped), row.escrow_label)
                    for row in connection.execute(query)
                ]
                if found:
                    return found
        return []

    def rewrapped(self, rows: Sequence[Waiting]) -> int:
        """Wrap these anew, in one transaction; how many were, for another node may be quicker,
        and keys of the pool go to cards. Raises as `run`."""
        with self._database.reading() as connection:
            label = escrow_keys.current(connection, self._first)
        made = [
            rewrap(self._token, WrappedKey.decode(row.wrapped), row.escrow_label, label)
            for row in rows
        ]
        with self._database.transaction() as connection:
            moved = [
                row
                for row, wrapped in zip(rows, made, strict=True)
                if _replace(connection, row, wrapped.encode(), label)
            ]
            if moved:
                self._journal.append(
                    connection, Event.KEYS_REWRAPPED, subject=label, actor="system",
                    keys=len(moved), fingerprints=digest_of(row.fingerprint for row in moved),
                )  # fmt: skip
        return len(moved)

    def destroy(self, label: str, actor: str, reason: str) -> None:
        """Destroy a former escrow key, which wraps nothing any more. Recorded first: a process
        that dies in between leaves the key, and the call can be repeated.

        Raises Conflict `escrow-key.in-use`, `backup.running`: its database may still name the
        key; Unavailable `token.no-key`. Copies in backups end when those do.
        """
        if label not in self._token.secret_labels():
            raise Unavailable("token.no-key", "the token holds no such key", key=label)
        with removals.required(self._database):
            with self._database.transaction() as connection:
                if label not in escrow_keys.former(connection) or _count_under(connection, [label]):
                    raise Conflict(
                        "escrow-key.in-use", "this is no former escrow key, or keys need it"
                    )
                self._journal.append(
                    connection, Event.ESCROW_KEY_DESTROYED, subject=label, actor=actor,
                    token=self._token.label, reason=reason[:500],
                )  # fmt: skip
            self._token.destroy_secret(label)

    def _finish(self) -> None:
        now = self._clock.now()
        with self._database.transaction() as connection:
            ended = connection.execute(
                update(rewraps).where(rewraps.c.finished_at.is_(None)).values(finished_at=now)
            )
            if ended.rowcount:
                label = escrow_keys.current(connection, self._first)
                self._journal.append(
                    connection, Event.REWRAP_FINISHED, subject=label, actor="system"
                )


def _replace(connection: Connection, row: Waiting, wrapped: bytes, label: str) -> bool:
    columns = row.table.c
    done = connection.execute(
        update(row.table)
        .where(columns.id == row.id, columns.escrow_label == row.escrow_label)
        .values(wrapped=wrapped, escrow_label=label)
    )
    return done.rowcount == 1


def _count_under(connection: Connection, labels: Sequence[str]) -> int:
    return sum(
        connection.execute(
            select(func.count()).select_from(table).where(table.c.escrow_label.in_(labels))
        ).scalar_one()
        for table in _TABLES
    )
