"""Uses of a key that are too many for a record each: counted, and journalled together.

The first use after a rest is recorded before it is made (`key.use-opened`), and from then on every
few seconds how many were made since (`key.used`), with a chain over their signatures. Each of these
records is also the proof that the journal takes records and that the clock is the common one: a key
without one of late signs nothing. An opening without an end tells of a process that died.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import text

from kernel.algorithms import AlgorithmSuite, PublicKey
from kernel.clock import Clock
from kernel.keys import KeyHandle
from kernel.refusals import Unavailable
from records.database import Database, new_id
from records.events import Event
from records.journal import Fact, Journal

_PERIOD_SECONDS = 5.0
_GRACE_SECONDS = 3.0
"""What a record may be late before the key stops signing."""
_RETRY_SECONDS = 1.0
_TURN_SECONDS = 2.0
"""How long a first use waits for another thread that opens the key."""
# A request waits for the opening; nobody else's lock may hold it for ever.
_PATIENCE = text("SET LOCAL lock_timeout = '3s'")
_GENESIS = bytes(32)

_Write = Callable[[Event, dict[str, Fact]], None]


class KeyUses:
    """The accounts of one process."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        period_seconds: float = _PERIOD_SECONDS,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._period = period_seconds
        self._process = new_id()[:12]
        self._keys: list[AccountedKey] = []

    def of(self, key: KeyHandle, purpose: str) -> "AccountedKey":
        """The key, whose uses are accounted for; `purpose` is the records' subject."""

        def write(event: Event, facts: dict[str, Fact]) -> None:
            with self._database.transaction() as connection:
                if not self._database.is_sqlite:
                    connection.execute(_PATIENCE)
                told = {"key": key.public_key.fingerprint, "process": self._process, **facts}
                self._journal.append(connection, event, subject=purpose, actor="system", **told)

        made = AccountedKey(key, write, self._clock, self._period)
        self._keys.append(made)
        return made

    def close(self) -> None:
        """Record what is not recorded yet, as far as that is possible."""
        for key in self._keys:
            key.close()


class AccountedKey:
    """A key that signs while its uses can be recorded; implements `kernel.keys.KeyHandle`.

    Beside what the key raises, signing raises Unavailable as the journal does:
    `journal.unwritable`, `database.unavailable`, `clock.apart`. Safe for threads.
    """

    def __init__(self, key: KeyHandle, write: _Write, clock: Clock, period_seconds: float) -> None:
        self._key = key
        self._write = write
        self._clock = clock
        self._period = period_seconds
        self._open_until = float("-inf")  # of time.monotonic; nearly all that an answer costs
        self._retry_at = float("-inf")
        self._refused = ("journal.unwritable", "the uses of this key cannot be recorded")
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._is_open = False
        """The last record of this key is not an end."""
        self._counting = threading.Lock()
        self._inside = self._count = self._recorded = self._before = 0
        self._chain = _GENESIS
        self._since = clock.now()

    @property
    def public_key(self) -> PublicKey:
        return self._key.public_key

    @property
    def suite(self) -> AlgorithmSuite:
        return self._key.suite

    def sign(self, message: bytes) -> bytes:
        """See `kernel.keys.KeyHandle.sign`."""
        return self._accounted(self._key.sign, message)

    def sign_digest(self, digest: bytes) -> bytes:
        """See `kernel.keys.KeyHandle.sign_digest`."""
        return self._accounted(self._key.sign_digest, digest)

    def close(self) -> None:
        """Record the end."""
        self._closed.set()
        with self._writing:
            if self._is_open:
                with suppress(Unavailable):
                    self._settle(may_end=True)

    def _accounted(self, sign: Callable[[bytes], bytes], data: bytes) -> bytes:
        while True:
            with self._counting:
                if time.monotonic() < self._open_until:
                    self._inside += 1
                    break
            self._open()
        try:
            signature = sign(data)
        except BaseException:
            with self._counting:
                self._inside -= 1
            raise
        with self._counting:
            self._inside -= 1
            self._count += 1
            self._chain = hashlib.sha256(self._chain + signature).digest()
        return signature

    # -- records -------------------------------------------------------------------------------

    def _open(self) -> None:
        """Raises the journal's refusal; at most one try a second is made, others are refused."""
        is_well = time.monotonic() >= self._retry_at
        if not self._writing.acquire(timeout=_TURN_SECONDS if is_well else 0):
            raise Unavailable(*self._refused)
        try:
            if time.monotonic() < self._open_until:
                return
            if time.monotonic() < self._retry_at:
                raise Unavailable(*self._refused)
            if self._is_open:  # the thread that keeps it failed, or is late
                self._settle(may_end=False)
            else:
                self._begin()
        finally:
            self._writing.release()

    def _begin(self) -> None:
        self._append(Event.KEY_USE_OPENED, {})
        self._chain, self._since, self._before = _GENESIS, self._clock.now(), self._count
        self._is_open = True
        threading.Thread(target=self._keep, name="key uses", daemon=True).start()

    def _keep(self) -> None:
        """Record what was done, period by period, until nothing is."""
        pause = self._period
        while not self._closed.wait(pause):
            with self._writing:
                if self._closed.is_set():
                    return
                try:
                    self._settle(may_end=True)
                    pause = self._period
                except Unavailable:
                    pause = _RETRY_SECONDS
                if not self._is_open:
                    return

    def _settle(self, *, may_end: bool) -> None:
        """Record the uses since the last record; when there were none, and it may, the end.

        Raises Unavailable; the next record tells of them then.
        """
        with self._counting:
            count, chain = self._count, self._chain
            rests = count == self._recorded and not self._inside
            ends = may_end and (rests or self._closed.is_set())
            if ends:
                self._open_until = float("-inf")
        now = self._clock.now()
        facts: dict[str, Fact] = {
            "count": count - self._recorded,
            "total": count - self._before,
            "chain": chain.hex(),
            "since": self._since.isoformat(),
            "until": now.isoformat(),
            "ends": ends,
        }
        self._append(Event.KEY_USED, facts, opens=not ends)
        self._recorded, self._since, self._is_open = count, now, not ends

    def _append(self, event: Event, facts: dict[str, Fact], *, opens: bool = True) -> None:
        """Raises Unavailable, and the key is closed until a later record succeeds."""
        begun = time.monotonic()
        try:
            self._write(event, facts)
        except Unavailable as refusal:
            self._open_until = float("-inf")
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            self._refused = (refusal.code, "the uses of this key cannot be recorded")
            raise
        if opens:
            self._open_until = begun + self._period + _GRACE_SECONDS
