"""Applications that nobody moves for long are told to the business administrators, once for each
wait: their officer may be ill, or there may be none."""

from datetime import timedelta

from kernel.clock import Clock
from policies.registration import RegistrationPolicy
from ra_portal.applications import queue_rows
from ra_portal.applications.application import OPEN
from ra_portal.applications.queue_rows import Filter
from ra_portal.applications.telling import waiting
from ra_portal.notices.notices import Notices
from ra_portal.people import people_rows
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import Role
from ra_portal.people.telling import LATER, tell, written
from records.database import Database
from records.events import Event
from records.journal import Entry, Journal

EVERY = timedelta(hours=3)
"""No message sooner after another: what becomes late meanwhile is named in the next."""
_STUCK = "applications-stuck"


class Escalations:
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

    def send(self, limit: int = 1000) -> int:
        """How many applications. One message to each administrator names all of a round; where
        none can be reached, the journal says so. For the worker."""
        now = self._clock.now()
        wanted = Filter(OPEN, overdue_before=now - self._policy.escalate_after)
        with self._database.reading() as connection:
            administrators = [
                officer
                for officer in people_rows.all_officers(connection)
                if Role.ADMINISTRATOR in officer.roles
            ]
            if any(
                self._notices.had(connection, str(each.holder), _STUCK, now - EVERY)
                for each in administrators
            ):
                return 0
            named = queue_rows.not_escalated(connection, wanted, limit)
        if not named:
            return 0
        values = waiting(named, self._policy.escalate_after)
        letters = [
            written(self._database, self._contacts, self._notices, each.holder, _STUCK, values)
            for each in administrators
        ]
        ids = {each.id for each in named}
        with self._database.transaction() as connection:
            still = queue_rows.not_escalated(connection, wanted, limit)
            late = [each for each in still if each.id in ids]  # not what was moved meanwhile
            if not late:
                return 0
            reached = [tell(connection, self._notices, letter) for letter in letters]
            told = sum(channel not in (None, LATER) for channel in reached)
            if told == 0 and LATER in reached:
                return 0  # nobody may have more messages today: nothing counts as told
            queue_rows.mark_escalated(connection, [each.id for each in late], now)
            entries = [
                Entry(
                    Event.APPLICATION_ESCALATED,
                    each.reference,
                    "worker",
                    {
                        "officer": each.assigned_to,
                        "told": told,
                        "since": each.changed_at.isoformat(timespec="seconds"),
                    },
                )
                for each in late
            ]
            self._journal.append_many(connection, entries)
        return len(late)
