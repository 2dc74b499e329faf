"""Certificates issued and committed on PostgreSQL: in batches, and one alone.

Two threads work on batches, so that one drafts and signs while the other's is being committed.
"""

import statistics
import threading
import time

from tests.bench.site import Site
from tests.bench.timing import Pace, Row, best, repeating

_LIMIT = "signatures of the raw token (python-pkcs11)"
_BATCH = 200
_THREADS = 2
_SINGLES = 200


def issuing(site: Site, pace: Pace) -> list[Row]:
    limit = best({"limit": repeating(site.raw_token_signature())}, pace)["limit"]
    rate = best({"ours": lambda seconds: _batches(site, seconds)}, pace)["ours"]
    return [
        Row("issue.postgresql", rate, limit, _LIMIT),
        Row("issue.single.ms", _single(site), unit="ms"),
    ]


def _batches(site: Site, seconds: float) -> float:
    """Keys and requests are made before the clock runs."""
    authority = site.house.authorities.issuing
    requests = [("operator", one) for one in site.requests(int(2500 * seconds) + _BATCH)]
    batches = [requests[at : at + _BATCH] for at in range(0, len(requests), _BATCH)]
    done: list[int] = []
    started = time.perf_counter()

    def work() -> None:
        while batches and time.perf_counter() - started < seconds:
            batch = batches.pop()
            done.append(len(authority.issue_many(authority.prepare_many(batch))))

    threads = [threading.Thread(target=work) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - started)


def _single(site: Site) -> float:
    """The median, in milliseconds, from request to commit."""
    authority = site.house.authorities.issuing
    times = []
    for request in site.requests(_SINGLES):
        started = time.perf_counter()
        authority.issue(authority.prepare("operator", request))
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000
