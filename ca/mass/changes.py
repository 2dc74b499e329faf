"""What a mass job changes in one batch: the certificates' rows and their entries in the lists."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from ca import transitions
from ca.crl import entries as crl_entries
from ca.crl.entry import crl_entry, removal_entry
from ca.inventory import CertificateState, RevocationReason
from ca.tables import certificates
from kernel.identifiers import parse_serial


def revoke(
    connection: Connection,
    fresh: Sequence[Any],
    held: Sequence[Any],
    reason: RevocationReason,
    now: datetime,
) -> None:
    """Rows of issued certificates, and of those on hold, which keep their time: they were not in
    use since then."""
    values = {"state": CertificateState.REVOKED, "reason": reason, "live_key": None}
    if reason is RevocationReason.CERTIFICATE_HOLD:
        del values["live_key"]
    for rows, more in ((fresh, {"revoked_at": now}), (held, {})):
        _update(connection, rows, {**values, **more})
    _list(
        connection,
        [
            (row.authority, crl_entries.Change(row.serial, entry))
            for row in (*fresh, *held)
            for entry in [crl_entry(parse_serial(row.serial), row.revoked_at or now, reason)]
        ],
    )


def release(connection: Connection, held: Sequence[Any], now: datetime) -> None:
    """Rows of certificates on hold: issued again, and told so by the delta lists."""
    _update(
        connection, held, {"state": CertificateState.ISSUED, "reason": None, "revoked_at": None}
    )
    _list(
        connection,
        [
            (row.authority, crl_entries.Change(row.serial, entry, listed=False))
            for row in held
            for entry in [removal_entry(parse_serial(row.serial), now)]
        ],
    )


def _update(connection: Connection, rows: Sequence[Any], values: dict[str, object]) -> None:
    serials = [row.serial for row in rows]
    if serials:
        change = update(certificates).where(certificates.c.serial.in_(serials))
        connection.execute(change.values(**values))


def _list(connection: Connection, changes: Sequence[tuple[str, crl_entries.Change]]) -> None:
    by_authority: dict[str, list[crl_entries.Change]] = {}
    for authority, change in changes:
        by_authority.setdefault(authority, []).append(change)
    for authority, of_one in sorted(by_authority.items()):
        version = transitions.bump_status_version(connection, authority)
        crl_entries.put(connection, of_one, version)
