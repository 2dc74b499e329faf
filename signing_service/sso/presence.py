"""The card stays plugged in: a program on the holder's PC says so, and the session depends on it.

The page that signed in asks for a presence secret and hands it to the key agent. The agent tells
every few seconds that the token is there; it tells at once when the token went away, and when it
says nothing any more (the PC sleeps, the network is gone) the session ends by itself.
"""

from datetime import timedelta

from sqlalchemy import select, update

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Unauthenticated
from records.database import Database
from signing_service.sso.challenges import secret_hash
from signing_service.sso.sessions import Sessions, new_secret
from signing_service.sso.settings import SsoSettings
from signing_service.sso.tables import sessions

REASON = "card-removed"


class Presence:
    """Watches over the sessions that depend on it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        entropy: Entropy,
        settings: SsoSettings,
        live: Sessions,
    ) -> None:
        self._database = database
        self._clock = clock
        self._entropy = entropy
        self._settings = settings
        self._live = live

    def start(self, sid: str) -> str:
        """From now on the session needs beats; the secret that they come with."""
        secret = new_secret(self._entropy)
        values = {"presence_hash": secret_hash(secret), "present_until": self._until()}
        with self._database.transaction() as connection:
            connection.execute(update(sessions).where(sessions.c.sid == sid).values(values))
        return secret

    def beat(self, secret: str) -> None:
        """The token is there. Raises Unauthenticated `signin.presence` when the session is over
        or the secret nobody's."""
        now = self._clock.now()
        mine = (
            (sessions.c.presence_hash == secret_hash(secret))
            & sessions.c.ended_at.is_(None)
            & (sessions.c.present_until > now)
        )
        with self._database.transaction() as connection:
            beaten = update(sessions).where(mine).values(present_until=self._until())
            if connection.execute(beaten).rowcount != 1:
                raise _over()

    def gone(self, secret: str) -> None:
        """The token went away: the session ends. Raises as `beat`."""
        mine = (sessions.c.presence_hash == secret_hash(secret)) & sessions.c.ended_at.is_(None)
        with self._database.reading() as connection:
            query = select(sessions.c.sid, sessions.c.subject).where(mine)
            row = connection.execute(query).one_or_none()
        if row is None or not self._live.end(row.sid, reason=REASON, actor=row.subject):
            raise _over()

    def _until(self) -> object:
        return self._clock.now() + timedelta(seconds=self._settings.presence_seconds)


def _over() -> Unauthenticated:
    return Unauthenticated("signin.presence", "no live session depends on this secret")
