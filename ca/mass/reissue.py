"""Re-issue under a new authority: every live certificate of the old one, in one recorded job.

Each gets a second certificate of the same key, subject and end, from the new authority. The old
one stays valid: both chains hold during the change. The new one ends with the old one, whoever
revokes that. A job is recorded whole before it begins; it is run in batches, by any node, and
goes on where a dead process left it: what that one issued is found and kept. Several processes may
run jobs; one of them has a batch in hand. A certificate on hold gets its successor when the hold
ends; until then the job waits for it.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    update,
)

from ca import inventory
from ca.authority import Authority
from ca.inventory import CertificateState, RevocationReason
from ca.issuing.issuance import IssuanceIntent
from ca.mass.reissue_batch import ON_HOLD, REQUESTER, Outcome, Settled, Wanted, look
from ca.revocation import Revocation
from ca.tables import certificates, reissue_items, reissues
from kernel.clock import Clock
from kernel.identifiers import parse_serial, serial_text
from kernel.refusals import Conflict, NotFound, Refusal
from records import named_lock
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

BATCH = 200
"""Certificates that are issued and committed together."""
_SERVICES = ("ceremony:%", "responder:%")
"""References of the house's own certificates; those are made anew by ceremonies and rotation."""
_LOCK = "reissue"
"""One for all jobs: two of them may be over the same certificates."""
_OPEN_AT_LEAST = timedelta(days=1)
"""A certificate that ends sooner is not worth a successor."""


@dataclass(frozen=True)
class ReissueProgress:
    job: str
    total: int
    reissued: int
    ended: int
    refused: int
    held: int
    """On hold: left, but for later."""

    @property
    def left(self) -> int:
        return self.total - self.reissued - self.ended - self.refused


