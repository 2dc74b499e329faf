"""The sessions that end when the USB key is pulled: their service is told that it is plugged in.

The page hands over a secret of its session. The agent tells the page's own origin, and nobody
else, every few seconds that the token is there, and at once when it is not; a stopped agent says
nothing, and then the service ends the session by itself (docs/sign-in.md, "Pulled out"). Nothing
here logs in to a token.
"""

import secrets
import threading
import time
from typing import Any

from hsm.plugged import PluggedToken, is_plugged
from kernel.refusals import TooMany, Unavailable
from key_agent.asking import Request
from key_agent.beats import Told, tell
from key_agent.cards import Cards
from key_agent.messages import Nothing, WatchBody
from key_agent.origins import Origins
from key_agent.uses import UseLog

MAX_WATCHES = 16
LOOK_SECONDS = 1.0
_GIVE_UP_SECONDS = 300.0
"""Without an answer of the service; its session is over long before."""
_TRIES_TO_TELL = 3
_OVER = Told(401, "signin.presence")


class Presence:
    """The purposes of this kind. Each watch has a thread, which ends with its session."""

    def __init__(self, cards: Cards, origins: Origins, log: UseLog) -> None:
        self._cards = cards
        self._origins = origins
        self._log = log
        self._places = threading.BoundedSemaphore(MAX_WATCHES)

    def can_watch(self, request: Request, _: Nothing) -> dict[str, Any]:
        """Whether the agent reaches the service at this origin and it knows of presence. Asked
        first, so that no session comes to depend on beats that cannot arrive."""
        return {"can_watch": tell(request.origin, secrets.token_urlsafe(32), True) == _OVER}

    def watch(self, request: Request, body: WatchBody) -> dict[str, Any]:
        """Watch over the token of a session from now on.

        Raises NotFound `card.no-certificate`; Unavailable `presence.unheard` when the service does
        not take the first beat; TooMany `presence.too-many`.
        """
        seen = self._origins.may_see(request.origin)
        token = self._cards.certificate(body.certificate, seen).token
        request.facts["token"] = token.label
        if not self._places.acquire(blocking=False):
            raise TooMany("presence.too-many", "the key agent watches over many sessions already")
        try:
            if not tell(request.origin, body.secret, True).heard:
                raise Unavailable("presence.unheard", "the site did not take the first beat")
            watch = (request.origin, body.secret, body.every_seconds, token)
            threading.Thread(target=self._keep_watch, args=watch, daemon=True).start()
        except BaseException:
            self._places.release()
            raise
        return {}

    def _keep_watch(self, origin: str, secret: str, every: int, token: PluggedToken) -> None:
        try:
            if _beat_while_plugged(origin, secret, every, token):
                return
            self._log.write(origin, "presence", "token.missing", token=token.label)
            for _ in range(_TRIES_TO_TELL):
                told = tell(origin, secret, False)
                if told.heard or told == _OVER:
                    return
                time.sleep(LOOK_SECONDS)
        finally:
            self._places.release()


def _beat_while_plugged(origin: str, secret: str, every: int, token: PluggedToken) -> bool:
    """True when the session is over; False when the token went away."""
    heard = beaten = time.monotonic()
    missing = 0
    while missing < 2:  # a reader that is busy for a moment is not a pulled token
        time.sleep(LOOK_SECONDS)
        missing = 0 if is_plugged(token) else missing + 1
        now = time.monotonic()
        if missing or now - beaten < every:
            continue
        beaten = now
        told = tell(origin, secret, True)
        if told.heard:
            heard = now
        elif told == _OVER or now - heard > _GIVE_UP_SECONDS:
            return True
    return False
