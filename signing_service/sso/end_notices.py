"""What platforms must be told when a session ends.

Queued in the transaction that ends the session, in a queue of the platform's own, so that a
platform that is down holds up no other.
"""

import hashlib
from collections.abc import Sequence

from sqlalchemy import Connection, select

from records.database import Database
from records.outbox import Outbox
from signing_service.sso.tables import cas_tickets, codes, platforms

CHANNEL_PREFIX = "logout:"


def channel_of(client_id: str) -> str:
    """The outbox's channel for one platform."""
    return CHANNEL_PREFIX + hashlib.sha256(client_id.encode()).hexdigest()[:32]


class EndNotices:
    """Queues what platforms must be told."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def put(self, connection: Connection, ended: Sequence[tuple[str, str]]) -> None:
        """`ended`: public name and subject of each session. Goes to the platforms that were
        given an ID token of the session and registered an address for this."""
        subjects = dict(ended)
        told = (
            select(codes.c.client_id, codes.c.sid)
            .join(platforms, platforms.c.client_id == codes.c.client_id)
            .where(
                codes.c.sid.in_(subjects),
                codes.c.redeemed_at.is_not(None),
                platforms.c.backchannel_logout_uri.is_not(None),
                platforms.c.disabled_at.is_(None),
            )
            .distinct()
            .order_by(codes.c.client_id, codes.c.sid)
        )
        for row in connection.execute(told).all():
            payload = {"client_id": row.client_id, "sid": row.sid, "sub": subjects[row.sid]}
            self._outbox.put(connection, channel_of(row.client_id), payload)
        self._put_cas(connection, subjects)

    def platforms_in(self, database: Database, sid: str) -> list[str]:
        """The platforms that were given an ID token of this session."""
        told = select(codes.c.client_id).where(codes.c.sid == sid, codes.c.redeemed_at.is_not(None))
        with database.reading() as connection:
            return sorted(set(connection.execute(told).scalars()))

    def _put_cas(self, connection: Connection, subjects: dict[str, str]) -> None:
        """Single logout of the CAS protocol (3.0, 2.3.3): each ticket names a session of the
        service's own."""
        spent = (
            select(cas_tickets)
            .join(platforms, platforms.c.client_id == cas_tickets.c.client_id)
            .where(
                cas_tickets.c.sid.in_(subjects),
                cas_tickets.c.ticket.is_not(None),
                platforms.c.disabled_at.is_(None),
            )
            .order_by(cas_tickets.c.client_id, cas_tickets.c.ticket)
        )
        for row in connection.execute(spent).all():
            payload = {
                "client_id": row.client_id,
                "sub": subjects[row.sid],
                "service": row.service,
                "ticket": row.ticket,
            }
            self._outbox.put(connection, channel_of(row.client_id), payload)
