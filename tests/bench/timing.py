"""The one way in which everything here is timed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Work = Callable[[], object]
"""One operation."""
Measure = Callable[[float], float]
"""Spends about so many seconds; returns operations per second."""

_CHUNK_SECONDS = 0.02


@dataclass(frozen=True)
class Row:
    """One line of the table and one object of var/bench.json."""

    name: str
    ours: float
    limit: float | None = None
    limit_name: str | None = None
    peer: float | None = None
    peer_name: str | None = None
    unit: str = "1/s"


@dataclass(frozen=True)
class Pace:
    """How long to measure."""

    seconds: float = 1.0
    """Of one round."""
    rounds: int = 5


def best(contenders: Mapping[str, Measure], pace: Pace) -> dict[str, float]:
    """The best round of each, after a short warm-up.

    The contenders take turns, so that what else the machine does hits them alike; the best
    round is told, because noise only ever slows.
    """
    for measure in contenders.values():
        measure(pace.seconds / 4)
    rates: dict[str, float] = dict.fromkeys(contenders, 0.0)
    for _ in range(pace.rounds):
        for name, measure in contenders.items():
            rates[name] = max(rates[name], measure(pace.seconds))
    return rates


def repeating(work: Work) -> Measure:
    """Time calls of `work`, in chunks, so that reading the clock costs next to nothing."""

    def measure(seconds: float) -> float:
        count, chunk = 0, 1
        started = now = time.perf_counter()
        while now - started < seconds:
            before = now
            for _ in range(chunk):
                work()
            count += chunk
            now = time.perf_counter()
            if now - before < _CHUNK_SECONDS:
                chunk *= 2
        return count / (now - started)

    return measure
