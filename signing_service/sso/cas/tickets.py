"""Service tickets (CAS protocol 3.0, 3.1): one-time, short-lived, for one service."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from kernel.clock import Clock
from kernel.entropy import Entropy
from records.database import Database
from records.events import Event
from records.journal import Journal
from signing_service.sso.challenges import secret_hash
from signing_service.sso.platform import Platform
from signing_service.sso.sessions import Arrival, SignedIn, new_secret
from signing_service.sso.settings import SsoSettings
from signing_service.sso.tables import cas_tickets

_TICKET = re.compile(r"ST-[A-Za-z0-9_-]{43}")
_KEPT = timedelta(hours=24)
"""Validated tickets stay for single logout until no session that they opened can live."""


@dataclass(frozen=True)
class Ticket:
    client_id: str
    sid: str
    service: str
    from_new_login: bool
    """Whether the card was proven for this ticket, and not for an earlier one (`renew`)."""
    expires_at: datetime


class CasTickets:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        settings: SsoSettings,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._settings = settings

    def give(
        self, platform: Platform, service: str, signed_in: SignedIn, *, from_new_login: bool
    ) -> str:
        """A ticket for this service; the text is nowhere else until it is spent."""
        ticket = "ST-" + new_secret(self._entropy)
        row = {
            "ticket_hash": secret_hash(ticket),
            "client_id": platform.client_id,
            "sid": signed_in.session,
            "service": service,
            "from_new_login": from_new_login,
            "expires_at": self._clock.now() + timedelta(seconds=self._settings.cas_ticket_seconds),
        }
        with self._database.transaction() as connection:
            connection.execute(insert(cas_tickets), row)
        return ticket

    def take(self, ticket: str) -> Ticket | None:
        """Spend a ticket, whoever asks and whatever for (3.1.1); None: no such ticket is good."""
        if not _TICKET.fullmatch(ticket):
            return None
        now = self._clock.now()
        mine = cas_tickets.c.ticket_hash == secret_hash(ticket)
        with self._database.transaction() as connection:
            row = connection.execute(
                update(cas_tickets)
                .where(mine, cas_tickets.c.validated_at.is_(None))
                .values(validated_at=now)
                .returning(cas_tickets)
            ).one_or_none()
        if row is None or row.expires_at <= now:
            return None
        return Ticket(row.client_id, row.sid, row.service, row.from_new_login, row.expires_at)

    def remember(self, ticket: str, spent: Ticket, who: Arrival) -> None:
        """The service has opened a session of its own: single logout will name this ticket."""
        mine = cas_tickets.c.ticket_hash == secret_hash(ticket)
        with self._database.transaction() as connection:
            connection.execute(update(cas_tickets).where(mine).values(ticket=ticket))
            self._journal.append(
                connection,
                Event.PLATFORM_TICKET_VALIDATED,
                subject=who.subject,
                actor=spent.client_id,
                session=spent.sid,
                card=who.card,
                platform=who.platform,
                service=spent.service,
            )

    def gave_before(self, sid: str, at: datetime) -> bool:
        """Whether the proof of `at` has given a ticket already."""
        query = select(cas_tickets.c.sid).where(
            cas_tickets.c.sid == sid,
            cas_tickets.c.expires_at > at + timedelta(seconds=self._settings.cas_ticket_seconds),
        )
        with self._database.reading() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def tidy(self) -> None:
        before = self._clock.now() - _KEPT
        with self._database.transaction() as connection:
            connection.execute(delete(cas_tickets).where(cas_tickets.c.expires_at <= before))
