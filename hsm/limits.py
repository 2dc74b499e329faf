"""Calls into a token that may never return: after a time they are left behind.

A call into a PKCS#11 library cannot be broken off, so it is made by a thread that can be spared.
There are as many of these as the token serves calls at once, and never more: a token that hangs for
good holds them all, and then whoever asks is refused at once.
"""

import functools
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, ParamSpec, TypeVar

import pkcs11

from hsm.sessions import PooledSession, Sessions
from kernel.refusals import Unavailable

T = TypeVar("T")
P = ParamSpec("P")
_IDLE_SECONDS = 60.0
"""A thread without work for so long ends."""


class _Call(Generic[T]):
    __slots__ = ("_claim", "_work", "failure", "finished", "is_done", "is_left", "result")

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._claim = threading.Lock()
        self.finished = threading.Lock()
        self.finished.acquire()
        self.result: T | None = None
        self.failure: BaseException | None = None
        self.is_done = self.is_left = False

    def claim(self) -> bool:
        """Who claims a call makes it, or sees to it that nobody does."""
        return self._claim.acquire(blocking=False)

    def make(self) -> None:
        try:
            self.result = self._work()
        except BaseException as failure:  # noqa: BLE001 - the caller's, whatever it is
            self.failure = failure


class LimitedCalls:
    """Calls into one token. Safe for threads."""

    def __init__(self, label: str, limit_seconds: float, at_once: int) -> None:
        """`at_once`: how many calls the token serves at the same time."""
        self._label = label
        self._limit = limit_seconds
        self._at_once = at_once
        self._calls: queue.SimpleQueue[_Call[Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = self._stuck = 0

    def run(self, work: Callable[[], T]) -> T:
        """Raises what `work` raises; Unavailable `token.timeout` when it did not return in time,
        `token.busy` when its turn did not come."""
        if self._stuck >= self._at_once:
            raise self._timeout()
        call = _Call(work)
        with self._lock:  # or the last idle thread could see no call, and go, in this moment
            self._calls.put(call)
            grows = self._threads < self._at_once
            self._threads += grows
        if grows:
            self._begin()
        if not call.finished.acquire(timeout=self._limit):
            self._leave(call)
        if call.failure is not None:
            raise call.failure
        return call.result  # type: ignore[return-value]  # it is done: there is one

    def _leave(self, call: _Call[Any]) -> None:
        if call.claim():
            raise Unavailable("token.busy", "the token is busy", token=self._label)
        with self._lock:
            if call.is_done:
                return  # it came back in this very moment
            call.is_left = True
            self._stuck += 1
        raise self._timeout()

    def _timeout(self) -> Unavailable:
        return Unavailable("token.timeout", "the token does not answer", token=self._label)

    def _begin(self) -> None:
        threading.Thread(target=self._serve, name=f"token {self._label}", daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._calls.empty():  # who asks next sees a thread too few
                        self._threads -= 1
                        return
                continue
            if not call.claim():
                continue
            call.make()
            with self._lock:
                call.is_done = True
                self._stuck -= call.is_left
            call.finished.release()


class LimitedSessions:
    """The same as the sessions that it is given, none of whose calls lasts longer than a time."""

    def __init__(
        self, sessions: Sessions, calls: LimitedCalls | None, writes: LimitedCalls | None
    ) -> None:
        """`writes`: for making keys and writing certificates, as a whole; what is done in the
        midst of it has no limit of its own. None: no limit."""
        self.told_of_signature: Callable[[str], None] | None = None
        self._sessions = sessions
        self._calls = calls
        self._writes = writes
        self._inside = threading.local()

    def run(self, work: Callable[[PooledSession], T]) -> T:
        """Raises as `SessionPool.run` and `LimitedCalls.run`."""
        if self._calls is None or self._is_inside:
            return self._sessions.run(work)
        return self._calls.run(lambda: self._sessions.run(work))

    @contextmanager
    def write(self) -> Iterator[pkcs11.Session]:
        """See `SessionPool.write`."""
        with self._entered(), self._sessions.write() as session:
            yield session

    def writing(self, work: Callable[[], T]) -> T:
        """Raises what `work` raises, and as `LimitedCalls.run`."""
        if self._writes is None or self._is_inside:
            return work()

        def entered() -> T:
            with self._entered():
                return work()

        return self._writes.run(entered)

    @property
    def _is_inside(self) -> bool:
        depth: int = getattr(self._inside, "depth", 0)
        return depth > 0

    @contextmanager
    def _entered(self) -> Iterator[None]:
        self._inside.depth = getattr(self._inside, "depth", 0) + 1
        try:
            yield
        finally:
            self._inside.depth -= 1

    def close(self) -> None:
        if self._calls is None:
            self._sessions.close()
            return
        with suppress(Unavailable):  # it hangs: nothing can be closed
            self._calls.run(self._sessions.close)


def limited_write(function: Callable[P, T]) -> Callable[P, T]:
    """A method of a `Token` or of one of its keys, or a function whose first argument is one: it
    uses `write`, and is refused when it takes longer than its token may."""

    @functools.wraps(function)
    def limited(*arguments: P.args, **options: P.kwargs) -> T:
        owner: Any = arguments[0]
        sessions: Sessions = owner.pool
        return sessions.writing(lambda: function(*arguments, **options))

    return limited
