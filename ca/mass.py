"""Mass revocation: a recorded job over many certificates, done in batches, resumed after a death.

A batch is one transaction: its certificates, their list entries, the journal, the messages to the
directory and the job's own progress are written together or not at all. Several nodes may run
one job: each takes what no other has in hand.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from ca import crl_entries, transitions
from ca.authority import DIRECTORY_CHANNEL
from ca.companions import companions_of
from ca.crl_entry import crl_entry
from ca.inventory import CertificateState, RevocationReason
from ca.tables import certificates, mass_items, mass_jobs
from kernel.clock import Clock
from kernel.identifiers import Serial, parse_serial, serial_text
from kernel.refusals import NotFound
from records.database import Database, new_id
from records.events import Event
from records.journal import Entry, Journal
from records.outbox import Outbox

_BATCH = 5000
_WRITTEN_AT_ONCE = 10_000


class Outcome(StrEnum):
    """What became of one certificate of a job."""

    REVOKED = "revoked"
    ALREADY = "already"
    """Revoked before; its first time and reason stay."""
    NOT_ISSUED = "not-issued"
    """Unknown here, or never issued."""


@dataclass(frozen=True)
class MassProgress:
    job: str
    total: int
    revoked: int
    already: int
    not_issued: int

    @property
    def left(self) -> int:
        return self.total - self.revoked - self.already - self.not_issued


class MassRevocation:
    """Plans and runs mass revocations."""

    def __init__(self, database: Database, journal: Journal, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._journal = journal
        self._outbox = outbox
        self._clock = clock

    def plan(self, serials: Iterable[Serial], reason: RevocationReason, actor: str) -> str:
        """Record the job whole; its identifier. Nothing is revoked yet. Raises Unavailable."""
        job, total = new_id(), 0
        waiting = enumerate(serials, start=1)
        with self._database.transaction() as connection:
            while part := list(islice(waiting, _WRITTEN_AT_ONCE)):
                rows = [
                    {"job": job, "position": position, "serial": serial_text(serial)}
                    for position, serial in part
                ]
                connection.execute(insert(mass_items), rows)
                total += len(rows)
            values = {"id": job, "reason": reason, "actor": actor[:200], "total": total}
            connection.execute(insert(mass_jobs), {**values, "created_at": self._clock.now()})
            self._journal.append(
                connection,
                Event.REVOCATION_PLANNED,
                subject=job,
                actor=actor,
                reason=str(reason),
                total=total,
            )
        return job

    def unfinished(self) -> list[str]:
        """Jobs that are not done, oldest first: after a restart they are run on."""
        query = select(mass_jobs.c.id).where(mass_jobs.c.finished_at.is_(None))
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(mass_jobs.c.created_at)).scalars())

    def run(self, job: str, *, batch: int = _BATCH, batches: int | None = None) -> MassProgress:
        """Do what is left of a job, or at most so many batches of it.

        Raises NotFound `mass.unknown`; Unavailable, after which it can be run again.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(mass_jobs).where(mass_jobs.c.id == job)).one_or_none()
        if row is None:
            raise NotFound("mass.unknown", "no such job", job=job)
        reason, done = RevocationReason(row.reason), 0
        while batches is None or done < batches:
            if not self._run_batch(job, reason, row.actor, batch):
                self._finish(job, row.actor)
                break
            done += 1
        return self.progress(job)

    def progress(self, job: str) -> MassProgress:
        """How far a job is. Raises NotFound `mass.unknown`."""
        query = select(mass_items.c.outcome, func.count()).where(mass_items.c.job == job)
        with self._database.reading() as connection:
            total = select(mass_jobs.c.total).where(mass_jobs.c.id == job)
            found = connection.execute(total).scalar()
            rows = connection.execute(query.group_by(mass_items.c.outcome)).all()
        if found is None:
            raise NotFound("mass.unknown", "no such job", job=job)
        counts = {row[0]: row[1] for row in rows}
        return MassProgress(job, found, *(counts.get(outcome, 0) for outcome in Outcome))

    def moved(self, job: str, after: int, limit: int) -> list[tuple[int, str]]:
        """Position and serial (as `serial_text`) of what a job revoked, after a position."""
        query = (
            select(mass_items.c.position, mass_items.c.serial)
            .where(mass_items.c.job == job, mass_items.c.position > after)
            .where(mass_items.c.outcome == Outcome.REVOKED)
            .order_by(mass_items.c.position)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [(row.position, row.serial) for row in connection.execute(query)]

    def _run_batch(self, job: str, reason: RevocationReason, actor: str, size: int) -> bool:
        """False: nothing was left that no other node has in hand."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            positions = _take(connection, job, size)
            if not positions:
                return False
            serials = list(positions)
            rows = _lock(connection, [*serials, *companions_of(connection, serials)])
            fresh, held = [], []
            for row in rows:
                if row.state == CertificateState.ISSUED:
                    fresh.append(row)
                elif row.reason == RevocationReason.CERTIFICATE_HOLD:
                    held.append(row)
            moved = [*fresh, *held]
            self._move(connection, fresh, held, reason, now)
            self._tell(connection, moved, reason, actor, job)
            outcomes = dict.fromkeys(positions, Outcome.NOT_ISSUED)
            known = (CertificateState.REVOKED, CertificateState.ABANDONED)
            outcomes.update((row.serial, Outcome.ALREADY) for row in rows if row.state in known)
            outcomes.update((row.serial, Outcome.REVOKED) for row in moved)
            outcomes = {serial: outcomes[serial] for serial in positions}  # no companions
            _note(connection, job, positions, outcomes)
        return True

    def _move(
        self,
        connection: Connection,
        fresh: Sequence[Any],
        held: Sequence[Any],
        reason: RevocationReason,
        now: datetime,
    ) -> None:
        """Those on hold keep their time: they were not in use since then."""
        values = {"state": CertificateState.REVOKED, "reason": reason, "live_key": None}
        if reason is RevocationReason.CERTIFICATE_HOLD:
            del values["live_key"]
        for rows, more in ((fresh, {"revoked_at": now}), (held, {})):
            serials = [row.serial for row in rows]
            if serials:
                change = update(certificates).where(certificates.c.serial.in_(serials))
                connection.execute(change.values(**values, **more))
        by_authority: dict[str, list[crl_entries.Change]] = {}
        for row in (*fresh, *held):
            entry = crl_entry(parse_serial(row.serial), row.revoked_at or now, reason)
            change_of_row = crl_entries.Change(row.serial, entry)
            by_authority.setdefault(row.authority, []).append(change_of_row)
        for authority, changes in sorted(by_authority.items()):
            version = transitions.bump_status_version(connection, authority)
            crl_entries.put(connection, changes, version)

    def _tell(
        self,
        connection: Connection,
        rows: Sequence[Any],
        reason: RevocationReason,
        actor: str,
        job: str,
    ) -> None:
        told = [
            Entry(
                Event.CERTIFICATE_REVOKED,
                row.serial,
                actor,
                {
                    "authority": row.authority,
                    "reference": row.reference,
                    "reason": str(reason),
                    "job": job,
                },
            )
            for row in rows
        ]
        self._journal.append_many(connection, told)
        messages = [{"kind": "certificate", "serial": row.serial} for row in rows]
        self._outbox.put_many(connection, DIRECTORY_CHANNEL, messages)

    def _finish(self, job: str, actor: str) -> None:
        open_items = select(mass_items.c.job).where(
            mass_items.c.job == job, mass_items.c.outcome.is_(None)
        )
        with self._database.transaction() as connection:
            if connection.execute(open_items.limit(1)).first() is not None:
                return  # another node has them in hand
            ended = connection.execute(
                update(mass_jobs)
                .where(mass_jobs.c.id == job, mass_jobs.c.finished_at.is_(None))
                .values(finished_at=self._clock.now())
            )
            if ended.rowcount:
                self._journal.append(
                    connection, Event.REVOCATION_FINISHED, subject=job, actor=actor
                )


def _take(connection: Connection, job: str, size: int) -> dict[str, list[int]]:
    """Positions by serial of items that nobody else is at work on."""
    query = (
        select(mass_items.c.serial, mass_items.c.position)
        .where(mass_items.c.job == job, mass_items.c.outcome.is_(None))
        .order_by(mass_items.c.position)
        .limit(size)
        .with_for_update(skip_locked=True)
    )
    positions: dict[str, list[int]] = {}
    for serial, position in connection.execute(query):
        positions.setdefault(serial, []).append(position)
    return positions


def _lock(connection: Connection, serials: Sequence[str]) -> list[Any]:
    query = (
        select(
            certificates.c.serial,
            certificates.c.authority,
            certificates.c.reference,
            certificates.c.state,
            certificates.c.reason,
            certificates.c.revoked_at,
        )
        .where(certificates.c.serial.in_(serials))
        .order_by(certificates.c.serial)
        .with_for_update()
    )
    return list(connection.execute(query))


def _note(
    connection: Connection,
    job: str,
    positions: dict[str, list[int]],
    outcomes: dict[str, Outcome],
) -> None:
    by_outcome: dict[Outcome, list[int]] = {}
    for serial, outcome in outcomes.items():
        by_outcome.setdefault(outcome, []).extend(positions[serial])
    for outcome, numbers in by_outcome.items():
        connection.execute(
            update(mass_items)
            .where(mass_items.c.job == job, mass_items.c.position.in_(numbers))
            .values(outcome=outcome)
        )
