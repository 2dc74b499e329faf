"""Reminders of applications that nobody has moved in time: once for each wait, in the journal and
to the officer in charge."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from kernel.clock import Clock
from policies.registration import RegistrationPolicy
from ra_portal.applications import queue_rows
from ra_portal.applications.application import OPEN, Application
from ra_portal.applications.queue_rows import Filter
from ra_portal.applications.telling import waiting
from ra_portal.cards.card import Holder
from ra_portal.notices.notices import Notices
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import HolderKind
from ra_portal.people.telling import LATER, Letter, tell, written
from records.database import Database
from records.events import Event
from records.journal import Entry, Journal

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

        One message to an officer names all of a round. Whoever has had as many messages as one may
        have in a day is told in a later round, and holds up nobody else meanwhile. What nobody is
        in charge of is marked and counted on the pages of every officer who may take it, until it
        is escalated. For the worker.
        """
        done = 0
        asked: set[str | None] = set()
        while some := self._some(limit - done, asked):
            letters = self._letters(some)
            done += self._send(some, letters, asked)
            asked |= letters.keys()
        return done

    def _some(self, limit: int, without: Collection[str | None]) -> list[Application]:
        with self._database.reading() as connection:
            return self._not_reminded(connection, limit, without)

    def _send(
        self,
        some: Sequence[Application],
        letters: Mapping[str, Letter],
        without: Collection[str | None],
    ) -> int:
        """Of what was not moved or handed on meanwhile."""
        named = {(each.id, each.assigned_to) for each in some}
        with self._database.transaction() as connection:
            still = self._not_reminded(connection, len(some), without)
            late = [each for each in still if (each.id, each.assigned_to) in named]
            in_charge = {each.assigned_to for each in late}
            told: dict[str | None, str | None] = {
                officer: tell(connection, self._notices, letter)
                for officer, letter in letters.items()
                if officer in in_charge
            }
            reminded = [each for each in late if told.get(each.assigned_to) != LATER]
            self._note(connection, reminded, told)
        return len(reminded)

    def _not_reminded(
        self, connection: Connection, limit: int, without: Collection[str | None]
    ) -> list[Application]:
        if limit <= 0:
            return []
        wanted = Filter(OPEN, overdue_before=self._clock.now() - self._policy.remind_after)
        return queue_rows.not_reminded(connection, wanted, limit, without)

    def _letters(self, late: Sequence[Application]) -> dict[str, Letter]:
        """To each officer in charge."""
        in_charge: dict[str, list[Application]] = {}
        for application in late:
            if application.assigned_to is not None:
                in_charge.setdefault(application.assigned_to, []).append(application)
        return {
            officer: written(
                self._database,
                self._contacts,
                self._notices,
                Holder(HolderKind.OFFICER, officer),
                _WAITS,
                waiting(theirs, self._policy.remind_after),
            )
            for officer, theirs in in_charge.items()
        }

    def _note(
        self,
        connection: Connection,
        reminded: Sequence[Application],
        told: Mapping[str | None, str | None],
    ) -> None:
        now = self._clock.now()
        queue_rows.mark_reminded(connection, [each.id for each in reminded], now)
        entries = [
            Entry(
                Event.APPLICATION_REMINDED,
                each.reference,
                "worker",
                {
                    "officer": each.assigned_to,
                    "channel": told.get(each.assigned_to),
                    "since": each.changed_at.isoformat(timespec="seconds"),
                },
            )
            for each in reminded
        ]
        self._journal.append_many(connection, entries)
