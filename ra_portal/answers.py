"""Answers that may be loaded anew: the page that a form led to, kept for some minutes.

Such a page may show what is stored nowhere, an access code or an activation code. It is sealed with
a key that the browser alone has: who reads the database learns nothing, nor does another browser.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, LargeBinary, Select, String, Table, insert, select

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import NotFound
from records.database import ROW_ID, Database, UtcDateTime, metadata, new_id

LIFETIME = timedelta(minutes=10)
_KEY_OCTETS, _NONCE_OCTETS = 32, 12

answers = Table(
    "answers",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("actor", String(64), nullable=False),  # empty: nobody was signed in
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)


@dataclass(frozen=True)
class Ticket:
    """What the browser is given."""

    id: str
    key: bytes


class Answers:
    def __init__(self, database: Database, clock: Clock, entropy: Entropy) -> None:
        self._database = database
        self._clock = clock
        self._entropy = entropy

    def keep(self, actor: str, page: bytes) -> Ticket:
        """`actor` is who alone may see it again."""
        ticket = Ticket(new_id(), self._entropy.token(_KEY_OCTETS))
        nonce = self._entropy.token(_NONCE_OCTETS)
        sealed = nonce + AESGCM(ticket.key).encrypt(nonce, page, ticket.id.encode())
        row = {
            "id": ticket.id,
            "actor": actor,
            "sealed": sealed,
            "expires_at": self._clock.now() + LIFETIME,
        }
        with self._database.transaction() as connection:
            connection.execute(insert(answers), row)
        return ticket

    def actor_of(self, identifier: str) -> str | None:
        """Whose answer this is; None when there is none (any more)."""
        with self._database.reading() as connection:
            row = connection.execute(_find(identifier)).one_or_none()
        if row is None or self._clock.now() >= row.expires_at:
            return None
        return str(row.actor)

    def show(self, ticket: Ticket, actor: str) -> bytes:
        """Raises NotFound `answer.over`."""
        with self._database.reading() as connection:
            row = connection.execute(_find(ticket.id)).one_or_none()
        if row is None or row.actor != actor or self._clock.now() >= row.expires_at:
            raise over()
        sealed = bytes(row.sealed)
        nonce, content = sealed[:_NONCE_OCTETS], sealed[_NONCE_OCTETS:]
        try:
            return AESGCM(ticket.key).decrypt(nonce, content, ticket.id.encode())
        except InvalidTag:
            raise over() from None


def over() -> NotFound:
    return NotFound("answer.over", "this page was shown for ten minutes, in one browser")


def _find(identifier: str) -> Select[Any]:
    return select(answers).where(answers.c.id == identifier[:32])
