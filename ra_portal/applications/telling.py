"""What a message to an officer says about applications that wait."""

from collections.abc import Sequence
from datetime import timedelta

from ra_portal.applications.application import Application

MOST_NAMED = 20
"""References that one mail names; it says how many there are in all."""


def waiting(late: Sequence[Application], after: timedelta) -> dict[str, str]:
    """What the templates say of them."""
    named = ", ".join(each.reference for each in late[:MOST_NAMED])
    return {
        "count": str(len(late)),
        "hours": str(int(after.total_seconds()) // 3600),
        "references": named + ("…" if len(late) > MOST_NAMED else ""),
    }
