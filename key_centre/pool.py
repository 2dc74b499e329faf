"""Key pairs made ahead, so that no card waits for its encryption key to be made.

A pooled key is as guarded as an escrowed one: made in the token, wrapped under the escrow key.
It goes to one card: whoever takes it deletes its row in the transaction that adds the card's.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from hsm.token import Token
from hsm.wrapping import KeyUse, WrappedKey
from kernel.algorithms import SUITES, AlgorithmSuite, KeyKind, PublicKey
from kernel.clock import Clock
from key_centre import escrow_keys
from key_centre.tables import pooled_keys
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

_BATCH = 16
_BATCH_RSA = 1
"""An RSA key takes the token a second or more, in which it serves nobody else."""
_COLUMNS = pooled_keys.c


@dataclass(frozen=True)
class PooledKey:
    wrapped: WrappedKey
    escrow_label: str
    """The secret key that wraps it."""
    made_at: datetime


@dataclass(frozen=True)
class Level:
    there: int
    wanted: int


class KeyPool:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        token: Token,
        first_escrow_label: str,
        sizes: Mapping[str, int],
    ) -> None:
        """`sizes`: how many of each kind, by the suite's name (`kernel.algorithms`)."""
        self._database = database
        self._journal = journal
        self._clock = clock
        self._token = token
        self._first = first_escrow_label
        self._sizes = {name: size for name, size in sizes.items() if size > 0}

    def levels(self) -> dict[str, Level]:
        """By the suite's name; also of kinds that are wanted no more. Raises Unavailable."""
        query = select(_COLUMNS.suite, func.count()).group_by(_COLUMNS.suite)
        with self._database.reading() as connection:
            there = {row[0]: row[1] for row in connection.execute(query)}
        names = sorted({*there, *self._sizes})
        return {name: Level(there.get(name, 0), self._sizes.get(name, 0)) for name in names}

    def has_room(self) -> bool:
        """Whether `fill` would make keys."""
        return any(level.there < level.wanted for level in self.levels().values())

    def fill(self) -> int:
        """Make one batch of each kind that lacks keys; how many were made.

        Two processes that fill at once make a batch too many, which does no harm. Raises
        Unavailable; what was made by then stays.
        """
        made = 0
        if not self._token_is_ready():
            return 0
        for name, level in self.levels().items():
            suite = SUITES[name]
            most = _BATCH_RSA if suite.kind is KeyKind.RSA else _BATCH
            count = min(level.wanted - level.there, most)
            if count > 0:
                self._make(suite, count)
                made += count
        return made

    def _token_is_ready(self) -> bool:
        """An authority of before the centre was there has no escrow key yet."""
        with self._database.reading() as connection:
            label = escrow_keys.current(connection, self._first)
        return label in self._token.secret_labels()

    def _make(self, suite: AlgorithmSuite, count: int) -> None:
        with self._database.reading() as connection:
            label = escrow_keys.current(connection, self._first)
        use = use_of(suite)
        made = [self._token.generate_wrapped(suite, use, label) for _ in range(count)]
        now = self._clock.now()
        rows = [_row(suite, label, each, now) for each in made]
        with self._database.transaction() as connection:
            if escrow_keys.held(connection, self._first, now) != label:
                return  # another escrow key is in use since: these keys never were anywhere
            connection.execute(insert(pooled_keys), rows)
            self._journal.append(
                connection,
                Event.KEYS_POOLED,
                subject=suite.name,
                actor="system",
                keys=count,
                fingerprints=digest_of(str(row["fingerprint"]) for row in rows),
                escrow_key=label,
            )


def use_of(suite: AlgorithmSuite) -> KeyUse:
    """What an encryption key of this kind does."""
    return KeyUse.DECRYPT if suite.kind is KeyKind.RSA else KeyUse.AGREE


def take(connection: Connection, suite: AlgorithmSuite) -> PooledKey | None:
    """The oldest key of this kind, which is gone with the transaction; None: there is none."""
    query = (
        select(pooled_keys)
        .where(_COLUMNS.suite == suite.name)
        .order_by(_COLUMNS.made_at, _COLUMNS.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    done = connection.execute(delete(pooled_keys).where(_COLUMNS.id == row.id))
    if done.rowcount != 1:
        return None
    return PooledKey(WrappedKey.decode(bytes(row.wrapped)), row.escrow_label, row.made_at)


def digest_of(fingerprints: Any) -> str:
    """One value that commits to many keys: SHA-256 over their fingerprints, a line each."""
    return hashlib.sha256("".join(f"{each}\n" for each in fingerprints).encode()).hexdigest()


def _row(suite: AlgorithmSuite, label: str, wrapped: WrappedKey, at: datetime) -> dict[str, object]:
    return {
        "id": new_id(),
        "suite": suite.name,
        "fingerprint": PublicKey.from_spki(wrapped.spki).fingerprint,
        "wrapped": wrapped.encode(),
        "escrow_label": label,
        "made_at": at,
    }
