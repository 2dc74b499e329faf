"""The inventory: every certificate that was ever intended, and what became of it.

Nouns and look-ups, each by an index; how a row moves between states is in `ca/transitions.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from ca.tables import certificates, status_versions
from kernel.asn1.certificate import Certificate
from kernel.identifiers import ProfileName, Serial, parse_serial, serial_text
from records.database import Database


class CertificateState(StrEnum):
    INTENDED = "intended"
    """Recorded, perhaps signed; not issued."""
    ISSUED = "issued"
    REVOKED = "revoked"
    ABANDONED = "abandoned"
    """Intended by a process that died: it may have been signed, so it counts as revoked."""


class RevocationReason(StrEnum):
    """CRLReason (RFC 5280, 5.3.1)."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    CA_COMPROMISE = "cACompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"
    CERTIFICATE_HOLD = "certificateHold"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"

    @property
    def number(self) -> int:
        return _REASON_NUMBERS[self]


_REASON_NUMBERS = {
    RevocationReason.UNSPECIFIED: 0,
    RevocationReason.KEY_COMPROMISE: 1,
    RevocationReason.CA_COMPROMISE: 2,
    RevocationReason.AFFILIATION_CHANGED: 3,
    RevocationReason.SUPERSEDED: 4,
    RevocationReason.CESSATION_OF_OPERATION: 5,
    RevocationReason.CERTIFICATE_HOLD: 6,
    RevocationReason.PRIVILEGE_WITHDRAWN: 9,
}


@dataclass(frozen=True)
class CertificateRecord:
    """One row of the inventory."""

    serial: Serial
    authority: str
    profile: ProfileName
    state: CertificateState
    subject: str
    """RFC 4514."""
    key_fingerprint: str
    requester: str
    reference: str
    not_before: datetime
    not_after: datetime
    intended_at: datetime
    issued_at: datetime | None
    revoked_at: datetime | None
    reason: RevocationReason | None
    der: bytes | None
    """The certificate, once issued."""
    companion_of: Serial | None = None
    """The certificate that this one goes with and ends with."""

    @property
    def certificate(self) -> Certificate | None:
        return None if self.der is None else Certificate.parse(self.der)


@dataclass(frozen=True)
class CertificateStatusRow:
    """What status answers need of a row."""

    serial: Serial
    state: CertificateState
    revoked_at: datetime | None
    reason: RevocationReason | None


_SERIAL_LIMIT = 1 << 159
_RECORD = (
    certificates.c.serial,
    certificates.c.authority,
    certificates.c.profile,
    certificates.c.state,
    certificates.c.subject,
    certificates.c.key_fingerprint,
    certificates.c.requester,
    certificates.c.reference,
    certificates.c.not_before,
    certificates.c.not_after,
    certificates.c.intended_at,
    certificates.c.issued_at,
    certificates.c.revoked_at,
    certificates.c.reason,
    certificates.c.certificate,
    certificates.c.companion_of,
)
FIND = select(*_RECORD).where(certificates.c.serial == bindparam("serial"))
"""One certificate's record, by `serial_text`; for `record_of`."""


# Statements on the path of every certificate, built once.
_LOCKED_AT_ONCE = 5000
_LOCK = (
    select(*_RECORD)
    .where(certificates.c.serial.in_(bindparam("serials", expanding=True)))
    .order_by(certificates.c.serial)
    .with_for_update()
)
_HOLDERS_OF_KEYS = select(
    certificates.c.serial,
    certificates.c.key_fingerprint,
    certificates.c.subject_digest,
    certificates.c.state,
    certificates.c.reason,
    certificates.c.not_after,
).where(certificates.c.key_fingerprint.in_(bindparam("fingerprints", expanding=True)))


class Inventory:
    """Look-ups, each by an index."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_serial(self, serial: Serial) -> CertificateRecord | None:
        with self._database.reading() as connection:
            return find(connection, serial)

    def by_key(self, fingerprint: str) -> list[CertificateRecord]:
        """By `PublicKey.fingerprint`, newest first."""
        return self._several(certificates.c.key_fingerprint == fingerprint)

    def by_reference(self, reference: str) -> list[CertificateRecord]:
        """By the requester's own reference, newest first."""
        return self._several(certificates.c.reference == reference)

    def _several(self, condition: Any) -> list[CertificateRecord]:
        query = select(*_RECORD).where(condition).order_by(certificates.c.intended_at.desc())
        with self._database.reading() as connection:
            return [record_of(row) for row in connection.execute(query)]


