"""Trusted lists that are fetched: refreshed now and then, the last good copy of each kept.

One node fetches; the copies are in the database, and every process sees within seconds that one
has changed. A list that cannot be fetched, is not signed by its operator, or is older than the copy
changes nothing. A copy whose own term is over is trusted no more.
"""

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol

from sqlalchemy import delete, insert, select

from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.refusals import Refusal, Unavailable
from policies.validation import ValidationPolicy
from records.database import Database
from signing_service.fetching import Fetched
from signing_service.tables import trusted_list_copies
from signing_service.trust import TrustAnchors
from signing_service.trusted_lists import TrustedList, load_trusted_list

MAX_LIST_BYTES = 24 * 1024 * 1024
_AGAIN = timedelta(minutes=5)
"""After a failure; twice as long after each further one, until it is as long as ever."""
_log = logging.getLogger("portseal.trusted_lists")


class Fetcher(Protocol):
    def get(self, url: str, max_bytes: int) -> Fetched: ...


@dataclass(frozen=True)
class ListSource:
    """Where a list is published, and who may have signed it."""

    url: str
    signers: tuple[Certificate, ...]

    @property
    def key(self) -> str:
        return hashlib.sha256(self.url.encode()).hexdigest()


class ListCopies:
    """The copies in the database. Thread-safe; several nodes may refresh at once."""

    def __init__(
        self,
        database: Database,
        sources: Sequence[ListSource],
        fetcher: Fetcher,
        policy: ValidationPolicy,
        clock: Clock,
    ) -> None:
        self._database = database
        self._sources = tuple(sources)
        self._fetcher = fetcher
        self._policy = policy
        self._clock = clock
        self._failed: dict[str, tuple[int, datetime]] = {}
        """Of each source that failed last: how often in a row, and when."""

    def refresh(self, every: timedelta) -> int:
        """Fetch each list whose copy is older than `every`; how many were fetched. One that
        failed is tried again after a while that grows.

        Raises the last refusal after all were tried: Unavailable `fetch.*`, and as
        `load_trusted_list`.
        """
        fetched, refused = 0, None
        for source in self._sources:
            if not self._is_due(source, every):
                continue
            try:
                self._fetch(source)
                fetched += 1
                self._failed.pop(source.key, None)
            except Refusal as refusal:
                before, _ = self._failed.get(source.key, (0, None))
                self._failed[source.key] = before + 1, self._clock.now()
                _log.warning("the trusted list %s is not refreshed: %s", source.url, refusal)
                refused = refusal
        if refused is not None:
            raise refused
        return fetched

    def lists(self) -> tuple[TrustedList, ...]:
        """What the copies say now. One that does not hold any more is left out and told."""
        found = []
        for source in self._sources:
            data = self._copy(source)
            if data is None:
                _log.warning("there is no copy of the trusted list %s yet", source.url)
                continue
            try:
                found.append(self._load(source, data))
            except Refusal as refusal:
                _log.warning("the copy of the trusted list %s is refused: %s", source.url, refusal)
        return tuple(found)

    def stamp(self) -> dict[str, datetime]:
        """When each copy was fetched, by its source; changes whenever one is replaced."""
        table = trusted_list_copies
        with self._database.reading() as connection:
            rows = connection.execute(select(table.c.source, table.c.fetched_at)).all()
        return {row.source: row.fetched_at for row in rows}

    def _fetch(self, source: ListSource) -> None:
        data = self._fetcher.get(source.url, MAX_LIST_BYTES).body
        known = self._copy(source)
        self._load(source, data, newer_than=0 if known is None else self._number(source, known))
        table, key = trusted_list_copies, source.key
        row = {"source": key, "url": source.url, "content": data, "fetched_at": self._clock.now()}
        with self._database.transaction() as connection:
            connection.execute(delete(table).where(table.c.source == key))
            connection.execute(insert(table), row)

    def _number(self, source: ListSource, known: bytes) -> int:
        """The copy's sequence number; none where the copy does not hold any more."""
        try:
            return self._load(source, known).sequence_number
        except Refusal:
            return 0

    def _load(self, source: ListSource, data: bytes, newer_than: int = 0) -> TrustedList:
        return load_trusted_list(
            data, source.signers, self._clock.now(), self._policy, newer_than=newer_than
        )

    def _is_due(self, source: ListSource, every: timedelta) -> bool:
        if source.key in self._failed:
            times, at = self._failed[source.key]
            if self._clock.now() - at < min(every, _AGAIN * 2 ** min(times - 1, 16)):
                return False
        fetched_at = self.stamp().get(source.key)
        return fetched_at is None or self._clock.now() - fetched_at >= every

    def _copy(self, source: ListSource) -> bytes | None:
        table = trusted_list_copies
        wanted = select(table.c.content).where(table.c.source == source.key)
        with self._database.reading() as connection:
            return connection.execute(wanted).scalar_one_or_none()


class LiveAnchors:
    """Trust anchors that follow the copies. Called before every verification; safe from many
    threads. The database is asked at most once in `look_seconds`, by one thread; the others go on
    with what is known, which stays while the database is away and the lists' own term lasts."""

    def __init__(
        self, own: TrustAnchors, copies: ListCopies, clock: Clock, look_seconds: float = 5.0
    ) -> None:
        self._own = own
        self._copies = copies
        self._clock = clock
        self._look_seconds = look_seconds
        self._looking = Lock()
        self._known: _Known | None = None

    def __call__(self) -> TrustAnchors:
        """Raises Unavailable where nothing is known that still holds."""
        known = self._known
        holds = known is not None and known.holds(self._clock.now())
        if known is not None and holds and time.monotonic() < known.look_at:
            return known.anchors
        if not self._looking.acquire(blocking=not holds):
            assert known is not None
            return known.anchors
        try:
            self._known = known = self._look()
            return known.anchors
        finally:
            self._looking.release()

    def _look(self) -> "_Known":
        known, look_at = self._known, time.monotonic() + self._look_seconds
        holds = known is not None and known.holds(self._clock.now())
        if known is not None and holds and time.monotonic() < known.look_at:
            return known  # somebody else has just looked
        try:
            stamp = self._copies.stamp()
            if known is not None and holds and stamp == known.stamp:
                return replace(known, look_at=look_at)
            lists = self._copies.lists()
        except Unavailable as refusal:
            if known is None or not holds:
                raise
            _log.warning("the trusted lists of before are used on: %s", refusal)
            return replace(known, look_at=look_at)
        listed = (one for found in lists for one in found.authorities)
        anchors = TrustAnchors((*self._own.authorities, *listed), self._own.intermediates)
        until = min((found.next_update for found in lists), default=None)
        return _Known(anchors, stamp, until, look_at)


@dataclass(frozen=True)
class _Known:
    """What one look found."""

    anchors: TrustAnchors
    stamp: dict[str, datetime]
    until: datetime | None
    """When the first list's own term is over."""
    look_at: float
    """When to look again, monotonic seconds."""

    def holds(self, now: datetime) -> bool:
        return self.until is None or now <= self.until
