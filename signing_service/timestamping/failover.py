"""Several timestamp authorities: the first good answer, and a memory of those that fail."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kernel.refusals import Unavailable
from signing_service.timestamping.client import Timestamper

_log = logging.getLogger(__name__)
_LONGEST_DOUBLING = 10


@dataclass
class _Memory:
    name: str
    timestamper: Timestamper
    failures: int = 0
    """In a row."""
    rests_until: float = 0.0
    reason: str | None = None


class FailoverTimestamper:
    """Asks authorities in order of preference. Thread-safe.

    An authority that fails, or whose answer is wrong, rests: for `rest_seconds`, then twice as
    long after each failure in a row, up to `longest_rest_seconds`. Those at rest are asked only
    when no other gives a good answer, the one whose rest ends first before the others.
    """

    def __init__(
        self,
        authorities: Sequence[tuple[str, Timestamper]],
        *,
        rest_seconds: float = 10.0,
        longest_rest_seconds: float = 600.0,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """`authorities`: name and client of each, the preferred one first; at least one."""
        if not authorities:
            raise ValueError("at least one timestamp authority is needed")
        self._memories = [_Memory(name, timestamper) for name, timestamper in authorities]
        self._rest = rest_seconds
        self._longest_rest = longest_rest_seconds
        self._steady = steady
        self._lock = threading.Lock()

    def stamp(self, imprint: bytes, digest: str) -> bytes:
        """As `Timestamper.stamp`. Raises Unavailable `timestamp.unavailable` when no authority
        gave a good answer, with each one's reason in the facts."""
        for memory in self._order():
            try:
                token = memory.timestamper.stamp(imprint, digest)
            except Unavailable as refusal:
                self._note_failure(memory, refusal)
            else:
                self._note_success(memory)
                return token
        reasons = "; ".join(f"{name}: {reason}" for name, reason in self.reasons().items())
        raise Unavailable(
            "timestamp.unavailable", "no timestamp authority gave a good answer", reasons=reasons
        )

    def reasons(self) -> dict[str, str]:
        """Why each authority that failed last time did so, by its name."""
        with self._lock:
            return {each.name: each.reason for each in self._memories if each.reason is not None}

    def _order(self) -> list[_Memory]:
        with self._lock:
            now = self._steady()
            awake = [each for each in self._memories if each.rests_until <= now]
            resting = [each for each in self._memories if each.rests_until > now]
            return [*awake, *sorted(resting, key=lambda each: each.rests_until)]

    def _note_failure(self, memory: _Memory, refusal: Unavailable) -> None:
        with self._lock:
            doubled = self._rest * 2 ** min(memory.failures, _LONGEST_DOUBLING)
            memory.failures += 1
            memory.rests_until = self._steady() + min(doubled, self._longest_rest)
            facts = "".join(f", {name} {value}" for name, value in refusal.facts.items())
            memory.reason = f"{refusal.code}: {refusal.detail}{facts}"
        _log.warning("timestamp authority %s: %s", memory.name, memory.reason)

    def _note_success(self, memory: _Memory) -> None:
        with self._lock:
            memory.failures, memory.rests_until, memory.reason = 0, 0.0, None