def find(connection: Connection, serial: Serial) -> CertificateRecord | None:
    row = connection.execute(FIND, {"serial": serial_text(serial)}).one_or_none()
    return None if row is None else record_of(row)


def several(connection: Connection, serials: Sequence[str]) -> dict[str, CertificateRecord]:
    """By `serial_text`; unknown ones are left out."""
    if not serials:
        return {}
    query = select(*_RECORD).where(certificates.c.serial.in_(serials))
    return {row.serial: record_of(row) for row in connection.execute(query)}


def lock(connection: Connection, serials: Iterable[Serial]) -> dict[Serial, CertificateRecord]:
    """Records whose rows nobody else moves until the transaction ends; unknown ones are left out.

    Every transaction locks in one order, so that no two wait for each other: rows of certificates
    first, in the order of their serial numbers, companions among them; then the status versions,
    by authority; the journal's head last.
    """
    wanted = sorted({serial_text(serial) for serial in serials})
    found = [
        record_of(row)
        for start in range(0, len(wanted), _LOCKED_AT_ONCE)
        for row in connection.execute(_LOCK, {"serials": wanted[start : start + _LOCKED_AT_ONCE]})
    ]
    return {record.serial: record for record in found}


def of_key(connection: Connection, fingerprint: str) -> list[CertificateRecord]:
    """Every certificate of this key, newest first."""
    query = select(*_RECORD).where(certificates.c.key_fingerprint == fingerprint)
    ordered = query.order_by(certificates.c.intended_at.desc())
    return [record_of(row) for row in connection.execute(ordered)]


def holders_of_keys(connection: Connection, fingerprints: Sequence[str]) -> list[Row[Any]]:
    """`serial, key_fingerprint, subject_digest, state, reason, not_after` of every certificate
    of these keys."""
    return list(connection.execute(_HOLDERS_OF_KEYS, {"fingerprints": list(fingerprints)}))


def intended_before(connection: Connection, authority: str, before: datetime) -> list[Row[Any]]:
    """`serial, profile, reference` of intents that are older than `before`."""
    query = (
        select(certificates.c.serial, certificates.c.profile, certificates.c.reference)
        .where(
            certificates.c.authority == authority,
            certificates.c.state == CertificateState.INTENDED,
            certificates.c.intended_at < before,
        )
        .order_by(certificates.c.intended_at)
    )
    return list(connection.execute(query))


def published_after(
    connection: Connection, profile: str, serial: str, now: datetime, limit: int
) -> list[Row[Any]]:
    """`serial, certificate` of live certificates of a profile, by serial, after this one."""
    query = (
        select(certificates.c.serial, certificates.c.certificate)
        .where(
            certificates.c.serial > serial,
            certificates.c.profile == profile,
            certificates.c.state == CertificateState.ISSUED,
            certificates.c.not_after > now,
        )
        .order_by(certificates.c.serial)
        .limit(limit)
    )
    return list(connection.execute(query))


def status_version(connection: Connection, authority: str) -> int:
    query = select(status_versions.c.version).where(status_versions.c.authority == authority)
    return connection.execute(query).scalar() or 0


def statuses(
    connection: Connection, authority: str, serials: Iterable[int]
) -> list[CertificateStatusRow]:
    """What is known of these serials; those never intended are left out."""
    texts = [serial_text(Serial(serial)) for serial in serials if 0 < serial < _SERIAL_LIMIT]
    query = select(
        certificates.c.serial,
        certificates.c.state,
        certificates.c.revoked_at,
        certificates.c.reason,
    ).where(certificates.c.serial.in_(texts), certificates.c.authority == authority)
    return [
        CertificateStatusRow(
            parse_serial(row.serial),
            CertificateState(row.state),
            row.revoked_at,
            None if row.reason is None else RevocationReason(row.reason),
        )
        for row in connection.execute(query)
    ]


def record_of(row: Any) -> CertificateRecord:
    return CertificateRecord(
        serial=parse_serial(row.serial),
        authority=row.authority,
        profile=ProfileName(row.profile),
        state=CertificateState(row.state),
        subject=row.subject,
        key_fingerprint=row.key_fingerprint,
        requester=row.requester,
        reference=row.reference,
        not_before=row.not_before,
        not_after=row.not_after,
        intended_at=row.intended_at,
        issued_at=row.issued_at,
        revoked_at=row.revoked_at,
        reason=None if row.reason is None else RevocationReason(row.reason),
        der=None if row.certificate is None else bytes(row.certificate),
        companion_of=None if row.companion_of is None else parse_serial(row.companion_of),
    )
