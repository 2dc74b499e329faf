"""Calls into a token by threads that can be spared: none is forgotten."""

import queue
import threading
from typing import Any

import pytest

from hsm import limits
from hsm.limits import LimitedCalls


class Watched:
    """A queue that lets a test come in between an idle thread's last look and its end."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.looked, self.go_on = threading.Event(), threading.Event()

    def put(self, call: object) -> None:
        self._queue.put(call)

    def get(self, timeout: float) -> object:
        return self._queue.get(timeout=timeout)

    def empty(self) -> bool:
        found = self._queue.empty()
        if not self.looked.is_set():
            self.looked.set()
            self.go_on.wait(0.5)  # whoever can come in between has done so
        return found


def test_a_call_that_comes_while_the_last_idle_thread_goes_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "_IDLE_SECONDS", 0.01)
    calls = LimitedCalls("a token", limit_seconds=5, at_once=1)
    watched: Any = Watched()
    calls._calls = watched
    assert calls.run(lambda: 1) == 1
    assert watched.looked.wait(30)
    assert calls.run(lambda: 2) == 2
