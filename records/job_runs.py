"""When each job of the schedule ran last, where, how it ended, and when it is due again.

The number of a run is counted up by the run that ends: of two nodes that both held the same run
to be due, the later one finds it done.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from records.database import Database
from records.tables import job_runs

_LONGEST_REST = 60
"""Seconds after which a job that fails time and again is tried once more."""


@dataclass(frozen=True)
class JobRun:
    """The last run of a job."""

    name: str
    number: int
    ended_at: datetime
    due_at: datetime
    node: str
    failure: str
    """Why it failed; empty: it did not."""
    rest_seconds: int


def last_runs(connection: Connection) -> dict[str, JobRun]:
    """By the job's name; a job that never ran has none."""
    rows = connection.execute(select(job_runs).order_by(job_runs.c.name))
    return {row.name: _run(row) for row in rows}


def last_run(connection: Connection, name: str) -> JobRun | None:
    row = connection.execute(select(job_runs).where(job_runs.c.name == name)).one_or_none()
    return None if row is None else _run(row)


def record(
    database: Database,
    before: JobRun | None,
    name: str,
    node: str,
    at: datetime,
    every: timedelta,
    failure: str = "",
    *,
    rests: bool = False,
) -> bool:
    """Note the end of the run after `before`; False: another node has noted it already.

    `rests`: the job failed and waits, twice as long each time, instead of `every`.
    """
    rest = 0
    if rests:
        rest = min(2 * before.rest_seconds, _LONGEST_REST) if before and before.rest_seconds else 1
    values = {
        "number": 1 if before is None else before.number + 1,
        "ended_at": at,
        "due_at": at + (timedelta(seconds=rest) if rests else every),
        "node": node[:100],
        "failure": failure[:200],
        "rest_seconds": rest,
    }
    try:
        with database.transaction() as connection:
            if before is None:
                connection.execute(insert(job_runs), {"name": name, **values})
                return True
            still = (job_runs.c.name == name) & (job_runs.c.number == before.number)
            return connection.execute(update(job_runs).where(still).values(values)).rowcount == 1
    except IntegrityError:
        return False


def _run(row: Row[tuple[object, ...]]) -> JobRun:
    return JobRun(**row._mapping)
