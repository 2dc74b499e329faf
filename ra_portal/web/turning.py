"""Which page of a long list an address asks for, and the addresses of its neighbours."""

from typing import Any

from flask import request, url_for

from ra_portal.keyset import Cut, Place, read_place, write_place


def asked_place() -> tuple[Place | None, bool]:
    """Where the page begins, and whether it lies before that. Raises Malformed `page.place`."""
    after, before = request.args.get("after", ""), request.args.get("before", "")
    return (read_place(after or before) if after or before else None), bool(before)


def neighbours(endpoint: str, page: Cut[Any]) -> dict[str, str]:
    """`earlier` and `later`, for `components.html`'s `turn`; empty where there is none."""
    earlier, later = page.earlier, page.later
    return {
        "earlier": "" if earlier is None else url_for(endpoint, before=write_place(earlier)),
        "later": "" if later is None else url_for(endpoint, after=write_place(later)),
    }


def following(page: Cut[Any]) -> str | None:
    """What `after` is for the next page, as JSON tells it."""
    return None if page.later is None else write_place(page.later)
