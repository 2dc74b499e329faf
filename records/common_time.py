"""The time that all nodes share: that of their database."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from kernel.clock import Clock
from kernel.refusals import Reason, Unavailable
from records.database import Database

THEIR_TIME = func.clock_timestamp()
_THEIRS = select(THEIR_TIME)


def clock_difference(connection: Connection, clock: Clock) -> timedelta:
    """How far our clock is ahead of the database's.

    Zero on SQLite, which has no clock but ours. The time that the question takes is halved out.
    """
    if connection.dialect.name == "sqlite":
        return timedelta(0)
    return difference_told_by(clock, lambda: connection.execute(_THEIRS).scalar_one())


def difference_told_by(clock: Clock, ask: Callable[[], datetime]) -> timedelta:
    """The same from a statement that does something else and answers with `THEIR_TIME`; one that
    waits for nobody, or the difference is off by half the wait."""
    asked = clock.now()
    theirs = ask()
    answered = clock.now()
    return asked + (answered - asked) / 2 - theirs.astimezone(UTC)


class CommonTime:
    """Looks now and then whether our clock is that of the database. Thread-safe."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        limit: timedelta,
        pause_seconds: float = 10.0,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._limit = limit
        self._pause = pause_seconds
        self._steady = steady
        self._lock = threading.Lock()
        self._fault: Reason | None = None
        self._again_at = float("-inf")

    def fault(self) -> Reason | None:
        """How far the clock is off; None: not too far, or nothing else was learned
        since the database went away."""
        if self._steady() >= self._again_at and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        return self._fault

    def _look(self) -> None:
        try:
            with self._database.reading() as connection:
                ahead = clock_difference(connection, self._clock)
        except Unavailable:
            pass  # what was known holds on
        else:
            told = Reason(
                "the clock is {seconds} s from that of the database",
                {"seconds": f"{ahead.total_seconds():+.3f}"},
            )
            self._fault = told if abs(ahead) > self._limit else None
        self._again_at = self._steady() + self._pause
