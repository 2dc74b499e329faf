"""How many large documents one process takes at once: each needs disk, time and a thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from kernel.refusals import Unavailable

_AT_ONCE = 2


class Streams:
    """One for all routes of a process."""

    def __init__(self) -> None:
        self._free = BoundedSemaphore(_AT_ONCE)

    @contextmanager
    def one(self, code: str) -> Iterator[None]:
        """Raises Unavailable `code` when so many are on their way already."""
        if not self._free.acquire(blocking=False):
            raise Unavailable(code, "other large documents are being read now")
        try:
            yield
        finally:
            self._free.release()
