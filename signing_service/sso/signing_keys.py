"""The keys of ID tokens, generation by generation, all in the authority's token.

A new key is published before it signs, so that every platform has it when the first token comes;
the old one stays published until the last token that it signed is past. Every process looks at
the records now and then and takes up the same key at the same time.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Protocol

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from kernel.algorithms import PublicKey
from kernel.clock import Clock
from kernel.keys import KeyHandle
from kernel.refusals import Conflict, Unprocessable
from records.database import Database
from records.events import Event
from records.journal import Journal
from signing_service.sso.settings import SsoSettings
from signing_service.sso.tables import signing_keys
from signing_service.sso.tokens import IdTokenKeys, key_name

PUBLISHED_AHEAD = timedelta(hours=1)
"""Platforms may keep the published keys for five minutes; twelve times that for the slow ones."""
_STAYS_PUBLISHED = timedelta(hours=24)
_LOOK_AGAIN = timedelta(seconds=5)
_EVER = datetime(2000, 1, 1, tzinfo=UTC)


class KeySource(Protocol):
    """The token that holds the keys."""

    def open(self, label: str) -> KeyHandle:
        """Raises Unavailable."""

    def make(self, label: str) -> KeyHandle:
        """A new key, or the one that an attempt that died left there. Raises Unavailable."""


@dataclass(frozen=True)
class Generation:
    """One key."""

    kid: str
    label: str
    spki: bytes
    made_at: datetime
    signs_from: datetime
    published_until: datetime | None


class SigningKeys:
    """Tells which key signs now and which are published, and makes the next one."""

    def __init__(
        self,
        first: KeyHandle,
        source: KeySource | None,
        database: Database,
        journal: Journal,
        clock: Clock,
        settings: SsoSettings,
        retired: tuple[PublicKey, ...] = (),
    ) -> None:
        """`first`: the key that the ceremony made. `source` None: there will be no other."""
        self._first = first
        self._source = source
        self._database = database
        self._journal = journal
        self._clock = clock
        self._settings = settings
        self._retired = retired
        self._lock = Lock()
        self._ring: IdTokenKeys | None = None
        self._seen: tuple[str, ...] = ()
        self._look_at: datetime | None = None

    def ring(self) -> IdTokenKeys:
        """The keys of this moment. Raises Unavailable from token or database."""
        now = self._clock.now()
        with self._lock:
            if self._ring is None or self._look_at is None or now >= self._look_at:
                published = self._published(now)
                seen = tuple(each.kid for each in published)
                if self._ring is None or seen != self._seen:
                    self._ring, self._seen = self._make_ring(published, now), seen
                self._look_at = self._next_look(published, now)
            return self._ring

    def generations(self) -> list[Generation]:
        """Every key that is recorded, oldest first."""
        with self._database.reading() as connection:
            return _all(connection)

    def rotate(self, *, actor: str, compromised: bool = False) -> Generation:
        """Make the next key. It signs after an hour; if the present one is `compromised`, at once,
        and the present one is published no more.

        Raises Conflict `signin-key.waiting` when a next key is waiting for its turn already,
        Unprocessable `signin-key.fixed`, Unavailable.
        """
        if self._source is None:
            raise Unprocessable("signin-key.fixed", "this service has one sign-in key only")
        now = self._clock.now()
        known = self.generations()
        if known and known[-1].signs_from > now and not compromised:
            raise Conflict("signin-key.waiting", "the next key is waiting for its turn")
        label = f"{self._label_of_first()}-{max(len(known), 1)}"
        key = self._source.make(label)
        name = key_name(key.public_key)
        signs_from = now if compromised else now + PUBLISHED_AHEAD
        made = Generation(name, label, key.public_key.spki, now, signs_from, None)
        until = now if compromised else signs_from + self._token_life() + _STAYS_PUBLISHED
        try:
            with self._database.transaction() as connection:
                if not known:
                    connection.execute(insert(signing_keys), self._row_of_first())
                past = signing_keys.c.published_until.is_(None) | (
                    signing_keys.c.published_until > until
                )
                connection.execute(update(signing_keys).where(past).values(published_until=until))
                connection.execute(insert(signing_keys), vars(made))
                self._journal.append(
                    connection,
                    Event.SIGNIN_KEY_MADE,
                    subject=label,
                    actor=actor,
                    kid=name,
                    signs_from=signs_from.isoformat(),
                    compromised=compromised,
                )
        except IntegrityError:  # another node was quicker
            raise Conflict("signin-key.waiting", "the next key is waiting for its turn") from None
        with self._lock:
            self._look_at = None
        return made

    def rotate_if_due(self, every: timedelta) -> bool:
        """For the worker: a new key when the newest is so old. Raises as `rotate`."""
        known = self.generations()
        if not known:  # from now on the ceremony's key has an age
            first = {**self._row_of_first(), "made_at": self._clock.now()}
            with suppress(IntegrityError), self._database.transaction() as connection:
                connection.execute(insert(signing_keys), first)
            return False
        if self._source is None or self._clock.now() - known[-1].made_at < every:
            return False
        self.rotate(actor="system")
        return True

    def _published(self, now: datetime) -> list[Generation]:
        return [
            each
            for each in self.generations()
            if each.published_until is None or each.published_until > now
        ]

    def _make_ring(self, published: list[Generation], now: datetime) -> IdTokenKeys:
        if not published:
            return IdTokenKeys(self._first, self._retired)
        ready = [each for each in published if each.signs_from <= now]
        signing = ready[-1]
        key = self._first if signing.label == self._label_of_first() else self._open(signing)
        others = tuple(
            PublicKey.from_spki(each.spki) for each in published if each.kid != signing.kid
        )
        return IdTokenKeys(key, (*others, *self._retired))

    def _open(self, generation: Generation) -> KeyHandle:
        assert self._source is not None
        return self._source.open(generation.label)

    def _next_look(self, published: list[Generation], now: datetime) -> datetime:
        """Soon; at once when a key's turn comes, for which the ring is made anew."""
        turns = [each.signs_from for each in published if each.signs_from > now]
        if turns:
            self._seen = ()  # so that the turn is noticed though the published keys stay the same
        return min([now + _LOOK_AGAIN, *turns])

    def _token_life(self) -> timedelta:
        return timedelta(seconds=self._settings.id_token_seconds)

    def _label_of_first(self) -> str:
        return "sign-in"

    def _row_of_first(self) -> dict[str, object]:
        public = self._first.public_key
        first = Generation(
            key_name(public), self._label_of_first(), public.spki, _EVER, _EVER, None
        )
        return dict(vars(first))


def _all(connection: Connection) -> list[Generation]:
    rows = connection.execute(select(signing_keys).order_by(signing_keys.c.signs_from))
    return [Generation(**row._mapping) for row in rows]
