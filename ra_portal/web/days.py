"""Days as people name them in forms, in the time zone of the pages."""

from datetime import UTC, date, datetime

from flask_babel import to_utc

from kernel.refusals import Malformed


def read_day(text: str) -> date | None:
    """None where nothing was chosen. Raises Malformed `field.date`."""
    if not text.strip():
        return None
    try:
        found = date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise Malformed("field.date", "this is not a date") from None
    if not 2000 <= found.year <= 2200:
        raise Malformed("field.date", "this is not a date")
    return found


def begins(day: date) -> datetime:
    """The first moment of a day, in UTC."""
    moment: datetime = to_utc(datetime(day.year, day.month, day.day))  # noqa: DTZ001 - local
    return moment.replace(tzinfo=UTC)
