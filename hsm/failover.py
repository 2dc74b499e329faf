"""Sessions on several tokens that hold the same keys: what one cannot serve another does.

A token that fails is left out at once and tried again in the background, never by a request that
another token can serve. One whose calls hang gets no further requests, and after the time limit of
its sessions (`hsm.limits`) what was inside goes to another token.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import pkcs11

from hsm.sessions import PooledSession, Sessions
from kernel.refusals import Unavailable

_log = logging.getLogger("portseal.hsm")
T = TypeVar("T")
SLOW_SECONDS = 2.0
"""A call that takes longer is hanging: other requests go elsewhere meanwhile."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0
_OF_THE_REQUEST = frozenset(
    {"token.no-key", "token.ambiguous", "token.not-exportable", "token.mechanism", "token.busy"}
)
"""Refusals that say nothing against the token; another may hold the key all the same."""


class Member:
    """One token of several, and how it is."""

    def __init__(self, name: str, sessions: Sessions) -> None:
        self.name = name
        self.sessions = sessions
        self.failure: str | None = None
        """Code of the refusal that it was left out for."""
        self._running: dict[int, float] = {}
        self._lock = threading.Lock()
        self._next = 0

    @property
    def is_usable(self) -> bool:
        if self.failure is not None:
            return False
        with self._lock:
            oldest = min(self._running.values(), default=None)
        return oldest is None or time.monotonic() - oldest < SLOW_SECONDS

    def run(self, work: Callable[[PooledSession], T]) -> T:
        with self._lock:
            self._next += 1
            ticket = self._next
            self._running[ticket] = time.monotonic()
        try:
            return self.sessions.run(work)
        finally:
            with self._lock:
                del self._running[ticket]

    def answers(self) -> bool:
        """Whether the token does anything at all."""
        try:
            self.sessions.run(_look)
        except Unavailable:
            return False
        return True


def _look(session: PooledSession) -> None:
    wanted = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
    next(iter(session.session.get_objects(wanted)), None)


class FailoverSessions:
    """The same as `SessionPool`, on several tokens."""

    def __init__(
        self,
        members: Sequence[Member],
        changed: Callable[[Member, str | None], None] = lambda member, failure: None,
        returning: Callable[[Member], None] = lambda member: None,
    ) -> None:
        """`changed`: a token was left out, for this code, or is used again (None). `returning`:
        called before it is used again, to bring it up to date."""
        self.told_of_signature: Callable[[str], None] | None = None
        self._members = tuple(members)
        self._changed = changed
        self._returning = returning
        self._turn = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()

    @property
    def members(self) -> tuple[Member, ...]:
        return self._members

    def usable(self) -> list[Member]:
        """Who may be asked, in the order of turns; everybody when nobody is well."""
        self._turn = turn = (self._turn + 1) % len(self._members)
        rotated = self._members[turn:] + self._members[:turn]
        return [each for each in rotated if each.is_usable] or list(rotated)

    def run(self, work: Callable[[PooledSession], T]) -> T:
        """Raises as `SessionPool.run`, the first token's refusal, when no token can."""
        first: Unavailable | None = None
        for member in self.usable():
            try:
                return member.run(work)
            except Unavailable as refusal:
                first = first or refusal
                self._judge(member, refusal)
        assert first is not None
        raise first

    @contextmanager
    def write(self) -> Iterator[pkcs11.Session]:
        """On one token alone; `TokenPool` brings the others up to date."""
        with self.usable()[0].sessions.write() as session:
            yield session

    def close(self) -> None:
        self._closed.set()
        for member in self._members:
            member.sessions.close()

    def _judge(self, member: Member, refusal: Unavailable) -> None:
        """Leave out a token that is at fault; a request may be at fault, too."""
        if refusal.code in _OF_THE_REQUEST:
            return
        if refusal.code == "token.failed" and member.answers():
            return
        with self._lock:
            if member.failure is not None:
                return
            member.failure = refusal.code
        _log.warning("token %s is left out: %s", member.name, refusal)
        self._changed(member, refusal.code)
        name = f"token {member.name} returns"
        threading.Thread(target=self._await, args=(member,), name=name, daemon=True).start()

    def _await(self, member: Member) -> None:
        pause = _FIRST_PAUSE
        while not self._closed.wait(pause):
            pause = min(2 * pause, _LONGEST_PAUSE)
            if not member.answers():
                continue
            try:
                self._returning(member)
            except Unavailable as refusal:
                _log.warning("token %s is not yet up to date: %s", member.name, refusal)
                continue
            member.failure = None
            _log.warning("token %s is used again", member.name)
            self._changed(member, None)
            return
