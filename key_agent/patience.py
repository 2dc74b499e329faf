"""How often an origin may ask: requests in all, and windows that its user sends away."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from kernel.refusals import TooMany

REQUESTS = 60
REQUEST_SECONDS = 10.0
"""At most so many requests of one origin in so many seconds."""
DISMISSALS = 3
DISMISSAL_SECONDS = 60.0
PAUSE_SECONDS = 60.0
"""After so many dismissed windows in so many seconds an origin waits for so long."""
STRANGERS_WINDOWS = 5
STRANGERS_SECONDS = 600.0
"""First-use questions for all unknown origins together."""
_MAX_ORIGINS = 512


class Patience:
    """Counts; forgets the origins that were not heard of for longest."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        self._paused: dict[str, float] = {}

    def request(self, origin: str) -> None:
        """Raises TooMany `request.too-many`."""
        if not self._count(("request", origin), REQUESTS, REQUEST_SECONDS):
            raise TooMany("request.too-many", "this page asks too often")

    def window(self, origin: str) -> None:
        """Before a window opens. Raises TooMany `agent.paused`."""
        with self._lock:
            until = self._paused.get(origin, 0.0)
            if self._clock() < until:
                raise TooMany(
                    "agent.paused",
                    "the user sent this page away several times",
                    retry_after=int(until - self._clock()) + 1,
                )

    def stranger(self) -> None:
        """Before a first-use question. Raises TooMany `agent.paused`."""
        if not self._count(("stranger", ""), STRANGERS_WINDOWS, STRANGERS_SECONDS):
            raise TooMany("agent.paused", "too many unknown sites asked in a short time")

    def dismissed(self, origin: str) -> None:
        """The user closed a window of this origin."""
        if not self._count(("dismissed", origin), DISMISSALS - 1, DISMISSAL_SECONDS):
            with self._lock:
                self._paused[origin] = self._clock() + PAUSE_SECONDS
                while len(self._paused) > _MAX_ORIGINS:
                    self._paused.pop(next(iter(self._paused)))

    def _count(self, key: tuple[str, str], limit: int, seconds: float) -> bool:
        """Whether one more is within the limit."""
        with self._lock:
            now = self._clock()
            times = self._counts.setdefault(key, deque())
            self._counts.move_to_end(key)
            while len(self._counts) > _MAX_ORIGINS:
                self._counts.popitem(last=False)
            while times and now - times[0] >= seconds:
                times.popleft()
            if len(times) >= limit:
                return False
            times.append(now)
            return True
