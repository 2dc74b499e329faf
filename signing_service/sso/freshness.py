"""Whether a holder proved the card recently enough for one authorization request.

`prompt` and `max_age` (OpenID Connect Core, 3.1.2.1) ask for a fresh proof. When we send
the holder to sign in, the request goes along with a sealed note of when that was, so that on
return a session that is younger than the note satisfies the request, and nothing else does.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from kernel.clock import Clock
from signing_service.sso.sessions import SignedIn

ASKED = "portseal_asked"
FRESH_PROMPTS = frozenset({"login", "consent", "select_account"})
"""The page that asks for the card names the platform, and any card may be chosen there: to prove
one anew for it is to sign in, to agree and to choose."""
NOTE_LASTS = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Freshness:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def suffices(self, asked: Mapping[str, str], signed_in: SignedIn) -> bool:
        """Whether the session may answer the request without a new proof."""
        if self.answers(asked, signed_in):
            return True
        if _wants_a_proof(asked):
            return False
        max_age = asked.get("max_age")
        if max_age is None:
            return True
        return self._clock.now() - signed_in.auth_time <= timedelta(seconds=int(max_age))

    def remembered(self, asked: Mapping[str, str]) -> str:
        """The request's query, with the note where one will be needed on return."""
        query = _without_note(asked)
        if _wants_a_proof(asked) or "max_age" in asked:
            query[ASKED] = self.note(asked)
        return urlencode(query)

    def note(self, asked: Mapping[str, str]) -> str:
        """When this request sent the holder to sign in, sealed."""
        at = (self._clock.now() - _EPOCH) // _MICROSECOND
        return str(_serializer().dumps([at, _digest(asked)]))

    def answers(self, asked: Mapping[str, str], signed_in: SignedIn) -> bool:
        """Whether the session's newest proof was made after this request asked for one."""
        note = asked.get(ASKED)
        if note is None:
            return False
        try:
            at, digest = _serializer().loads(note)
        except (BadData, ValueError, TypeError):
            return False
        asked_at = _EPOCH + at * _MICROSECOND
        recent = self._clock.now() - asked_at <= NOTE_LASTS
        return bool(recent and digest == _digest(asked) and signed_in.auth_time >= asked_at)


def _wants_a_proof(asked: Mapping[str, str]) -> bool:
    return not FRESH_PROMPTS.isdisjoint(asked.get("prompt", "").split())


def _without_note(asked: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in asked.items() if name != ASKED}


def _digest(asked: Mapping[str, str]) -> str:
    query = urlencode(sorted(_without_note(asked).items()))
    return hashlib.sha256(query.encode()).hexdigest()[:32]


def _serializer() -> URLSafeSerializer:
    secret = current_app.secret_key
    if secret is None:
        raise RuntimeError("the application has no secret key")
    return URLSafeSerializer(secret, salt="portseal-sso-asked")
