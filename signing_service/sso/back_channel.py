"""Telling platforms that a session is over: OpenID Connect Back-Channel Logout 1.0, and the
single logout of the CAS protocol.

What to tell was queued when the session ended (`end_notices`); the token is made when it is sent.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import requests

from kernel.clock import Clock
from kernel.refusals import Unavailable, Unprocessable
from records.database import Database, new_id
from records.outbox import Delivery, Outbox
from signing_service.sso.cas.messages import logout_request
from signing_service.sso.end_notices import CHANNEL_PREFIX
from signing_service.sso.platforms import Platforms
from signing_service.sso.tokens import IdTokenKeys

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_TYPE = "logout+jwt"
TOKEN_LASTS = timedelta(minutes=2)
_TIMEOUT_SECONDS = 5


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
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._platforms = platforms
        self._keys = keys
        self._issuer = issuer

    def deliver(self, *, at_once: bool = False) -> list[Delivery]:
        """Send what is due, each platform for itself; the outbox tries again what was not taken.
        Platforms with nothing to be told cost nothing, however many there are."""
        with self._database.reading() as connection:
            due = self._outbox.due_channels(connection, CHANNEL_PREFIX, at_once=at_once)
        return [
            self._outbox.deliver(self._database, channel, self.send, at_once=at_once)
            for channel in due
        ]

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

    @staticmethod
    def _post(address: str, form: dict[str, str]) -> None:
        try:
            with requests.Session() as session:
                # Neither a proxy nor a password of this process's surroundings.
                session.trust_env = False
                status = session.post(
                    address, data=form, timeout=_TIMEOUT_SECONDS, allow_redirects=False, stream=True
                ).status_code
        except requests.RequestException:
            raise Unavailable("logout.unavailable", "the platform does not answer") from None
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
