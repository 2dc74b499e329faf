"""A pool of logged-in sessions on one token.

A session runs one operation at a time; the login belongs to the token as a whole (PKCS#11 2.40,
2.6.7), so one anchor session logs in and stays open, and the others follow without the PIN.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import pkcs11
from pkcs11 import exceptions

from hsm.module import Module
from hsm.pins import PinSource
from hsm.session_copies import Changes, SessionCopies
from kernel.refusals import Unavailable

T = TypeVar("T")

_GONE = (
    exceptions.SessionHandleInvalid,
    exceptions.SessionClosed,
    exceptions.UserNotLoggedIn,
    exceptions.DeviceRemoved,
    exceptions.TokenNotPresent,
    exceptions.ObjectHandleInvalid,
    exceptions.KeyHandleInvalid,
    exceptions.SlotIDInvalid,
)
"""Errors after which a fresh login is worth one more try: the token went and came back."""

_WORTH_A_LOOK = ("token.missing", "token.failed")
"""What `Module.token` says when the token, or the way to it, is gone."""

_WRONG_PIN = (exceptions.PinIncorrect, exceptions.PinInvalid, exceptions.PinLenRange)

_Generation = tuple[int, int]
"""Reloads of the module and logins of this pool, at the time a session was opened."""


class SigningKey(Protocol):
    """What python-pkcs11 gives for a private key that can sign."""

    def sign(self, data: bytes, *, mechanism: pkcs11.Mechanism, mechanism_param: Any) -> bytes: ...


class PooledSession:
    """A session with the keys that it has already found, by label."""

    def __init__(self, session: pkcs11.Session, copies: SessionCopies | None = None) -> None:
        """`copies`: of keys, to sign with; None: with the keys themselves."""
        self.session = session
        self._copies = copies
        self.keys: dict[str, SigningKey] = {}
        self.secrets: dict[str, Any] = {}

    def private_key(self, label: str) -> SigningKey:
        key = self.keys.get(label)
        if key is None:
            found = self.session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=label)
            key = self.keys[label] = cast(SigningKey, found)
        return key

    def signing_key(self, label: str) -> SigningKey:
        """The private key, or what signs for it in this session."""
        if self._copies is None:
            return self.private_key(label)
        copy = self._copies.get(label) or self._copies.renew(label, self.private_key(label))
        return cast(SigningKey, copy)

    def secret_key(self, label: str) -> Any:
        """What python-pkcs11 gives for a secret key."""
        key = self.secrets.get(label)
        if key is None:
            key = self.session.get_key(object_class=pkcs11.ObjectClass.SECRET_KEY, label=label)
            self.secrets[label] = key
        return key


class Sessions(Protocol):
    """What keys need of one token, or of several that hold the same keys."""

    told_of_signature: Callable[[str], None] | None
    """See `Token.on_signature`."""

    def run(self, work: Callable[[PooledSession], T]) -> T:
        """See `SessionPool.run`."""
        ...

    def write(self) -> AbstractContextManager[pkcs11.Session]:
        """See `SessionPool.write`."""
        ...

    def writing(self, work: Callable[[], T]) -> T:
        """See `SessionPool.writing`."""
        ...

    def close(self) -> None: ...


class SessionPool:
    """At most `size` sessions used at once; further callers wait for one."""

    def __init__(
        self, module: Module, label: str, pin: PinSource, size: int, serial: str | None = None
    ) -> None:
        """`serial`: of the token, where several may have the label."""
        if size < 1:
            raise ValueError("a session pool has at least one session")
        if module.takes_one_call:
            size = 1
        self.size = size
        self._module = module
        self._label = label
        self._serial = serial
        self._pin = pin
        self._places: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(size):
            self._places.put(None)
        self._idle: queue.SimpleQueue[tuple[_Generation, PooledSession]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._changes = Changes()
        self._logins = 0
        self._anchor: pkcs11.Session | None = None
        self._token: pkcs11.Token | None = None
        self._anchored: _Generation = (-1, -1)
        self.told_of_signature: Callable[[str], None] | None = None
        """See `Token.on_signature`."""

    def run(self, work: Callable[[PooledSession], T]) -> T:
        """Run `work` in a session; once more after a fresh login when the token had gone.

        Raises Unavailable: `token.missing`, `token.pin-wrong`, `token.last-try`, `token.locked`,
        `token.no-key`, `token.failed` and others named in `refusal_of`.
        """
        self._places.get()  # a semaphore in C; threading's is Python
        try:
            return self._run(work)
        finally:
            self._places.put(None)

    def _run(self, work: Callable[[PooledSession], T]) -> T:
        try:
            return self._attempt(work)
        except _GONE:
            self._forget()
        except exceptions.DeviceError as error:
            # The way to the token broke: a server that stands before it was ended.
            if not self._module.rediscover():
                raise refusal_of(error, self._label) from error
        except exceptions.PKCS11Error as error:
            raise refusal_of(error, self._label) from error
        except Unavailable as refusal:
            if refusal.code not in _WORTH_A_LOOK or not self._module.rediscover():
                raise
        try:
            return self._attempt(work)
        except exceptions.PKCS11Error as error:
            raise refusal_of(error, self._label) from error

    def _attempt(self, work: Callable[[PooledSession], T]) -> T:
        with self._module.operation():
            generation, session = self._take()
            try:
                result = work(session)
            except BaseException:
                # Whatever it was may have left an operation open in the session.
                with suppress(exceptions.PKCS11Error):
                    session.session.close()
                raise
            self._idle.put((generation, session))
            return result

    @contextmanager
    def write(self) -> Iterator[pkcs11.Session]:
        """A read-write session for making keys and storing certificates. Raises as `run`."""
        try:
            with self._module.operation():
                with self._lock:
                    token = self._logged_in()
                session = token.open(rw=True)
                try:
                    yield session
                finally:
                    self._changes.count += 1
                    with suppress(exceptions.PKCS11Error):
                        session.close()
        except exceptions.PKCS11Error as error:
            raise refusal_of(error, self._label) from error

    def writing(self, work: Callable[[], T]) -> T:
        """Do `work`, which uses `write`, within the time that it may take. Here it has no limit.

        Raises what `work` raises.
        """
        return work()

    def close(self) -> None:
        """Close every session and log out."""
        self._forget()

    def _take(self) -> tuple[_Generation, PooledSession]:
        while True:
            try:
                generation, session = self._idle.get_nowait()
            except queue.Empty:
                break
            if generation == self._generation:
                return generation, session
        with self._lock:
            token = self._logged_in()
            copies = SessionCopies(self._changes) if self._module.signs_from_copies else None
            return self._generation, PooledSession(token.open(), copies)

    @property
    def _generation(self) -> _Generation:
        """A session of another generation is never touched again, not even closed: the module
        may have given its handle to somebody else's session."""
        return self._module.generation, self._logins

    def _logged_in(self) -> pkcs11.Token:
        if self._anchor is None or self._token is None or self._anchored != self._generation:
            token = self._module.token(self._label, self._serial)
            self._anchor = self._log_in(token)
            self._token = token
            self._anchored = self._generation
        return self._token

    def _log_in(self, token: pkcs11.Token) -> pkcs11.Session:
        """Present the PIN, unless the token refused this one before: each wrong try counts, and
        after a few the token locks itself for good."""
        name, wrong = f"{token.serial!r} {self._label}", self._module.wrong_pins
        if token.flags & pkcs11.TokenFlag.USER_PIN_FINAL_TRY and not self._pin.attended:
            raise Unavailable(
                "token.last-try",
                "one more wrong PIN locks the token: log in once at a prompt",
                token=self._label,
            )
        pin = self._pin.pin(self._label)
        if wrong.holds(name, pin):
            raise Unavailable("token.pin-wrong", "the PIN is wrong", token=self._label)
        try:
            with self._module.alone():
                session = present_pin(token, pin)
        except exceptions.UserAlreadyLoggedIn:
            return token.open()
        except _WRONG_PIN:
            wrong.add(name, pin)
            raise
        wrong.clear(name)
        return session

    def _forget(self) -> None:
        with self._module.operation(), self._lock:  # in the order of `_attempt`
            current = self._generation
            self._logins += 1
            while True:
                try:
                    generation, session = self._idle.get_nowait()
                except queue.Empty:
                    break
                if generation == current:
                    with suppress(exceptions.PKCS11Error):
                        session.session.close()
            if self._anchor is not None and self._anchored == current:
                with suppress(exceptions.PKCS11Error):
                    self._anchor.close()
            self._anchor = self._token = None


