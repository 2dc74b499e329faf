"""Certificates prepared, linted, signed in the token and committed to SQLite, per second."""

import time

from tests.bench.site import Site
from tests.bench.timing import Measure, Pace, Row, best, repeating

_LIMIT = "signatures of the raw token (python-pkcs11)"
_PER_SECOND = 1500
"""Requests made ready for a second of measuring."""
_BATCH = 50


def issuing(site: Site, pace: Pace) -> list[Row]:
    rates = best(
        {
            "single": _singly(site),
            "batch": _in_batches(site),
            "limit": repeating(site.raw_token_signature()),
        },
        pace,
    )
    limit = rates["limit"]
    return [
        Row("issue.sqlite", rates["single"], limit, _LIMIT),
        Row("issue.sqlite.batch", rates["batch"], limit, _LIMIT),
    ]


def _singly(site: Site) -> Measure:
    authority = site.house.authorities.issuing

    def measure(seconds: float) -> float:
        waiting = iter(site.requests(int(_PER_SECOND * seconds)))
        count, started = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            request = next(waiting, None)
            if request is None:
                break
            authority.issue(authority.prepare("operator", request))
            count += 1
        return count / elapsed

    return measure


def _in_batches(site: Site) -> Measure:
    authority = site.house.authorities.issuing

    def measure(seconds: float) -> float:
        requests = [("operator", one) for one in site.requests(int(_PER_SECOND * 2 * seconds))]
        count, started = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds and count < len(requests):
            batch = requests[count : count + _BATCH]
            authority.issue_many(authority.prepare_many(batch))
            count += len(batch)
        return count / elapsed

    return measure
