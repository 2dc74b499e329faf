"""Reminders of applications that nobody has moved in time: once for each wait, in the journal and
to the officer in charge."""

from kernel.clock import Clock
from policies.registration import RegistrationPolicy
from ra_portal.applications import queue_rows
from ra_portal.applications.application import OPEN, Application
from ra_portal.applications.queue_rows import Filter
from ra_portal.applications.telling import LATER, tell, waiting
from ra_portal.notices.notices import Notices
from ra_portal.people.contacts import Contacts
from records.database import Database
from records.events import Event
from records.journal import Journal

_WAITS = "application-waits"


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
        counted on the pages of every officer who may take it, until it is escalated. For the
        worker.
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
                officer: tell(connection, self._contacts, self._notices, officer, _WAITS, values)
                for officer, theirs in in_charge.items()
                for values in [waiting(theirs, self._policy.remind_after)]
            }
            for application in late:
                channel = told.get(application.assigned_to or "")
                self._journal.append(
                    connection,
                    Event.APPLICATION_REMINDED,
                    subject=application.reference,
                    actor="worker",
                    officer=application.assigned_to,
                    channel=None if channel == LATER else channel,
                    since=application.changed_at.isoformat(timespec="seconds"),
                )
        return len(late)
