"""Every revocation list that was issued, and the counter that numbers them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, insert, select, text

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

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the DER, hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()


class CrlArchive:
    """Look-ups."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self, authority: str) -> StoredCrl | None:
        with self._database.reading() as connection:
            return latest(connection, authority)

    def latest_number(self, authority: str) -> int:
        """0: none was issued yet."""
        query = (
            select(crls.c.number)
            .where(crls.c.authority == authority)
            .order_by(crls.c.number.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            return connection.execute(query).scalar() or 0


def next_number(connection: Connection, authority: str) -> int:
    """Draw a number; it is never drawn again, whatever becomes of the list."""
    return int(connection.execute(_NEXT, {"authority": authority}).scalar_one())


def latest(connection: Connection, authority: str) -> StoredCrl | None:
    query = (
        select(crls).where(crls.c.authority == authority).order_by(crls.c.number.desc()).limit(1)
    )
    row: Any = connection.execute(query).one_or_none()
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
    )


def store(connection: Connection, crl: StoredCrl) -> None:
    connection.execute(
        insert(crls),
        {
            "authority": crl.authority,
            "number": crl.number,
            "this_update": crl.this_update,
            "next_update": crl.next_update,
            "status_version": crl.status_version,
            "entries": crl.entries,
            "crl": crl.der,
        },
    )
