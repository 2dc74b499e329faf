"""Times as notices say them: by the clock of the people who read them, as the pages do."""

from datetime import datetime

from ra_portal.days import ZONE, day_of


def moment(at: datetime) -> str:
    """To the minute, at UTC+8; a notice says so beside it."""
    return f"{at.astimezone(ZONE):%Y-%m-%d %H:%M}"


def day(at: datetime) -> str:
    """The day of a moment at UTC+8."""
    return day_of(at).isoformat()
