"""Revocation: named transitions, each idempotent, journalled, and seen by every responder.

A change of status counts the authority's status version up in the same transaction; responders
in all processes look at that counter, so that a revocation is answered within a second.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ca import inventory, transitions
from ca.authority import DIRECTORY_CHANNEL
from ca.companions import companions_of
from ca.crl_entry import crl_entry, removal_entry
from ca.inventory import CertificateRecord, CertificateState, RevocationReason
from kernel.clock import Clock
from kernel.identifiers import Serial, parse_serial, serial_text
from kernel.refusals import Conflict, NotFound, Unprocessable
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.outbox import Outbox

_HOLD = RevocationReason.CERTIFICATE_HOLD


@dataclass(frozen=True)
class Revoked:
    """How a certificate stands after the call."""

    serial: Serial
    at: datetime
    reason: RevocationReason
    changed: bool
    """False when it was revoked so already."""


class Revocation:
    """Revokes certificates of any authority in the inventory."""

    def __init__(self, database: Database, journal: Journal, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._journal = journal
        self._outbox = outbox
        self._clock = clock

    def revoke(
        self, serial: Serial, reason: RevocationReason, actor: str, at: datetime | None = None
    ) -> Revoked:
        """Revoke, or put on hold (reason `certificateHold`); on hold, revoke for good.

        Repeating a revocation changes nothing, and the first time and reason stay; a later
        report that the key was compromised replaces the reason and keeps the time (RFC 5280,
        5.3.1). `at`: an earlier moment of effect, after the issue and not in the future.

        Raises NotFound `certificate.unknown`; Conflict `certificate.not-issued`,
        `certificate.already-revoked` (a hold on a revoked one, another reason); Unprocessable
        `revocation.time`; Unavailable.
        """
        with self._database.transaction() as connection:
            record = _find(connection, serial)
            now = self._clock.now()
            if record.state is CertificateState.REVOKED:
                known = _already(record, reason)
                if known is not None:
                    return known
            moment = self._moment(record, at, now)
            self._move(connection, record, reason, moment)
            self._tell(connection, record, Event.CERTIFICATE_REVOKED, actor, reason=str(reason))
            self._end_companions(connection, record, reason, moment, actor)
            return Revoked(serial, moment, reason, changed=True)

    def release(self, serial: Serial, actor: str) -> None:
        """End a hold. Repeating it changes nothing.

        Raises NotFound `certificate.unknown`; Conflict `certificate.not-on-hold`; Unavailable.
        """
        with self._database.transaction() as connection:
            record = _find(connection, serial)
            if record.state is CertificateState.ISSUED:
                return
            if not self._release(connection, record, actor):
                raise Conflict("certificate.not-on-hold", "the certificate is not on hold")
            for companion in self._companions(connection, record):
                if companion.reason is _HOLD:
                    self._release(connection, companion, actor)

    def _release(self, connection: Connection, record: CertificateRecord, actor: str) -> bool:
        """False: it is not on hold."""
        version = transitions.bump_status_version(connection, record.authority)
        removal = removal_entry(record.serial, self._clock.now())
        if not transitions.record_released(
            connection, serial_text(record.serial), removal, version
        ):
            return False
        self._tell(connection, record, Event.CERTIFICATE_RELEASED, actor)
        return True

    def _companions(
        self, connection: Connection, record: CertificateRecord
    ) -> list[CertificateRecord]:
        """Certificates that end with this one, their rows locked."""
        serials = companions_of(connection, [serial_text(record.serial)])
        return [_find(connection, parse_serial(serial)) for serial in serials]

    def _end_companions(
        self,
        connection: Connection,
        record: CertificateRecord,
        reason: RevocationReason,
        moment: datetime,
        actor: str,
    ) -> None:
        """The same, in the same moment, for the certificates that go with it."""
        for companion in self._companions(connection, record):
            if companion.state not in (CertificateState.ISSUED, CertificateState.REVOKED):
                continue  # being issued at this moment: the authority sees that it may not be
            if companion.reason in (None, _HOLD) or reason is RevocationReason.KEY_COMPROMISE:
                at = companion.revoked_at or max(moment, companion.not_before)
                self._move(connection, companion, reason, at)
                told = {"reason": str(reason), "companion_of": serial_text(record.serial)}
                self._tell(connection, companion, Event.CERTIFICATE_REVOKED, actor, **told)

    def _moment(self, record: CertificateRecord, at: datetime | None, now: datetime) -> datetime:
        if record.revoked_at is not None:
            return record.revoked_at  # on hold or revoked: not in use since then
        if at is None:
            return now
        if at.tzinfo is None or not record.not_before <= at <= now:
            raise Unprocessable("revocation.time", "not between the issue and now")
        return at

    def _move(
        self,
        connection: Connection,
        record: CertificateRecord,
        reason: RevocationReason,
        moment: datetime,
    ) -> None:
        moved = transitions.record_revoked(
            connection,
            serial_text(record.serial),
            before=(CertificateState.ISSUED, CertificateState.REVOKED),
            after=CertificateState.REVOKED,
            at=moment,
            reason=reason,
            crl_entry=crl_entry(record.serial, moment, reason),
            version=transitions.bump_status_version(connection, record.authority),
        )
        if not moved:
            raise Conflict("certificate.not-issued", "the certificate was never issued")

    def _tell(
        self,
        connection: Connection,
        record: CertificateRecord,
        event: Event,
        actor: str,
        **facts: str,
    ) -> None:
        serial = serial_text(record.serial)
        self._journal.append(
            connection,
            event,
            subject=serial,
            actor=actor,
            authority=record.authority,
            reference=record.reference,
            **facts,
        )
        self._outbox.put(connection, DIRECTORY_CHANNEL, {"kind": "certificate", "serial": serial})


def _find(connection: Connection, serial: Serial) -> CertificateRecord:
    record = inventory.find(connection, serial, for_update=True)
    if record is None:
        raise NotFound("certificate.unknown", "no such certificate", serial=serial_text(serial))
    return record


def _already(record: CertificateRecord, reason: RevocationReason) -> Revoked | None:
    """The answer to a repeated revocation; None when this one goes further than the first."""
    if record.reason is None or record.revoked_at is None:
        return None
    if record.reason is reason:
        return Revoked(record.serial, record.revoked_at, reason, changed=False)
    if record.reason is _HOLD or reason is RevocationReason.KEY_COMPROMISE:
        return None
    raise Conflict(
        "certificate.already-revoked",
        "the certificate is revoked for another reason",
        reason=str(record.reason),
    )