class Reissue:
    """Plans and runs re-issues."""

    def __init__(
        self, database: Database, journal: Journal, clock: Clock, revocation: Revocation
    ) -> None:
        self._revocation = revocation
        self._database = database
        self._journal = journal
        self._clock = clock

    def plan(self, old: str, new: str, actor: str) -> str:
        """Record the job; its identifier. Nothing is issued yet.

        Raises Conflict `reissue.same-authority`; Unavailable.
        """
        if old == new:
            raise Conflict("reissue.same-authority", "old and new authority are the same")
        job, columns = new_id(), certificates.c
        numbered = (
            select(
                func.row_number().over(order_by=columns.serial).label("position"), columns.serial
            )
            .where(
                columns.authority == old,
                or_(columns.state == CertificateState.ISSUED, ON_HOLD),
                columns.not_after > self._clock.now() + _OPEN_AT_LEAST,
                not_(or_(*(columns.reference.like(each) for each in _SERVICES))),
            )
            .subquery()
        )
        chosen = select(literal(job).label("job"), numbered.c.position, numbered.c.serial)
        with self._database.transaction() as connection:
            connection.execute(
                insert(reissue_items).from_select(["job", "position", "serial"], chosen)
            )
            total = connection.execute(
                select(func.count()).select_from(reissue_items).where(reissue_items.c.job == job)
            ).scalar_one()
            values = {
                "id": job,
                "old_authority": old,
                "new_authority": new,
                "actor": actor[:200],
                "total": total,
                "created_at": self._clock.now(),
            }
            connection.execute(insert(reissues), values)
            self._journal.append(
                connection, Event.REISSUE_PLANNED, subject=job, actor=actor, old=old, new=new,
                total=total,
            )  # fmt: skip
        return job

    def unfinished(self) -> list[str]:
        """Jobs that are not done, oldest first."""
        query = select(reissues.c.id).where(reissues.c.finished_at.is_(None))
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(reissues.c.created_at)).scalars())

    def has_work(self) -> bool:
        """Whether a run would do anything: jobs that only wait for holds to end need none."""
        return any(self._has_work(job) for job in self.unfinished())

    def _has_work(self, job: str) -> bool:
        items = reissue_items.c
        with self._database.reading() as connection:
            mine = select(items.outcome).where(items.job == job)
            is_open = connection.execute(mine.where(items.outcome.is_(None)).limit(1)).first()
            held = connection.execute(mine.where(items.outcome == Outcome.HELD).limit(1)).first()
            released = connection.execute(mine.where(_released(job)).limit(1)).first()
        return is_open is not None or held is None or released is not None

    def new_authority_of(self, job: str) -> str:
        """Raises NotFound `reissue.unknown`."""
        query = select(reissues.c.new_authority).where(reissues.c.id == job)
        with self._database.reading() as connection:
            found = connection.execute(query).scalar()
        if found is None:
            raise NotFound("reissue.unknown", "no such job", job=job)
        return str(found)

    def run(self, job: str, authority: Authority, *, batch: int = BATCH) -> ReissueProgress:
        """Do what is left. `authority`: the new one. Raises as `go_on`."""
        self.go_on(job, authority, batch=batch)
        return self.progress(job)

    def go_on(
        self, job: str, authority: Authority, *, batch: int = BATCH, batches: int | None = None
    ) -> None:
        """Do what is left, or at most so many batches of it, without counting it. Waits for the
        batch that another process has in hand.

        Raises NotFound `reissue.unknown`, Conflict `reissue.other-authority`; Unavailable, after
        which it can be run again.
        """
        if self.new_authority_of(job) != authority.name:
            raise Conflict("reissue.other-authority", "the job names another new authority")
        self._take_up_released(job)
        done = after = 0
        while batches is None or done < batches:
            with named_lock.held(self._database, _LOCK):
                items = self._open_items(job, after, batch)
                if items:
                    self._batch(job, items, authority)
            if not items:
                break
            after = items[-1][0]
            done += 1
        self._finish(job)

    def progress(self, job: str) -> ReissueProgress:
        """Raises NotFound `reissue.unknown`."""
        query = select(reissue_items.c.outcome, func.count()).where(reissue_items.c.job == job)
        with self._database.reading() as connection:
            total = connection.execute(
                select(reissues.c.total).where(reissues.c.id == job)
            ).scalar()
            rows = connection.execute(query.group_by(reissue_items.c.outcome)).all()
        if total is None:
            raise NotFound("reissue.unknown", "no such job", job=job)
        counts = {row[0]: row[1] for row in rows}
        return ReissueProgress(job, total, *(counts.get(outcome, 0) for outcome in Outcome))

    def _open_items(self, job: str, after: int, size: int) -> Sequence[tuple[int, str]]:
        query = (
            select(reissue_items.c.position, reissue_items.c.serial)
            .where(
                reissue_items.c.job == job,
                reissue_items.c.outcome.is_(None),
                reissue_items.c.position > after,
            )
            .order_by(reissue_items.c.position)
            .limit(size)
        )
        with self._database.reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def _batch(self, job: str, items: Sequence[tuple[int, str]], authority: Authority) -> None:
        """Three transactions: intents, certificates, outcomes. A refusal of one holds up no
        other; what is unsettled stays open for the next run."""
        with self._database.reading() as connection:
            settled, wanted = look(connection, items, authority.name)
        made, refused = _issued(authority, wanted) if wanted else ([], [])
        settled += made
        if refused:  # or somebody was faster, whose certificate is to be found
            again = [(each.position, each.serial) for each in refused]
            with self._database.reading() as connection:
                by_now, still = look(connection, again, authority.name)
            settled += by_now
            settled += [Settled(each.position, each.serial, Outcome.REFUSED) for each in still]
        self._note(job, settled)

    def _take_up_released(self, job: str) -> None:
        """Open again what is on hold no more."""
        with self._database.transaction() as connection:
            connection.execute(update(reissue_items).where(_released(job)).values(outcome=None))

    def _note(self, job: str, settled: Sequence[Settled]) -> None:
        """Outcomes; and each new certificate ends with the old one, from now on or at once."""
        made = [each for each in settled if each.made is not None and each.ties]
        late: list[Settled] = []
        with self._database.transaction() as connection:
            ends = self._tie(connection, made)
            late = [each for each in made if each.serial in ends]
            self._write(connection, job, [each for each in settled if each not in late])
        for each in late:  # noted last: a process that dies here finds them again
            self._end(each, ends[each.serial])
        if late:
            with self._database.transaction() as connection:
                self._write(connection, job, late)

    def _end(self, made: Settled, reason: RevocationReason | None) -> None:
        """As the old one ended. If that was a hold, the old one may have been released before the
        new one was held: then this one is released, too."""
        new = parse_serial(made.made or "")
        with suppress(Conflict):  # ended already
            if reason is not None:
                self._revocation.revoke(new, reason, REQUESTER)
            if reason in (None, RevocationReason.CERTIFICATE_HOLD):
                with self._database.reading() as connection:
                    old = inventory.find(connection, parse_serial(made.serial))
                if old is not None and old.state is CertificateState.ISSUED:
                    self._revocation.release(new, REQUESTER)

    def _write(self, connection: Connection, job: str, settled: Sequence[Settled]) -> None:
        """What is noted already stays as it is."""
        told = [{"of": each.position, "now": each.outcome, "made": each.made} for each in settled]
        if told:
            items = reissue_items.c
            note = update(reissue_items).where(
                items.job == job, items.position == bindparam("of"), items.outcome.is_(None)
            )
            note = note.values(outcome=bindparam("now"), successor=bindparam("made"))
            connection.execute(note, told)

    def _tie(
        self, connection: Connection, made: Sequence[Settled]
    ) -> dict[str, RevocationReason | None]:
        """New certificates end with the old ones; for which of these reason they end at once:
        of the old ones that ended, or are on hold, meanwhile. None: only the new one is on hold."""
        if not made:
            return {}
        old = [parse_serial(each.serial) for each in made]
        new = [parse_serial(each.made) for each in made if each.made is not None]
        records = inventory.lock(connection, [*old, *new])
        columns = certificates.c
        tie = update(certificates).where(
            columns.serial == bindparam("new"), columns.companion_of.is_(None)
        )
        pairs = [{"new": each.made, "old": each.serial} for each in made]
        connection.execute(tie.values(companion_of=bindparam("old")), pairs)
        ends: dict[str, RevocationReason | None] = {}
        for before, after in zip(old, new, strict=True):
            record, successor = records.get(before), records.get(after)
            if record is None or record.state is not CertificateState.ISSUED:
                why = record.reason if record is not None else None
                ends[serial_text(before)] = why or RevocationReason.SUPERSEDED
            elif successor is not None and (successor.reason is RevocationReason.CERTIFICATE_HOLD):
                ends[serial_text(before)] = None
        return ends

    def _finish(self, job: str) -> None:
        outcome = reissue_items.c.outcome
        mine = select(reissue_items.c.job).where(reissue_items.c.job == job)
        with self._database.transaction() as connection:
            for left in (outcome.is_(None), outcome == Outcome.HELD):  # each by its own index
                if connection.execute(mine.where(left).limit(1)).first() is not None:
                    return
            ended = connection.execute(
                update(reissues)
                .where(reissues.c.id == job, reissues.c.finished_at.is_(None))
                .values(finished_at=self._clock.now())
            )
            if ended.rowcount:
                self._journal.append(
                    connection, Event.REISSUE_FINISHED, subject=job, actor="system"
                )


def _issued(authority: Authority, wanted: Sequence[Wanted]) -> tuple[list[Settled], list[Wanted]]:
    """What was issued, and what was refused. Raises Unavailable."""
    prepared = authority.prepare_each([(each.profile, each.request) for each in wanted])
    intents = [each for each in prepared if isinstance(each, IssuanceIntent)]
    issued = iter(authority.issue_each(intents) if intents else ())
    done, refused = [], []
    for each, intent in zip(wanted, prepared, strict=True):
        made = next(issued) if isinstance(intent, IssuanceIntent) else intent
        if isinstance(made, Refusal):
            refused.append(each)
        else:
            new = serial_text(made.serial)
            done.append(Settled(each.position, each.serial, Outcome.REISSUED, new))
    return done, refused


def _released(job: str) -> ColumnElement[bool]:
    """Items of the job that were on hold, and whose certificates are no more."""
    still = select(certificates.c.serial).where(
        certificates.c.serial == reissue_items.c.serial, ON_HOLD
    )
    held = (reissue_items.c.job == job) & (reissue_items.c.outcome == Outcome.HELD)
    return held & not_(still.exists())
