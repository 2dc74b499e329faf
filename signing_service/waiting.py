"""Prepared signatures that wait for their value, each for one card and a few minutes."""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from kernel.refusals import Conflict, NotFound, TooMany, Unavailable
from records import named_lock
from records.database import Database
from signing_service.tables import prepared_signatures

PREPARED_FOR = timedelta(minutes=10)
MAX_PREPARED_PER_CARD = 1000
"""As many as a key agent signs with one PIN; what bounds the room they take is their octets."""
MAX_OCTETS_PER_CARD = 256 * 1024 * 1024
"""Of all that is kept for one card's prepared signatures; one may take 100 MiB."""
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Waiting:
    """One prepared signature, in bytes, as its use case wrote it."""

    id: str
    card: str
    kind: str
    """What its documents are filed as."""
    act: str
    level: str
    document: bytes
    """The one that the caller brought; empty where it is in the signed file, or several are."""
    signed: bytes | None
    """The signature file that it joins."""
    prepared: bytes
    kept: tuple[tuple[str, str, int], ...] = ()
    """Name, SHA-256 and size of the documents that lie in the archive's store."""

    @property
    def octets(self) -> int:
        return len(self.document) + len(self.signed or b"") + len(self.prepared)


class WaitingSignatures:
    """The table. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, connection: Connection, one: Waiting, now: datetime) -> datetime:
        """Until when it waits. Two of one card at once see each other; no other card waits.

        Raises TooMany `signature.too-many-prepared`, which tells how many octets are left too.
        """
        table, until = prepared_signatures, now + PREPARED_FOR
        named_lock.take(connection, f"prepared signatures of {one.card}")
        held, octets = connection.execute(
            select(func.count(), func.coalesce(func.sum(_octets()), 0)).where(
                table.c.card == one.card, table.c.expires_at > now
            )
        ).one()
        left = MAX_OCTETS_PER_CARD - int(octets)
        if held >= MAX_PREPARED_PER_CARD or one.octets > left:
            raise TooMany(
                "signature.too-many-prepared",
                "finish or abandon some signatures first",
                waiting=held,
                octets_left=max(left, 0),
            )
        row = {**vars(one), "kept": json.dumps(one.kept), "expires_at": until, "attempts": 0}
        connection.execute(insert(table), row)
        return until

    @contextmanager
    def attempt(
        self, identifier: str, card: str, now: datetime, acts: Collection[str]
    ) -> Iterator[Waiting]:
        """Counted before working, so that a wrong value cannot be tried for ever; one that ends
        in Unavailable, for no fault of its value, counts as none.

        Raises NotFound `signature.not-prepared`; TooMany `signature.too-many-attempts`; Conflict
        `signature.other-act` where it was prepared as something else than `acts`.
        """
        waiting = self._take_attempt(identifier, card, now, acts)
        try:
            yield waiting
        except Unavailable:
            self._give_back(identifier)
            raise

    def _take_attempt(
        self, identifier: str, card: str, now: datetime, acts: Collection[str]
    ) -> Waiting:
        table = prepared_signatures
        mine = (table.c.id == identifier) & (table.c.card == card) & (table.c.expires_at > now)
        # One statement: of many attempts at once, no more are counted than are granted.
        counted = (
            update(table)
            .where(mine, table.c.attempts < MAX_ATTEMPTS)
            .values(attempts=table.c.attempts + 1)
            .returning(*(table.c[name] for name in Waiting.__dataclass_fields__))
        )
        with self._database.transaction() as connection:
            row = connection.execute(counted).one_or_none()
            if row is None and connection.execute(select(table.c.id).where(mine)).first():
                raise TooMany("signature.too-many-attempts", "prepare the signature again")
        if row is None:
            raise NotFound("signature.not-prepared", "nothing was prepared under this name")
        if row.act not in acts:
            raise Conflict("signature.other-act", "this was prepared as something else")
        kept = tuple(tuple(each) for each in json.loads(row.kept))
        return Waiting(**{**row._mapping, "kept": kept})

    def _give_back(self, identifier: str) -> None:
        table = prepared_signatures
        counted = (table.c.id == identifier) & (table.c.attempts > 0)
        with self._database.transaction() as connection:
            connection.execute(update(table).where(counted).values(attempts=table.c.attempts - 1))

    def remove(self, connection: Connection, identifier: str) -> None:
        """In the transaction that accepts it. Raises Conflict `signature.already-completed`."""
        table = prepared_signatures
        if connection.execute(delete(table).where(table.c.id == identifier)).rowcount != 1:
            raise Conflict("signature.already-completed", "this signature was completed before")

    def forget(self, identifiers: Sequence[str], card: str) -> int:
        """Those of this card wait no more; how many did."""
        table = prepared_signatures
        mine = table.c.id.in_(list(identifiers)) & (table.c.card == card)
        with self._database.transaction() as connection:
            return connection.execute(delete(table).where(mine)).rowcount


def _octets() -> ColumnElement[int]:
    """Of one row; neither database reads what it measures."""
    of = prepared_signatures.c
    sizes = [func.length(each) for each in (of.document, of.prepared)]
    return sum(sizes, func.coalesce(func.length(of.signed), 0))
