"""One process that does jobs: what of the schedule is due, and how a job that fails rests."""

import logging
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kernel.refusals import Refusal, Unavailable
from portseal.jobs import JOBS, PIN_REFUSED, Job
from portseal.wiring import House
from records import heartbeat, job_runs
from records.common_time import clock_difference
from records.job_runs import JobRun
from records.outbox import Delivery

_log = logging.getLogger("portseal.worker")


@dataclass(frozen=True)
class Round:
    """What one round did."""

    published: int
    waiting: int
    crls_issued: int
    reconciled: int
    expired: int
    failures: tuple[str, ...] = ()
    """`job: why`, of what failed in this round or still rests after a failure."""


class Worker:
    """Runs jobs of the schedule, here and now. `portseal.node` shares them among nodes."""

    def __init__(self, house: House, jobs: Iterable[Job] = JOBS) -> None:
        self._house = house
        self._jobs = {job.name: job for job in jobs}
        self.node = f"{socket.gethostname()[:80]}:{os.getpid()}"
        self._pin_refused: str | None = None

    def round(self, *, at_once: bool = False) -> Round:
        """Do what is due, one after the other.

        A job that fails, however, is logged, rests, and holds up no other. `at_once`: do
        everything without its pauses. Once the token has refused the PIN, the jobs that need it
        rest until the worker is started anew: more tries would lock the token.
        """
        house = self._house
        with house.database.reading() as connection:
            before = job_runs.last_runs(connection)
        now, results = house.clock.now(), dict[str, Any]()
        for job in self._jobs.values():
            last = before.get(job.name)
            if at_once or last is None or last.due_at <= now:
                results[job.name], _ = self._run(job, last, at_once)
        self.beat()
        delivery = results.get("publish")
        return Round(
            published=0 if delivery is None else delivery.delivered,
            waiting=0 if delivery is None else delivery.waiting,
            crls_issued=results.get("crl") or 0,
            reconciled=results.get("reconcile") or 0,
            expired=results.get("expire") or 0,
            failures=self.failures(),
        )

    def due(self) -> list[tuple[Job, int]]:
        """The jobs that somebody should run now, and the number of each run.

        A job that says that there is nothing to do is not; one that cannot say is.
        Raises Unavailable.
        """
        with self._house.database.reading() as connection:
            runs = job_runs.last_runs(connection)
        now, found = self._house.clock.now(), []
        for job in self._jobs.values():
            last = runs.get(job.name)
            if (last is None or last.due_at <= now) and self._is_wanted(job):
                found.append((job, 1 if last is None else last.number + 1))
        return found

    def _is_wanted(self, job: Job) -> bool:
        try:
            return job.wanted(self._house)
        except Exception:  # noqa: BLE001 - the run tells what is wrong
            return True

    def run_due(self, name: str, number: int) -> bool:
        """The run of this number, once; False: another has done it, or the job is not known here.

        Raises Unavailable when its end cannot be recorded: then it is due still.
        """
        job = self._jobs.get(name)
        if job is None:
            return False
        with self._house.database.reading() as connection:
            last = job_runs.last_run(connection, name)
        if (0 if last is None else last.number) >= number:
            return False
        return self._run(job, last, at_once=False)[1]

    def failures(self) -> tuple[str, ...]:
        """`job: why`, of every job whose last run failed, on whichever node."""
        with self._house.database.reading() as connection:
            runs = job_runs.last_runs(connection)
        return tuple(
            f"{name}: {runs[name].failure}"
            for name in self._jobs
            if name in runs and runs[name].failure
        )

    def beat(self) -> None:
        """Tell the records that this node lives, and how its clock stands. Raises Unavailable."""
        house = self._house
        with house.database.reading() as connection:
            skew = clock_difference(connection, house.clock)
        told = heartbeat.Heartbeat(
            self.node,
            house.clock.now(),
            "; ".join(self.failures()),
            round(skew / timedelta(milliseconds=1)),
        )
        with house.database.transaction() as connection:
            heartbeat.beat(connection, told)

    def _run(self, job: Job, before: JobRun | None, at_once: bool) -> tuple[Any, bool]:
        """The job's result, None when it failed, and whether this run is the one that counts.

        Whatever the job touches is made inside.
        """
        result, why = None, self._pin_refused if job.needs_token else None
        if why is None:
            try:
                result = job.act(self._house, at_once)
            except Refusal as refusal:
                _log.warning("%s is put off: %s", job.name, refusal)
                why = refusal.code
                if job.needs_token and why.startswith(PIN_REFUSED):
                    self._pin_refused = why
                    _log.error("the token is not tried again until the worker is started anew")
            except Exception as error:  # noqa: BLE001 - whatever it is, the others have their turn
                _log.exception("%s failed and is put off", job.name)
                why = type(error).__name__
        return result, self._record(job, before, why, result)

    def _record(self, job: Job, before: JobRun | None, why: str | None, result: Any) -> bool:
        # The outbox rests by itself: what is to be told is told, and the next look is not put off.
        several = result if isinstance(result, list) else [result]
        told = next((each.failure for each in several if isinstance(each, Delivery)), None)
        house = self._house
        try:
            return job_runs.record(
                house.database,
                before,
                job.name,
                self.node,
                house.clock.now(),
                job.every,
                why or told or "",
                rests=why is not None,
            )
        except Unavailable:
            _log.exception("the end of %s cannot be recorded", job.name)
            raise
