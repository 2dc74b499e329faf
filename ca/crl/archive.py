"""Every revocation list that was issued, and the counter that numbers them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, text

from ca.tables import crls
from records.database import Database

_NEXT = text(
    "INSERT INTO ca_crl_numbers (authority, number) VALUES (:authority, 1) "
    "ON CONFLICT (authority) DO UPDATE SET number = ca_crl_numbers.number + 1 RETURNING number"
)


@dataclass(frozen=True)
class StoredCrl:
    authority: str
    number: int
    """CRLNumber (RFC 5280, 5.2.3)."""
    this_update: datetime
    next_update: datetime
    status_version: int
    entries: int
    der: bytes
    shard: int = 0
    """Which part of a partitioned list; 0: the list of everything."""
    base_number: int | None = None
    """Of a delta list: the complete list that it starts from."""

    @property
    def is_delta(self) -> bool:
        return self.base_number is not None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the DER, hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()


@dataclass(frozen=True)
class CrlHeading:
    """A stored list without its bytes, which may be many megabytes."""

    number: int
    this_update: datetime
    next_update: datetime
    status_version: int


class CrlArchive:
    """Look-ups."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self, authority: str, shard: int = 0, *, delta: bool = False) -> StoredCrl | None:
        with self._database.reading() as connection:
            return latest(connection, authority, shard, delta)

    def latest_number(self, authority: str, shard: int = 0, *, delta: bool = False) -> int:
        """0: none was issued yet."""
        with self._database.reading() as connection:
            found = heading(connection, authority, shard, delta)
        return 0 if found is None else found.number

    def shards(self, authority: str) -> int:
        """The highest part that a list was ever issued for; 0: the list was never split."""
        with self._database.reading() as connection:
            return highest_shard(connection, authority)


def next_number(connection: Connection, authority: str) -> int:
    """Draw a number; it is never drawn again, whatever becomes of the list."""
    return int(connection.execute(_NEXT, {"authority": authority}).scalar_one())


def highest_shard(connection: Connection, authority: str) -> int:
    query = select(func.max(crls.c.shard)).where(crls.c.authority == authority)
    return connection.execute(query).scalar() or 0


def heading(connection: Connection, authority: str, shard: int, delta: bool) -> CrlHeading | None:
    """Of the latest list."""
    columns = (crls.c.number, crls.c.this_update, crls.c.next_update, crls.c.status_version)
    row = connection.execute(_latest(select(*columns), authority, shard, delta)).one_or_none()
    return None if row is None else CrlHeading(*row)


def latest(
    connection: Connection, authority: str, shard: int = 0, delta: bool = False
) -> StoredCrl | None:
    row: Any = connection.execute(_latest(select(crls), authority, shard, delta)).one_or_none()
    if row is None:
        return None
    return StoredCrl(
        row.authority,
        row.number,
        row.this_update,
        row.next_update,
        row.status_version,
        row.entries,
        bytes(row.crl),
        row.shard,
        row.base_number,
    )


def store(connection: Connection, crl: StoredCrl) -> None:
    connection.execute(
        insert(crls),
        {
            "authority": crl.authority,
            "shard": crl.shard,
            "delta": crl.is_delta,
            "number": crl.number,
            "base_number": crl.base_number,
            "this_update": crl.this_update,
            "next_update": crl.next_update,
            "status_version": crl.status_version,
            "entries": crl.entries,
            "crl": crl.der,
        },
    )


def _latest(query: Select[Any], authority: str, shard: int, delta: bool) -> Select[Any]:
    return (
        query.where(crls.c.authority == authority, crls.c.shard == shard, crls.c.delta == delta)
        .order_by(crls.c.number.desc())
        .limit(1)
    )
