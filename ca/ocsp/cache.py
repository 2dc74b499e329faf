"""Answers that stay true until a status changes or they grow old; bounded, per process."""

import threading
from dataclasses import dataclass, field
from datetime import datetime

from ca.status_watch import StatusChange
from kernel.identifiers import Serial

CacheKey = bytes | str
"""The bytes (POST) or path (GET) of a request that has no other encoding."""
Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class OcspAnswer:
    """A response ready to be sent."""

    der: bytes
    this_update: datetime | None = None
    next_update: datetime | None = None
    fresh_until: datetime | None = None
    """None: not to be kept, anywhere."""
    serials: tuple[Serial, ...] = ()
    headers: Headers = field(default_factory=list)
    """For GET (RFC 5019, 6.2)."""
    etag: str = ""


_OVERHEAD = 3072
"""Octets that an entry takes beside its key and its answer: headers, dates, dictionaries."""


class OcspCache:
    """Forgets the oldest entries when full, and those of a serial whose status changed."""

    def __init__(self, capacity: int) -> None:
        """`capacity` in octets."""
        self._capacity = capacity
        self.size = 0
        self._answers: dict[CacheKey, OcspAnswer] = {}
        self._keys: dict[Serial, set[CacheKey]] = {}
        self._lock = threading.Lock()
        self.generation = 0
        """Counts the changes seen: an answer that was made before one is not kept after it."""
        self.get = self._answers.get

    def __len__(self) -> int:
        return len(self._answers)

    def put(self, key: CacheKey, answer: OcspAnswer, generation: int) -> None:
        with self._lock:
            if generation != self.generation:
                return
            self._drop(key)
            self.size += _size(key, answer)
            while self._answers and self.size > self._capacity:
                self._drop(next(iter(self._answers)))
            self._answers[key] = answer
            for serial in answer.serials:
                self._keys.setdefault(serial, set()).add(key)

    def forget(self, change: StatusChange) -> None:
        with self._lock:
            self.generation += 1
            if change.everything:
                self._answers.clear()
                self._keys.clear()
                self.size = 0
                return
            for serial in change.serials:
                for key in list(self._keys.get(serial, ())):
                    self._drop(key)

    def _drop(self, key: CacheKey) -> None:
        answer = self._answers.pop(key, None)
        if answer is None:
            return
        self.size -= _size(key, answer)
        for serial in answer.serials:
            keys = self._keys.get(serial)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._keys[serial]


def _size(key: CacheKey, answer: OcspAnswer) -> int:
    return len(key) + len(answer.der) + _OVERHEAD
