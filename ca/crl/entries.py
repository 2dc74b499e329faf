"""Entries of revocation lists as rows: written with a change of status, read by the list.

The rows are narrow and hold ready DER, so that a list of a million entries is one pass over them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, LargeBinary, and_, bindparam, cast, func, select, text

from ca.tables import crl_entries
from kernel.identifiers import Serial, parse_serial

_PUT = text(
    "INSERT INTO ca_crl_entries (serial, authority, shard, entry, listed, until, version) "
    "SELECT serial, authority, crl_shard, :entry, :listed, crl_until, :version "
    "FROM ca_certificates WHERE serial = :serial "
    "ON CONFLICT (serial) DO UPDATE SET "
    "entry = excluded.entry, listed = excluded.listed, version = excluded.version"
).bindparams(bindparam("entry", type_=LargeBinary))
_PUT_AT_ONCE = text(
    "INSERT INTO ca_crl_entries (serial, authority, shard, entry, listed, until, version) "
    "SELECT known.serial, authority, crl_shard, change.entry, change.listed, crl_until, :version "
    "FROM unnest(CAST(:serials AS text[]), CAST(:entries AS bytea[]), "
    "CAST(:listed AS boolean[])) AS change (serial, entry, listed) "
    "JOIN ca_certificates AS known ON known.serial = change.serial "
    "ON CONFLICT (serial) DO UPDATE SET "
    "entry = excluded.entry, listed = excluded.listed, version = excluded.version"
)
_COLUMNS = crl_entries.c


@dataclass(frozen=True)
class Change:
    """A new status of one certificate, as lists tell it."""

    serial: str
    entry: bytes
    """Ready DER (RFC 5280, 5.1.2.6)."""
    listed: bool = True
    """False: the end of a hold, which delta lists alone tell."""


@dataclass(frozen=True)
class Joined:
    """Entries one after another, as they stand in a list."""

    count: int
    der: bytes


def put(connection: Connection, changes: Sequence[Change], version: int) -> None:
    """Write or replace the entries of these certificates, each once, in the change's own
    transaction."""
    if connection.dialect.name == "postgresql" and changes:
        columns = {
            "serials": [each.serial for each in changes],
            "entries": [each.entry for each in changes],
            "listed": [each.listed for each in changes],
            "version": version,
        }
        connection.execute(_PUT_AT_ONCE, columns)
        return
    rows = [
        {"serial": each.serial, "entry": each.entry, "listed": each.listed, "version": version}
        for each in changes
    ]
    if rows:
        connection.execute(_PUT, rows)


def complete(
    connection: Connection, authority: str, shard: int, not_expired_at: datetime
) -> Joined:
    """Every entry that a complete list of this shard (0: of all) holds."""
    condition = and_(
        _COLUMNS.authority == authority,
        _COLUMNS.listed.is_(True),
        _COLUMNS.until >= not_expired_at,
    )
    return _joined(connection, and_(condition, _of(shard)))


def since(connection: Connection, authority: str, shard: int, version: int) -> Joined:
    """What changed after `version`, ends of holds among it (RFC 5280, 5.2.4)."""
    condition = and_(_COLUMNS.authority == authority, _COLUMNS.version > version)
    return _joined(connection, and_(condition, _of(shard)))


def changed(connection: Connection, authority: str, shard: int, version: int) -> bool:
    """Whether a status in this shard (0: in any) changed after `version`."""
    query = (
        select(_COLUMNS.serial)
        .where(_COLUMNS.authority == authority, _COLUMNS.version > version, _of(shard))
        .limit(1)
    )
    return connection.execute(query).first() is not None


def changed_since(connection: Connection, authority: str, version: int, limit: int) -> list[Serial]:
    """Serials whose status changed after `version`, at most `limit` of them."""
    query = (
        select(_COLUMNS.serial)
        .where(_COLUMNS.authority == authority, _COLUMNS.version > version)
        .limit(limit)
    )
    return [parse_serial(serial) for serial in connection.execute(query).scalars()]


def _of(shard: int) -> Any:
    return _COLUMNS.shard == shard if shard else True


def _joined(connection: Connection, condition: Any) -> Joined:
    if connection.dialect.name == "postgresql":
        # Joined by the server: a million rows would cost more to fetch than to hold.
        glued = func.string_agg(_COLUMNS.entry, cast(b"", LargeBinary))
        query = select(func.count(), glued).where(condition)
        compiled = query.compile(dialect=connection.dialect)
        # In binary: as text the bytes would be twice as long, and held twice.
        driver: Any = connection.connection.dbapi_connection
        with driver.cursor(binary=True) as cursor:
            count, der = cursor.execute(str(compiled), compiled.params).fetchone()
        return Joined(count, der or b"")
    entries = connection.execute(select(_COLUMNS.entry).where(condition)).scalars().all()
    return Joined(len(entries), b"".join(entries))
