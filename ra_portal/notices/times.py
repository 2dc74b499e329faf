"""Times as notices say them: by the clock of the people who read them, as the pages do."""

from datetime import datetime, timedelta, timezone

_CHINA = timezone(timedelta(hours=8))


def moment(at: datetime) -> str:
    """To the minute, at UTC+8; a notice says so beside it."""
    return f"{at.astimezone(_CHINA):%Y-%m-%d %H:%M}"


def day(at: datetime) -> str:
    """The day of a moment at UTC+8."""
    return f"{at.astimezone(_CHINA):%Y-%m-%d}"
