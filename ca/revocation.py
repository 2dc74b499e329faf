"""Revocation: named transitions, each idempotent, journalled, and seen by every responder.

A change of status counts the authority's status version up in the same transaction; responders
in all processes look at that counter, so that a revocation is answered within a second. Rows are
locked as `ca.inventory.lock` says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ca import inventory, transitions
from ca.authority import DIRECTORY_CHANNEL
from ca.crl.entry import crl_entry, removal_entry
from ca.inventory import CertificateRecord, CertificateState, RevocationReason
from ca.issuing.companions import companions_of
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
            record, companions = _locked(connection, serial)
            now = self._clock.now()
            if record.state is CertificateState.REVOKED:
                known = _already(record, reason)
                if known is not None:
                    return known
            moment = self._moment(record, at, now)
            ending = [each for each in companions if _ends_with_its_signing(each, reason)]
            versions = _versions(connection, [record, *ending])
            self._move(connection, record, reason, moment, versions)
            self._tell(connection, record, Event.CERTIFICATE_REVOKED, actor, reason=str(reason))
            told = {"reason": str(reason), "companion_of": serial_text(serial)}
            for each in ending:  # the same, in the same moment
                at = each.revoked_at or max(moment, each.not_before)
                self._move(connection, each, reason, at, versions)
                self._tell(connection, each, Event.CERTIFICATE_REVOKED, actor, **told)
            return Revoked(serial, moment, reason, changed=True)

    def release(self, serial: Serial, actor: str) -> None:
        """End a hold. Repeating it changes nothing.

        Raises NotFound `certificate.unknown`; Conflict `certificate.not-on-hold`; Unavailable.
        """
        with self._database.transaction() as connection:
            record, companions = _locked(connection, serial)
            if record.state is CertificateState.ISSUED:
                return
            if record.reason is not _HOLD:
                raise Conflict("certificate.not-on-hold", "the certificate is not on hold")
            held = [record, *(each for each in companions if each.reason is _HOLD)]
            versions = _versions(connection, held)
            for each in held:
                transitions.record_released(
                    connection,
                    serial_text(each.serial),
                    removal_entry(each.serial, self._clock.now()),
                    versions[each.authority],
                )
                self._tell(connection, each, Event.CERTIFICATE_RELEASED, actor)

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
        versions: Mapping[str, int],
    ) -> None:
        moved = transitions.record_revoked(
            connection,
            serial_text(record.serial),
            before=(CertificateState.ISSUED, CertificateState.REVOKED),
            after=CertificateState.REVOKED,
            at=moment,
            reason=reason,
            crl_entry=crl_entry(record.serial, moment, reason),
            version=versions[record.authority],
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


def _locked(
    connection: Connection, serial: Serial
) -> tuple[CertificateRecord, list[CertificateRecord]]:
    """The certificate and those that end with it. Raises NotFound `certificate.unknown`."""
    locked = inventory.lock(connection, [serial, *_companions(connection, serial)])
    if serial not in locked:
        raise NotFound("certificate.unknown", "no such certificate", serial=serial_text(serial))
    # Whoever records a companion locks the signing certificate, so that from now on there are no
    # more; one that was recorded while we waited is locked now.
    late = [each for each in _companions(connection, serial) if each not in locked]
    locked.update(inventory.lock(connection, late))
    record = locked.pop(serial)
    return record, list(locked.values())


def _companions(connection: Connection, serial: Serial) -> list[Serial]:
    return [parse_serial(each) for each in companions_of(connection, [serial_text(serial)])]


def _ends_with_its_signing(companion: CertificateRecord, reason: RevocationReason) -> bool:
    """One that is being issued at this moment does not: the authority sees that it may not be."""
    if companion.state not in (CertificateState.ISSUED, CertificateState.REVOKED):
        return False
    return companion.reason in (None, _HOLD) or reason is RevocationReason.KEY_COMPROMISE


def _versions(connection: Connection, moving: Sequence[CertificateRecord]) -> dict[str, int]:
    """By authority, each counted up once."""
    names = sorted({record.authority for record in moving})
    return {name: transitions.bump_status_version(connection, name) for name in names}


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
