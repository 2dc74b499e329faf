"""Pushed authorization requests (RFC 9126): kept here, so that no browser sees or changes them."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import delete, insert, select

from kernel.clock import Clock
from kernel.entropy import Entropy
from records.database import Database
from signing_service.sso.challenges import secret_hash
from signing_service.sso.sessions import new_secret
from signing_service.sso.settings import SsoSettings
from signing_service.sso.tables import pushed_requests

PREFIX = "urn:ietf:params:oauth:request_uri:"
_NAME = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]{43}")


class PushedRequests:
    """Keeps requests until they are answered, once, or too old."""

    def __init__(
        self, database: Database, clock: Clock, entropy: Entropy, settings: SsoSettings
    ) -> None:
        self._database = database
        self._clock = clock
        self._entropy = entropy
        self._settings = settings

    def keep(self, client_id: str, parameters: Mapping[str, str]) -> str:
        """The `request_uri` under which the browser refers to the request."""
        name = PREFIX + new_secret(self._entropy)
        row = {
            "request_hash": secret_hash(name),
            "client_id": client_id,
            "parameters": json.dumps(dict(parameters), ensure_ascii=False),
            "expires_at": self._clock.now()
            + timedelta(seconds=self._settings.pushed_request_seconds),
        }
        with self._database.transaction() as connection:
            connection.execute(insert(pushed_requests), row)
        return name

    def find(self, name: str, client_id: str) -> dict[str, str] | None:
        """The parameters; None: unknown, answered, too old or another platform's (2.2, 4)."""
        if not _NAME.fullmatch(name):
            return None
        query = select(pushed_requests.c.parameters).where(
            pushed_requests.c.request_hash == secret_hash(name),
            pushed_requests.c.client_id == client_id,
            pushed_requests.c.expires_at > self._clock.now(),
        )
        with self._database.reading() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else dict(json.loads(found))

    def spend(self, name: str) -> bool:
        """Answer the request; of several answers one is given (7.3)."""
        mine = pushed_requests.c.request_hash == secret_hash(name)
        with self._database.transaction() as connection:
            return connection.execute(delete(pushed_requests).where(mine)).rowcount == 1
