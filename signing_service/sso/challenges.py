"""Challenges: nonces bound to one browser, good once, for five minutes."""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Unauthenticated
from records.database import Database
from signing_service.sso.settings import SsoSettings
from signing_service.sso.tables import challenges, forget_expired

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

    def issue(self, browser: str, purpose: str | None = None) -> Challenge:
        """A fresh challenge for the browser that holds the secret `browser`, to prove the card
        for `purpose` alone.

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
            "created_at": now,
            "expires_at": expires_at,
        }
        with self._database.transaction() as connection:
            self._make_room(connection, browser_hash)
            connection.execute(insert(challenges), row)
        return Challenge(nonce, self._settings.origin, expires_at, purpose)

    def take(self, browser: str | None, nonce: str | None = None) -> Challenge:
        """Take a challenge of this browser out of the store: `nonce`, or the newest.

        Of any number of processes that ask for one challenge, exactly one gets it.
        Raises Unauthenticated `signin.challenge-missing`, `signin.challenge-expired`.
        """
        if browser is None or (nonce is not None and not _NONCE.fullmatch(nonce)):
            raise _missing()
        mine = challenges.c.browser_hash == secret_hash(browser)
        with self._database.transaction() as connection:
            if nonce is None:
                newest = challenges.c.created_at.desc()
                query = select(challenges.c.nonce).where(mine).order_by(newest).limit(1)
                nonce = connection.execute(query).scalar_one_or_none()
            taken = connection.execute(
                delete(challenges)
                .where(mine, challenges.c.nonce == nonce)
                .returning(challenges.c.nonce, challenges.c.expires_at, challenges.c.purpose)
            ).one_or_none()
        if taken is None:
            raise _missing()
        if taken.expires_at <= self._clock.now():
            raise Unauthenticated("signin.challenge-expired", "the challenge is too old")
        return Challenge(taken.nonce, self._settings.origin, taken.expires_at, taken.purpose)

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
