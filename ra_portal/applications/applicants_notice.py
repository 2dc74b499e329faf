"""What an applicant is told: that the application came back, was approved or refused.

A notice names the reference and where to look, nothing of what was applied for. Who applied
through an import has no access code; the branch that imported the application tells them.
"""

from sqlalchemy import Connection

from ra_portal.applications import applicants_contact
from ra_portal.applications.application import Application, ApplicationState
from ra_portal.notices.notices import Notices, SealedNotice
from ra_portal.people.contact import Contact
from ra_portal.people.personal_data import PersonalData
from ra_portal.people.telling import sealed_to

REFERENCE = "application-reference"
_ACCESS_RENEWED = "access-renewed"
_DECIDED = {
    ApplicationState.RETURNED: "application-returned",
    ApplicationState.APPROVED: "application-approved",
    ApplicationState.REFUSED: "application-refused",
}


class ApplicantsNotice:
    def __init__(self, notices: Notices, personal: PersonalData) -> None:
        self._notices = notices
        self._personal = personal

    def decided(self, application: Application) -> SealedNotice | None:
        """Sealed before the transaction that stores the decision; None: nobody is to be told, or
        can be. Raises Unavailable from the token."""
        return self._sealed(application, _DECIDED[application.state])

    def reference(self, application: Application) -> SealedNotice | None:
        """The reference once more. As `decided`."""
        return self._sealed(application, REFERENCE)

    def access_renewed(self, application: Application) -> SealedNotice | None:
        """That there is another access code. As `decided`."""
        return self._sealed(application, _ACCESS_RENEWED)

    def reaches(self, contact: Contact) -> bool:
        """Whether it holds an address for a channel that is configured."""
        return any(contact.at(channel) is not None for channel in self._notices.channels)

    def put(
        self, connection: Connection, application: Application, notice: SealedNotice | None
    ) -> str | None:
        """The channel; None: nobody was told."""
        if notice is None:
            return None
        put = self._notices.put_sealed(connection, notice, about=application.reference)
        return str(notice.channel) if put else None

    def _sealed(self, application: Application, template: str) -> SealedNotice | None:
        if application.import_id is not None:
            return None
        sealed = application.papers.contact
        contact = applicants_contact.opened(self._personal, sealed, application.id)
        return sealed_to(self._notices, contact, template, {"reference": application.reference})
