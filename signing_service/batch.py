"""Many documents signed as one job, resumed where it stopped.

The job is a list of names and digests; documents and keys stay with the holder. An item is
claimed, signed in the two steps of `signing`, and marked in the transaction that accepts its
signature: whatever is killed in between, no document is signed twice and none is left out.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, func, insert, or_, select, update

from kernel.clock import Clock
from kernel.refusals import Conflict, NotFound, TooMany, Unprocessable
from records import named_lock
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from signing_service.tables import batch_items, signing_batches
from signing_service.validation.evidence import SignatureFormat, SignatureLevel

MAX_ITEMS = 50_000
MAX_OPEN_JOBS = 100
MAX_OPEN_ITEMS = 10 * MAX_ITEMS
"""Of all jobs of one card of which something is still to be signed."""
UNSIGNED_FOR = timedelta(days=30)
"""A job of which nothing was signed is kept as long; any other is evidence."""
MAX_CLAIM = 100
CLAIMED_FOR = timedelta(minutes=10)
"""A claim this old has lost its holder."""
PAGE = 500
_INSERTED_AT_ONCE = 1000


class ItemState(StrEnum):
    WAITING = "waiting"
    CLAIMED = "claimed"
    SIGNED = "signed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Item:
    """One document of a job."""

    position: int
    name: str
    document_sha256: str
    """Hexadecimal."""
    outcome: str | None = None
    """The signature's identifier, or the code of the refusal."""


@dataclass(frozen=True, slots=True)
class Progress:
    id: str
    format: SignatureFormat
    level: SignatureLevel
    total: int
    signed: int
    refused: int
    claimed: int

    @property
    def waiting(self) -> int:
        return self.total - self.signed - self.refused - self.claimed


@dataclass(frozen=True, slots=True)
class BatchItem:
    """Which item a signature is."""

    batch: str
    position: int