def present_pin(token: pkcs11.Token, pin: str) -> pkcs11.Session:
    """A session that is logged in as the token's user."""
    return token.open(user_pin=pin)


def refusal_of(error: exceptions.PKCS11Error, label: str) -> Unavailable:
    """Tell apart: a wrong PIN, a locked token, a missing one, a missing key, a broken one."""
    for kind, refusal in _REFUSALS:
        if isinstance(error, kind):
            return refusal(token=label)
    return Unavailable("token.failed", "the token failed", token=label, error=type(error).__name__)


_REFUSALS: tuple[tuple[type[exceptions.PKCS11Error], Callable[..., Unavailable]], ...] = (
    (exceptions.PinIncorrect, partial(Unavailable, "token.pin-wrong", "the PIN is wrong")),
    (exceptions.PinInvalid, partial(Unavailable, "token.pin-wrong", "the PIN is wrong")),
    (
        exceptions.PinLenRange,
        partial(Unavailable, "token.pin-wrong", "the PIN is too short or too long"),
    ),
    (
        exceptions.PinLocked,
        partial(Unavailable, "token.locked", "the token is locked after too many wrong PINs"),
    ),
    (
        exceptions.PinExpired,
        partial(Unavailable, "token.pin-expired", "the PIN has expired and must be changed"),
    ),
    (
        exceptions.UserPinNotInitialized,
        partial(Unavailable, "token.no-pin", "the token has no user PIN yet"),
    ),
    (exceptions.TokenNotPresent, partial(Unavailable, "token.missing", "the token was pulled")),
    (exceptions.DeviceRemoved, partial(Unavailable, "token.missing", "the token was pulled")),
    (
        exceptions.TokenNotRecognised,
        partial(Unavailable, "token.missing", "the token is not recognised"),
    ),
    (exceptions.SlotIDInvalid, partial(Unavailable, "token.missing", "the token's slot is gone")),
    (
        exceptions.NoSuchKey,
        partial(Unavailable, "token.no-key", "the token does not hold this key"),
    ),
    (
        exceptions.MultipleObjectsReturned,
        partial(Unavailable, "token.ambiguous", "the token holds two such keys"),
    ),
    (exceptions.DeviceMemory, partial(Unavailable, "token.full", "the token has no room left")),
    (
        exceptions.TokenWriteProtected,
        partial(Unavailable, "token.read-only", "the token is write-protected"),
    ),
    (
        exceptions.KeyUnextractable,
        partial(Unavailable, "token.not-exportable", "the key was made to stay in its token"),
    ),
    (
        exceptions.KeyNotWrappable,
        partial(Unavailable, "token.not-exportable", "the token does not wrap this key"),
    ),
    (
        exceptions.MechanismInvalid,
        partial(Unavailable, "token.mechanism", "the token cannot do this algorithm"),
    ),
)
