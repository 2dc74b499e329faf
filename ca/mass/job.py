"""Mass revocation, and the end of many holds: a recorded job over many certificates, done in
batches, resumed after a death.

A batch is one transaction: its certificates, their list entries, the journal, the messages to the
directory and the job's own progress are written together or not at all. Several nodes may run
one job: each takes what no other has in hand.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, literal, select, update

from ca.authority import DIRECTORY_CHANNEL
from ca.inventory import CertificateState, RevocationReason
from ca.issuing.companions import companions_of
from ca.mass import changes as mass_changes
from ca.tables import certificates, mass_items, mass_jobs
from kernel.clock import Clock
from kernel.identifiers import Serial, serial_text
from kernel.refusals import NotFound
from records.database import Database, new_id
from records.events import Event
from records.journal import Entry, Journal
from records.outbox import Outbox

_BATCH = 5000
_WRITTEN_AT_ONCE = 10_000
_KNOWN = (CertificateState.REVOKED, CertificateState.ABANDONED)


class Outcome(StrEnum):
    """What became of one certificate of a job."""

    REVOKED = "revoked"
    ALREADY = "already"
    """Revoked before; its first time and reason stay. Of a release: not on hold."""
    NOT_ISSUED = "not-issued"
    """Unknown here, or never issued."""
    RELEASED = "released"


_MOVED = (Outcome.REVOKED, Outcome.RELEASED)
RELEASE = "removeFromCRL"
"""In the place of a reason: the job ends holds (RFC 5280, 5.3.1)."""


@dataclass(frozen=True)
class MassProgress:
    job: str
    total: int
    revoked: int
    already: int
    not_issued: int
    released: int

    @property
    def left(self) -> int:
        return self.total - self.revoked - self.already - self.not_issued - self.released


class MassRevocation:
    """Plans and runs mass revocations."""

    def __init__(self, database: Database, journal: Journal, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._journal = journal
        self._outbox = outbox
        self._clock = clock

    def plan(self, serials: Iterable[Serial], reason: RevocationReason, actor: str) -> str:
        """Record the job whole; its identifier. Nothing is revoked yet. Raises Unavailable."""
        return self._plan(serials, str(reason), actor)

    def plan_release(self, serials: Iterable[Serial], actor: str) -> str:
        """As `plan`, to end the holds of these certificates. Raises Unavailable."""
        return self._plan(serials, RELEASE, actor)

    def _plan(self, serials: Iterable[Serial], reason: str, actor: str) -> str:
        with self._database.transaction() as connection:
            job = self.freeze_list(connection, (serial_text(serial) for serial in serials))
            self.start(connection, job, reason, actor)
        return job

    @staticmethod
    def freeze_list(connection: Connection, serials: Iterable[str]) -> str:
        """As `freeze`, over serials (`serial_text`) that the caller knows already."""
        job, waiting = new_id(), enumerate(serials, start=1)
        while part := list(islice(waiting, _WRITTEN_AT_ONCE)):
            rows = [
                {"job": job, "position": position, "serial": serial} for position, serial in part
            ]
            connection.execute(insert(mass_items), rows)
        return job

    def freeze(self, connection: Connection, serials: Select[tuple[str]]) -> str:
        """Write down what a job would be over, as `serial_text`; its identifier. Nobody runs it
        until `start`. One statement, however many they are; in the order of the serials, so that
        a job's order does not depend on how a database reads."""
        job, found = new_id(), serials.subquery()
        position = func.row_number().over(order_by=found.c[0])
        rows = select(literal(job), position, found.c[0])
        connection.execute(insert(mass_items).from_select(["job", "position", "serial"], rows))
        return job

    def start(self, connection: Connection, job: str, reason: str, actor: str) -> None:
        """From the end of the caller's transaction on, a frozen job is to be run. `reason`: a
        `RevocationReason`, or `RELEASE`."""
        items = select(func.count()).where(mass_items.c.job == job)
        total = connection.execute(items).scalar_one()
        values = {"id": job, "reason": str(reason), "actor": actor[:200], "total": total}
        connection.execute(insert(mass_jobs), {**values, "created_at": self._clock.now()})
        self._journal.append(
            connection,
            Event.REVOCATION_PLANNED,
            subject=job,
            actor=actor,
            reason=reason,
            total=total,
        )

    @staticmethod
    def serials(job: str) -> Select[tuple[str]]:
        """What a job is over, to be looked for in the caller's own rows."""
        return select(mass_items.c.serial).where(mass_items.c.job == job)

    @staticmethod
    def discard(connection: Connection, job: str) -> None:
        """Forget a frozen job that was never started."""
        started = select(mass_jobs.c.id).where(mass_jobs.c.id == job).exists()
        connection.execute(delete(mass_items).where(mass_items.c.job == job, ~started))

    def unfinished(self) -> list[str]:
        """Jobs that are not done, oldest first: after a restart they are run on."""
        query = select(mass_jobs.c.id).where(mass_jobs.c.finished_at.is_(None))
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(mass_jobs.c.created_at)).scalars())

    def run(self, job: str, *, batch: int = _BATCH) -> MassProgress:
        """Do what is left of a job. Raises as `go_on`."""
        self.go_on(job, batch=batch)
        return self.progress(job)

    def go_on(self, job: str, *, batch: int = _BATCH, batches: int | None = None) -> bool:
        """Do what is left of a job, or at most so many batches of it; whether more is left, here
        or in another node's hand.

        Raises NotFound `mass.unknown`; Unavailable, after which it can be run again.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(mass_jobs).where(mass_jobs.c.id == job)).one_or_none()
        if row is None:
            raise NotFound("mass.unknown", "no such job", job=job)
        done = 0
        while batches is None or done < batches:
            if not self._run_batch(job, row.reason, row.actor, batch):
                return not self._finish(job, row.actor)
            done += 1
        with self._database.reading() as connection:
            return _is_open(connection, job)

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
        """Position and serial (as `serial_text`) of what a job changed, after a position."""
        query = (
            select(mass_items.c.position, mass_items.c.serial)
            .where(mass_items.c.job == job, mass_items.c.position > after)
            .where(mass_items.c.outcome.in_(_MOVED))
            .order_by(mass_items.c.position)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [(row.position, row.serial) for row in connection.execute(query)]

    def _run_batch(self, job: str, reason: str, actor: str, size: int) -> bool:
        """False: nothing was left that no other node has in hand."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            positions = _take(connection, job, size)
            if not positions:
                return False
            serials = list(positions)
            rows = _lock(connection, [*serials, *companions_of(connection, serials)])
            fresh = [row for row in rows if row.state == CertificateState.ISSUED]
            held = [row for row in rows if row.reason == RevocationReason.CERTIFICATE_HOLD]
            outcomes = dict.fromkeys(positions, Outcome.NOT_ISSUED)
            outcomes.update((row.serial, Outcome.ALREADY) for row in rows if row.state in _KNOWN)
            if reason == RELEASE:
                mass_changes.release(connection, held, now)
                self._tell(connection, Event.CERTIFICATE_RELEASED, held, actor, {"job": job})
                outcomes.update((row.serial, Outcome.ALREADY) for row in fresh)
                outcomes.update((row.serial, Outcome.RELEASED) for row in held)
            else:
                moved, told = [*fresh, *held], {"reason": reason, "job": job}
                mass_changes.revoke(connection, fresh, held, RevocationReason(reason), now)
                self._tell(connection, Event.CERTIFICATE_REVOKED, moved, actor, told)
                outcomes.update((row.serial, Outcome.REVOKED) for row in moved)
            outcomes = {serial: outcomes[serial] for serial in positions}  # no companions
            _note(connection, job, positions, outcomes)
        return True

    def _tell(
        self,
        connection: Connection,
        event: Event,
        rows: Sequence[Any],
        actor: str,
        facts: Mapping[str, str],
    ) -> None:
        told = [
            Entry(
                event,
                row.serial,
                actor,
                {"authority": row.authority, "reference": row.reference, **facts},
            )
            for row in rows
        ]
        self._journal.append_many(connection, told)
        messages = [{"kind": "certificate", "serial": row.serial} for row in rows]
        self._outbox.put_many(connection, DIRECTORY_CHANNEL, messages)

    def _finish(self, job: str, actor: str) -> bool:
        """False: another node has something in hand."""
        with self._database.transaction() as connection:
            if _is_open(connection, job):
                return False
            ended = connection.execute(
                update(mass_jobs)
                .where(mass_jobs.c.id == job, mass_jobs.c.finished_at.is_(None))
                .values(finished_at=self._clock.now())
            )
            if ended.rowcount:
                self._journal.append(
                    connection, Event.REVOCATION_FINISHED, subject=job, actor=actor
                )
        return True


def _is_open(connection: Connection, job: str) -> bool:
    """Whether something is left. One look, however large the job is."""
    items = select(mass_items.c.job).where(mass_items.c.job == job, mass_items.c.outcome.is_(None))
    return connection.execute(items.limit(1)).first() is not None


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