class Batches:
    """The use case. One instance serves all threads; every job belongs to one card."""

    def __init__(self, database: Database, journal: Journal, clock: Clock) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock

    def open(
        self,
        card: str,
        format_: SignatureFormat,
        level: SignatureLevel,
        items: Sequence[tuple[str, str]],
    ) -> Progress:
        """The job for these (name, SHA-256 in hexadecimal), in their order.

        The same list by the same card is the same job, so that a program that was killed finds
        its own again. Raises Unprocessable `batch.items`; TooMany `batch.too-many-open`.
        """
        if not 1 <= len(items) <= MAX_ITEMS or len({name for name, _ in items}) != len(items):
            raise Unprocessable(
                "batch.items", "1 to {most} documents of different names", most=MAX_ITEMS
            )
        digest = _digest(format_, level, items)
        table = signing_batches
        with self._database.transaction() as connection:
            named_lock.take(connection, f"signing batches of {card}")
            same = (table.c.card == card) & (table.c.digest == digest)
            identifier = connection.execute(select(table.c.id).where(same)).scalar_one_or_none()
            if identifier is None:
                self._require_room(connection, card, len(items))
                identifier = new_id()
                row = {
                    "id": identifier, "card": card, "digest": digest, "format": str(format_),
                    "level": str(level), "total": len(items), "created_at": self._clock.now(),
                }  # fmt: skip
                connection.execute(insert(table), row)
                self._insert(connection, identifier, items)
                self._journal.append(
                    connection,
                    Event.BATCH_OPENED,
                    subject=identifier,
                    actor=card,
                    total=len(items),
                    items_sha256=digest,
                )
            return self._progress(connection, identifier, card)

    def remove_unsigned(self, limit: int = 20) -> int:
        """Forget jobs of which nothing was signed in `UNSIGNED_FOR`; how many. For the worker."""
        jobs, items = signing_batches, batch_items
        signed = items.c.state == ItemState.SIGNED
        old = (
            select(jobs.c.id)
            .where(
                jobs.c.created_at < self._clock.now() - UNSIGNED_FOR,
                ~exists().where(items.c.batch == jobs.c.id, signed),
            )
            .limit(limit)
        )
        with self._database.reading() as connection:
            found = list(connection.execute(old).scalars())
        return sum(self._remove(identifier) for identifier in found)

    def _remove(self, identifier: str) -> bool:
        """False, and nothing is removed, when an item was just signed."""
        mine = batch_items.c.batch == identifier
        with self._database.transaction() as connection, connection.begin_nested() as savepoint:
            unsigned = mine & (batch_items.c.state != ItemState.SIGNED)
            connection.execute(delete(batch_items).where(unsigned))
            if connection.execute(select(batch_items.c.position).where(mine).limit(1)).first():
                savepoint.rollback()
                return False
            connection.execute(delete(signing_batches).where(signing_batches.c.id == identifier))
        return True

    def progress(self, identifier: str, card: str) -> Progress:
        """Raises NotFound `batch.not-found`."""
        with self._database.reading() as connection:
            return self._progress(connection, identifier, card)

    def claim(self, identifier: str, card: str, limit: int, *, release: bool = False) -> list[Item]:
        """Up to `limit` items that nobody works on; empty when there is nothing left.

        `release` first gives back what this card has claimed: its program starts anew. Raises
        NotFound `batch.not-found`.
        """
        now = self._clock.now()
        table = batch_items
        free = or_(
            table.c.state == ItemState.WAITING,
            and_(table.c.state == ItemState.CLAIMED, table.c.claimed_at < now - CLAIMED_FOR),
        )
        with self._database.transaction() as connection:
            self._owned(connection, identifier, card)
            mine = table.c.batch == identifier
            if release:
                claimed = mine & (table.c.state == ItemState.CLAIMED)
                back = {"state": str(ItemState.WAITING), "claimed_at": None}
                connection.execute(update(table).where(claimed).values(**back))
            query = select(table).where(mine & free).order_by(table.c.position)
            chosen = connection.execute(
                query.limit(min(limit, MAX_CLAIM)).with_for_update(skip_locked=True)
            )
            items = [Item(row.position, row.name, row.document_sha256) for row in chosen]
            taken = mine & table.c.position.in_([item.position for item in items])
            connection.execute(
                update(table).where(taken).values(state=str(ItemState.CLAIMED), claimed_at=now)
            )
        return items

    def outcomes(self, identifier: str, card: str, state: ItemState, after: int = -1) -> list[Item]:
        """Items that are SIGNED or REFUSED, with what became of them, PAGE at a time by
        position. Raises NotFound `batch.not-found`."""
        table = batch_items
        wanted = (
            (table.c.batch == identifier) & (table.c.state == state) & (table.c.position > after)
        )
        with self._database.reading() as connection:
            self._owned(connection, identifier, card)
            rows = connection.execute(
                select(table).where(wanted).order_by(table.c.position).limit(PAGE)
            )
            return [Item(row.position, row.name, row.document_sha256, row.outcome) for row in rows]

    def refuse(self, item: BatchItem, card: str, code: str) -> None:
        """Note why a claimed item was not signed. Raises NotFound `batch.not-found`; Conflict
        `batch.not-claimed`."""
        with self._database.transaction() as connection:
            self._owned(connection, item.batch, card)
            self._settle(connection, item, ItemState.REFUSED, code)

    def mark_signed(
        self,
        connection: Connection,
        item: BatchItem,
        card: str,
        document_sha256: str,
        format_: SignatureFormat,
        level: SignatureLevel,
        signature: str,
    ) -> None:
        """In the transaction that accepts the signature.

        Raises NotFound `batch.not-found`; Unprocessable `batch.other-document`; Conflict
        `batch.not-claimed` (signed by another program meanwhile).
        """
        batch = self._owned(connection, item.batch, card)
        table = batch_items
        this = (table.c.batch == item.batch) & (table.c.position == item.position)
        wanted = connection.execute(select(table.c.document_sha256).where(this)).scalar()
        if (wanted, batch.format, batch.level) != (document_sha256, str(format_), str(level)):
            raise Unprocessable("batch.other-document", "this is not what the job asks for")
        self._settle(connection, item, ItemState.SIGNED, signature)

    def _require_room(self, connection: Connection, card: str, more: int) -> None:
        """Raises TooMany `batch.too-many-open`."""
        jobs, items = signing_batches, batch_items
        is_open = exists().where(
            items.c.batch == jobs.c.id, items.c.state.in_((ItemState.WAITING, ItemState.CLAIMED))
        )
        query = select(func.count(), func.coalesce(func.sum(jobs.c.total), 0))
        count, total = connection.execute(query.where(jobs.c.card == card, is_open)).one()
        if count >= MAX_OPEN_JOBS or int(total) + more > MAX_OPEN_ITEMS:
            raise TooMany(
                "batch.too-many-open",
                "sign or refuse what your other jobs still ask for first",
                jobs=MAX_OPEN_JOBS,
                items=MAX_OPEN_ITEMS,
            )

    def _settle(
        self, connection: Connection, item: BatchItem, state: ItemState, outcome: str
    ) -> None:
        table = batch_items
        claimed = (
            (table.c.batch == item.batch)
            & (table.c.position == item.position)
            & (table.c.state == ItemState.CLAIMED)
        )
        done = connection.execute(
            update(table).where(claimed).values(state=str(state), outcome=outcome)
        )
        if done.rowcount != 1:
            raise Conflict("batch.not-claimed", "this item is not claimed, or it is done")

    def _insert(self, connection: Connection, batch: str, items: Sequence[tuple[str, str]]) -> None:
        for start in range(0, len(items), _INSERTED_AT_ONCE):
            rows = [
                {
                    "batch": batch, "position": start + index, "name": name,
                    "document_sha256": digest, "state": str(ItemState.WAITING),
                }
                for index, (name, digest) in enumerate(items[start : start + _INSERTED_AT_ONCE])
            ]  # fmt: skip
            connection.execute(insert(batch_items), rows)

    def _progress(self, connection: Connection, identifier: str, card: str) -> Progress:
        row = self._owned(connection, identifier, card)
        counts: dict[str, int] = dict(
            connection.execute(
                select(batch_items.c.state, func.count())
                .where(batch_items.c.batch == identifier)
                .group_by(batch_items.c.state)
            ).all()
        )
        return Progress(
            row.id,
            SignatureFormat(row.format),
            SignatureLevel(row.level),
            row.total,
            counts.get(ItemState.SIGNED, 0),
            counts.get(ItemState.REFUSED, 0),
            counts.get(ItemState.CLAIMED, 0),
        )

    def _owned(self, connection: Connection, identifier: str, card: str) -> Row[Any]:
        """The job, without counting: its items are many, and each is marked once."""
        table = signing_batches
        mine = (table.c.id == identifier) & (table.c.card == card)
        row = connection.execute(select(table).where(mine)).one_or_none()
        if row is None:
            raise NotFound("batch.not-found", "no such job of this card")
        return row


def _digest(
    format_: SignatureFormat, level: SignatureLevel, items: Sequence[tuple[str, str]]
) -> str:
    """Of the whole list: a name has no line end in it, and a digest one length."""
    running = hashlib.sha256(f"{format_}\n{level}\n".encode())
    for name, digest in items:
        running.update(f"{digest} {name}\n".encode())
    return running.hexdigest()
