"""Telling platforms that a session is over: OpenID Connect Back-Channel Logout 1.0, and the
single logout of the CAS protocol.

What to tell was queued when the session ended (`end_notices`); the token is made when it is sent.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from kernel.clock import Clock
from kernel.refusals import Unavailable, Unprocessable
from records.database import Database, new_id
from records.outbox import Delivery, Outbox
from signing_service.fetching import HttpFetcher
from signing_service.sso.cas.messages import logout_request
from signing_service.sso.end_notices import CHANNEL_PREFIX
from signing_service.sso.platforms import Platforms
from signing_service.sso.tokens import IdTokenKeys

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_TYPE = "logout+jwt"
TOKEN_LASTS = timedelta(minutes=2)
FORM = "application/x-www-form-urlencoded"
LONGEST_SECONDS = 5.0
"""For one notice, from the look-up of the name to the answer's last header."""
_AT_ONCE = 8
"""Platforms that are told at the same time, so that one that hangs keeps no other waiting."""
_ROUND_SECONDS = 10.0
"""After which one that answers well, but slowly, makes room for what came up meanwhile."""


class BackChannelLogout:
    """Sends the notices (for the worker)."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        clock: Clock,
        platforms: Platforms,
        keys: Callable[[], IdTokenKeys],
        issuer: str,
        fetcher: HttpFetcher,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._platforms = platforms
        self._keys = keys
        self._issuer = issuer
        self._fetcher = fetcher

    def deliver(self, *, at_once: bool = False) -> list[Delivery]:
        """Send what is due, each platform for itself; the outbox tries again what was not taken.
        Platforms with nothing to be told cost nothing, however many there are."""
        with self._database.reading() as connection:
            due = self._outbox.due_channels(connection, CHANNEL_PREFIX, at_once=at_once)

        def told(channel: str) -> Delivery:
            return self._outbox.deliver(
                self._database, channel, self.send, at_once=at_once, limit_seconds=_ROUND_SECONDS
            )

        if len(due) < 2:
            return [told(channel) for channel in due]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="logout") as threads:
            return list(threads.map(told, due))

    def send(self, payload: dict[str, Any]) -> None:
        """One notice. Raises Unavailable `logout.unavailable` when the platform does not answer
        or is in trouble, Unprocessable `logout.refused` when it does not take the token."""
        platform = self._platforms.find(payload["client_id"])
        if platform is None:
            return
        if "ticket" in payload:
            if payload["service"] in platform.terms.cas_services:
                body = logout_request(payload["ticket"], payload["sub"], self._clock.now())
                self._post(payload["service"], {"logoutRequest": body})
        elif platform.backchannel_logout_uri is not None:
            token = self.logout_token(platform.client_id, payload["sid"], payload["sub"])
            self._post(platform.backchannel_logout_uri, {"logout_token": token})

    def _post(self, address: str, form: dict[str, str]) -> None:
        """No redirect, no proxy of this process's surroundings, and no address of our own network
        unless it is configured: what was registered may have come to name another machine."""
        try:
            status = self._fetcher.tell(address, urlencode(form).encode("ascii"), FORM)
        except Unavailable as failure:
            raise Unavailable(
                "logout.unavailable", "the platform is not reached", why=failure.code
            ) from None
        if status >= 500:
            raise Unavailable("logout.unavailable", "the platform is in trouble", status=status)
        if "logoutRequest" not in form and status not in (200, 204):
            raise Unprocessable("logout.refused", "the platform refused the token", status=status)

    def logout_token(self, client_id: str, sid: str, subject: str) -> str:
        """A logout token (2.4): no nonce, so that it is never taken for an ID token."""
        now = self._clock.now()
        claims: dict[str, object] = {
            "iss": self._issuer,
            "sub": subject,
            "aud": client_id,
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LASTS).timestamp()),
            "jti": new_id(),
            "sid": sid,
            "events": {EVENT: {}},
        }
        return self._keys().sign(claims, TOKEN_TYPE)
