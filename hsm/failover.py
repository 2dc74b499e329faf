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
_RESTED_SECONDS = 60.0
"""A token that is left out again sooner after its return is waited for longer each time."""
_FAILURES_IN_A_ROW = 3
"""So many, of requests that another token then served: it is locked, or broken otherwise."""
_OF_THE_REQUEST = frozenset(
    {"token.no-key", "token.ambiguous", "token.not-exportable", "token.mechanism", "token.busy"}
)
"""Refusals that say nothing against the token; another may hold the key all the same."""
OTHER_KEYS = frozenset({"token.other-key", "token.wrong-key"})
"""It would sign with keys that are not the others', or not those that it shows."""
_FOR_A_PERSON = OTHER_KEYS | {"token.locked", "token.pin-wrong", "token.last-try", "pin.missing"}
"""What a token that was left out for something else may turn out to be, and is told anew."""


class Member:
    """One token of several, and how it is."""

    def __init__(self, name: str, sessions: Sessions) -> None:
        self.name = name
        self.sessions = sessions
        self.failure: str | None = None
        """Code of the refusal that it was left out for."""
        self.failures_in_a_row = 0
        """Since the last call that it served itself: those that it failed and another served."""
        self.has_other_keys = False
        """See `OTHER_KEYS`: not asked even when nobody else is well."""
        self.pause = _FIRST_PAUSE
        """Until it is tried, once it is left out."""
        self.returned_at = float("-inf")
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
            result = self.sessions.run(work)
        finally:
            with self._lock:
                del self._running[ticket]
        self.failures_in_a_row = 0
        return result

    def fault(self) -> str | None:
        """Code of the refusal if the token does nothing at all."""
        try:
            self.sessions.run(_look)
        except Unavailable as refusal:
            return refusal.code
        return None

    def fault_after_login(self) -> str | None:
        """The same with a fresh login: a token that locks may go on showing what it holds to
        those who are logged in, and sign for nobody."""
        self.sessions.close()
        return self.fault()


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
        """Who may be asked, in the order of turns; everybody when nobody is well, but for those
        that are known to hold other keys."""
        self._turn = turn = (self._turn + 1) % len(self._members)
        return self._usable(turn)

    def _usable(self, turn: int) -> list[Member]:
        rotated = self._members[turn:] + self._members[:turn]
        usable = [each for each in rotated if each.is_usable]
        return usable or [each for each in rotated if not each.has_other_keys] or list(rotated)

    def run(self, work: Callable[[PooledSession], T]) -> T:
        """Raises as `SessionPool.run`, the first token's refusal, when no token can."""
        first, *_ = self.usable()
        turn = self._members.index(first)
        try:
            return first.run(work)
        except Unavailable as refusal:
            return self._by_another(work, first, turn, refusal)

    def _by_another(
        self, work: Callable[[PooledSession], T], first: Member, turn: int, refusal: Unavailable
    ) -> T:
        tried, suspects = {first}, [first] if self._is_suspect(first, refusal) else []
        # Looked at anew each time: one that was away may have returned while another was tried.
        while (member := next((m for m in self._usable(turn) if m not in tried), None)) is not None:
            tried.add(member)
            try:
                result = member.run(work)
            except Unavailable as another:
                if self._is_suspect(member, another):
                    suspects.append(member)
                continue
            for suspect in suspects:
                self._count_failure(suspect)
            return result
        raise refusal

    def run_on_each(self, work: Callable[[PooledSession], T]) -> list[T]:
        """On every token that is well; of those that can. Raises as `run` when none can."""
        results: list[T] = []
        refusals: list[Unavailable] = []
        for member in self.usable():
            try:
                results.append(member.run(work))
            except Unavailable as refusal:
                refusals.append(refusal)
                self._is_suspect(member, refusal)
        if not results:
            raise refusals[0]
        return results

    @contextmanager
    def write(self) -> Iterator[pkcs11.Session]:
        """On one token alone; `TokenPool` brings the others up to date."""
        with self.usable()[0].sessions.write() as session:
            yield session

    def writing(self, work: Callable[[], T]) -> T:
        """Within the limit of the token that `write` uses."""
        return self.usable()[0].sessions.writing(work)

    def leave_out(self, member: Member, code: str) -> None:
        """Use it no more until it is tried in the background and `returning` lets it."""
        self._leave_out(member, code)

    def close(self) -> None:
        self._closed.set()
        for member in self._members:
            member.sessions.close()

    def _is_suspect(self, member: Member, refusal: Unavailable) -> bool:
        """Leave out a token that is at fault. True: it may be, if another serves the request."""
        if refusal.code in _OF_THE_REQUEST:
            return False
        if refusal.code == "token.failed" and member.fault() is None:
            return True
        self._leave_out(member, refusal.code)
        return False

    def _count_failure(self, member: Member) -> None:
        """Of a request that another token served."""
        member.failures_in_a_row += 1
        if member.failures_in_a_row >= _FAILURES_IN_A_ROW:
            self._leave_out(member, "token.failed")

    def _leave_out(self, member: Member, code: str) -> None:
        with self._lock:
            if member.failure is not None:
                return
            member.has_other_keys = code in OTHER_KEYS
            member.failure = code
        _log.warning("token %s is left out: %s", member.name, code)
        self._changed(member, code)
        name = f"token {member.name} returns"
        threading.Thread(target=self._await, args=(member,), name=name, daemon=True).start()

    def _await(self, member: Member) -> None:
        if time.monotonic() - member.returned_at > _RESTED_SECONDS:
            member.pause = _FIRST_PAUSE
        while not self._closed.wait(member.pause):
            member.pause = min(2 * member.pause, _LONGEST_PAUSE)
            fault = member.fault_after_login()
            if fault is not None:
                self._tell_person(member, fault)
                continue
            try:
                self._returning(member)
            except Exception as error:  # noqa: BLE001 - whatever it is, the token is tried again
                _log.warning("token %s is not yet up to date: %r", member.name, error)
                if isinstance(error, Unavailable) and error.code in OTHER_KEYS:
                    member.has_other_keys = True
                    self._tell_person(member, error.code)
                continue
            member.failures_in_a_row = 0
            member.has_other_keys = False
            member.returned_at = time.monotonic()
            member.failure = None
            _log.warning("token %s is used again", member.name)
            self._changed(member, None)
            return

    def _tell_person(self, member: Member, fault: str) -> None:
        if fault in _FOR_A_PERSON and member.failure != fault:
            member.failure = fault
            _log.warning("token %s needs a person: %s", member.name, fault)
            self._changed(member, fault)
