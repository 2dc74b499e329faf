"""Waiting for what another process does."""

import time
from collections.abc import Callable


def seconds_until(happened: Callable[[], bool], limit: float) -> float:
    """How long it took; AssertionError after `limit` seconds."""
    started = time.monotonic()
    while not happened():
        assert time.monotonic() - started < limit, "did not happen"
        time.sleep(0.05)
    return time.monotonic() - started
