"""Days by the clock of the people who name and read them: Beijing's, as the pages show times."""

from datetime import UTC, date, datetime, time, timedelta, timezone

ZONE = timezone(timedelta(hours=8))
"""China has one time, without summer time."""


def begins(day: date) -> datetime:
    """The first moment of a day, in UTC."""
    return datetime.combine(day, time(), ZONE).astimezone(UTC)


def day_of(at: datetime) -> date:
    """The day on which a moment falls."""
    return at.astimezone(ZONE).date()
