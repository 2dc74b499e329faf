"""Whole seconds, UTCTime until 2049, and the next list after this one, soon enough."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from kernel.asn1 import der
from policies.lints.crl.framework import ListLint, RevocationList

_LONGEST = timedelta(days=366)
"""A root's list; those that name subscribers are held shorter by the settings."""


def check(candidate: RevocationList) -> Iterator[str]:
    this, following = _time(candidate.this_update), _time(candidate.next_update)
    if this is None or following is None:
        yield "a time is not UTCTime until 2049 or GeneralizedTime after it, in whole seconds"
        return
    if not this < following <= this + _LONGEST:
        yield "nextUpdate does not follow thisUpdate within a year"


def _time(encoded: bytes) -> datetime | None:
    text = encoded[2:].decode("ascii", "replace")
    try:
        if encoded[0] == 0x17:
            text = ("20" if text < "50" else "19") + text
        at = datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return at if der.time(at) == encoded else None


LINT = ListLint("crl-times", "4.9.7", "RFC 5280, 5.1.2.4 and 5.1.2.5", check)
