"""Reminders of applications that nobody has moved in time: once for each wait, in the journal and
to the officer in charge."""

from collections.abc import Sequence

from sqlalchemy import Connection

from kernel.clock import Clock
from policies.registration import RegistrationPolicy
from ra_portal.applications import queue_rows
from ra_portal.applications.application import OPEN, Application
from ra_portal.applications.queue_rows import Filter
from ra_portal.cards import card_rows
from ra_portal.cards.card import Holder
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import HolderKind
from records.database import Database
from records.events import Event
from records.journal import Journal

MOST_NAMED = 20
"""References that one mail names; it says how many there are in all."""


class Reminders:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        policy: RegistrationPolicy,
        contacts: Contacts,
        notices: Notices,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._policy = policy
        self._contacts = contacts
        self._notices = notices

    def send(self, limit: int = 200) -> int:
        """Note what waits too long, and tell whoever is in charge of it; how many applications.

        One message to an officer names all of a round. What nobody is in charge of is marked and
        counted on the pages of every officer who may take it. For the worker.
        """
        now = self._clock.now()
        wanted = Filter(OPEN, overdue_before=now - self._policy.remind_after)
        in_charge: dict[str, list[Application]] = {}
        with self._database.transaction() as connection:
            late = queue_rows.not_reminded(connection, wanted, limit)
            for application in late:
                queue_rows.mark_reminded(connection, application.id, now)
                if application.assigned_to is not None:
                    in_charge.setdefault(application.assigned_to, []).append(application)
            told = {
                officer: self._tell(connection, officer, theirs)
                for officer, theirs in in_charge.items()
            }
            for application in late:
                self._journal.append(
                    connection,
                    Event.APPLICATION_REMINDED,
                    subject=application.reference,
                    actor="worker",
                    officer=application.assigned_to,
                    channel=told.get(application.assigned_to or ""),
                    since=application.changed_at.isoformat(timespec="seconds"),
                )
        return len(late)

    def _tell(
        self, connection: Connection, officer: str, late: Sequence[Application]
    ) -> str | None:
        """By mail, or where there is none by text message; the channel, None: neither reaches the
        officer, or the officer's card has ended."""
        holder = Holder(HolderKind.OFFICER, officer)
        if card_rows.find_live(connection, holder) is None:
            return None
        named = ", ".join(each.reference for each in late[:MOST_NAMED])
        values = {
            "count": str(len(late)),
            "hours": str(int(self._policy.remind_after.total_seconds()) // 3600),
            "references": named + ("…" if len(late) > MOST_NAMED else ""),
        }
        contact = self._contacts.of(connection, holder)
        for channel in (Channel.MAIL, Channel.SMS):
            to = contact.at(channel)
            if to is not None and self._notices.put(
                connection, channel, to, "application-waits", values, about=str(holder)
            ):
                return str(channel)
        return None
