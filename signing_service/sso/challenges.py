"""Challenges: nonces bound to one browser, good once, for five minutes."""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Unauthenticated
from records.database import Database
from records.prepared import Prepared
from signing_service.sso.settings import SsoSettings
from signing_service.sso.tables import challenges, forget_expired

_NEW = insert(challenges).values(
    {
        name: bindparam(name)
        for name in ("nonce", "browser_hash", "purpose", "confirmed", "created_at", "expires_at")
    }
)
_MINE = challenges.c.browser_hash == bindparam("browser")
_NEWEST = (
    select(challenges.c.nonce)
    .where(_MINE)
    .order_by(challenges.c.created_at.desc())
    .limit(1)
    .scalar_subquery()
)
_TOLD = (
    challenges.c.nonce,
    challenges.c.expires_at,
    challenges.c.purpose,
    challenges.c.confirmed,
)
_TAKE = delete(challenges).where(_MINE, challenges.c.nonce == bindparam("wanted")).returning(*_TOLD)
_TAKE_NEWEST = delete(challenges).where(_MINE, challenges.c.nonce == _NEWEST).returning(*_TOLD)
_NONCE_OCTETS = 32
_NONCE = re.compile(r"[A-Za-z0-9+/]{43}=")


@dataclass(frozen=True)
class Challenge:
    nonce: str
    """32 random octets in base64, 44 characters: what the card's holder signs, as text."""
    origin: str
    expires_at: datetime
    purpose: str | None = None
    """What the proof is for, as SHA-256 in hexadecimal; None: for signing in."""
    confirmed: str | None = None
    """Digest of the acts that the card must sign with it (`Confirmation.digest`)."""


def secret_hash(secret: str) -> bytes:
    """How a random secret is looked up: SHA-256 of its UTF-8 octets."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class Challenges:
    """Gives and takes challenges. A challenge leaves the store when it is looked up."""

    def __init__(
        self, database: Database, clock: Clock, entropy: Entropy, settings: SsoSettings
    ) -> None:
        self._database = database
        self._clock = clock
        self._entropy = entropy
        self._settings = settings
        self._new, self._take = Prepared(database, _NEW), Prepared(database, _TAKE)
        self._take_newest = Prepared(database, _TAKE_NEWEST)

    def issue(
        self,
        browser: str,
        purpose: str | None = None,
        confirmed: str | None = None,
        *,
        new_browser: bool = False,
    ) -> Challenge:
        """A fresh challenge for the browser that holds the secret `browser`, to prove the card
        for `purpose` alone, with the acts of the digest `confirmed`. A `new_browser` has none yet.

        A browser holds a few at most: the oldest makes room. Raises Unavailable.
        """
        now = self._clock.now()
        nonce = base64.b64encode(self._entropy.token(_NONCE_OCTETS)).decode("ascii")
        expires_at = now + timedelta(seconds=self._settings.challenge_seconds)
        browser_hash = secret_hash(browser)
        row = {
            "nonce": nonce,
            "browser_hash": browser_hash,
            "purpose": purpose,
            "confirmed": confirmed,
            "created_at": now,
            "expires_at": expires_at,
        }
        if new_browser:
            self._new.first(**row)
        else:
            with self._database.transaction() as connection:
                self._make_room(connection, browser_hash)
                connection.execute(_NEW, row)
        return Challenge(nonce, self._settings.origin, expires_at, purpose, confirmed)

    def take(self, browser: str | None, nonce: str | None = None) -> Challenge:
        """Take a challenge of this browser out of the store: `nonce`, or the newest.

        Of any number of processes that ask for one challenge, exactly one gets it.
        Raises Unauthenticated `signin.challenge-missing`, `signin.challenge-expired`.
        """
        if browser is None or (nonce is not None and not _NONCE.fullmatch(nonce)):
            raise _missing()
        mine = secret_hash(browser)
        if nonce is None:
            taken = self._take_newest.first(browser=mine)
        else:
            taken = self._take.first(browser=mine, wanted=nonce)
        if taken is None:
            raise _missing()
        if taken.expires_at <= self._clock.now():
            raise Unauthenticated("signin.challenge-expired", "the challenge is too old")
        return Challenge(
            taken.nonce, self._settings.origin, taken.expires_at, taken.purpose, taken.confirmed
        )

    def tidy(self) -> None:
        """Forget the challenges that nobody answered in time (for the worker)."""
        forget_expired(self._database, self._clock.now(), challenges)

    def _make_room(self, connection: Connection, browser_hash: bytes) -> None:
        kept = (
            select(challenges.c.nonce)
            .where(challenges.c.browser_hash == browser_hash)
            .order_by(challenges.c.created_at.desc())
            .limit(self._settings.challenges_per_browser - 1)
        )
        nonces = list(connection.execute(kept).scalars())
        connection.execute(
            delete(challenges).where(
                challenges.c.browser_hash == browser_hash, challenges.c.nonce.not_in(nonces)
            )
        )


def _missing() -> Unauthenticated:
    return Unauthenticated(
        "signin.challenge-missing",
        "no such challenge was given to this browser, or it was used already",
    )
