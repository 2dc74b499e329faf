"""The reference of an application, sent once more to the address that was left with it.

Whether there is an application is told neither by the answer nor by its time: the worker looks.
Strangers who ask use up nothing of what an applicant must be told, and reach an applicant once in
an hour at most, whoever asks.
"""

from datetime import datetime, timedelta

from kernel.clock import Clock
from kernel.identifiers import parse_uscc
from ra_portal.applications import application_rows
from ra_portal.applications.applicants_notice import REFERENCE, ApplicantsNotice
from ra_portal.notices.notices import Notices
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.outbox import Delivery, Outbox, Payload

CHANNEL = "references-asked"
"""The outbox channel of what was asked for."""
PATIENCE = timedelta(minutes=30)
"""How old what was asked for may be when it is sent."""
ONCE_IN = timedelta(hours=1)


class ReferenceAgain:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        outbox: Outbox,
        notices: Notices,
        letters: ApplicantsNotice,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._outbox = outbox
        self._notices = notices
        self._letters = letters

    def ask(self, uscc: str) -> None:
        """By the enterprise's credit code. Raises as `parse_uscc`, nothing else."""
        asked = {"uscc": parse_uscc(uscc), "at": self._clock.now().isoformat()}
        with self._database.transaction() as connection:
            self._outbox.put(connection, CHANNEL, asked)

    def send_asked(self, *, at_once: bool = False) -> Delivery:
        """For the worker."""
        return self._outbox.deliver(
            self._database, CHANNEL, self._send, at_once=at_once, in_order=False
        )

    def _send(self, asked: Payload) -> None:
        now = self._clock.now()
        if now - datetime.fromisoformat(asked["at"]) >= PATIENCE:
            return  # nobody waits for it any more
        with self._database.reading() as connection:
            application = application_rows.live_for(connection, asked["uscc"])
            if application is None:
                return
            about = f"{application.reference} asked"
            if self._notices.had(connection, about, REFERENCE, now - ONCE_IN):
                return
        notice = self._letters.reference(application)
        if notice is None:
            return
        with self._database.transaction() as connection:
            if self._notices.put_sealed(connection, notice, about=about):
                self._journal.append(
                    connection,
                    Event.APPLICATION_REFERENCE_SENT,
                    subject=application.reference,
                    actor="anonymous",
                    channel=str(notice.channel),
                )
