"""The time that all nodes share: that of their database."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from kernel.clock import Clock

_THEIRS = text("SELECT clock_timestamp()")


def clock_difference(connection: Connection, clock: Clock) -> timedelta:
    """How far our clock is ahead of the database's.

    Zero on SQLite, which has no clock but ours. The time that the question takes is halved out.
    """
    if connection.dialect.name == "sqlite":
        return timedelta(0)
    asked = clock.now()
    theirs: datetime = connection.execute(_THEIRS).scalar_one()
    answered = clock.now()
    return asked + (answered - asked) / 2 - theirs.astimezone(UTC)
