"""Days as people name them in forms."""

from datetime import date

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
