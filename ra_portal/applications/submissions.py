"""What an applicant hands in: fields, papers and the identity number, read and kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from kernel.clock import Clock
from ra_portal import fields
from ra_portal.applications import applicants_contact
from ra_portal.applications.application import (
    Application,
    ApplicationDetails,
    Papers,
    read_details,
)
from ra_portal.papers import document_rows
from ra_portal.papers.documents import DocumentKind, Licence, Upload, read_scan
from ra_portal.people import branches
from ra_portal.people.contact import Contact
from ra_portal.people.personal_data import PersonalData, SealedNumber
from records.database import Database


@dataclass(frozen=True)
class Submission:
    """What came, checked; nothing of it is kept yet."""

    details: ApplicationDetails
    contact: Contact
    scans: Mapping[DocumentKind, Licence | None]
    identity_number: str | None


class Submissions:
    def __init__(self, database: Database, clock: Clock, personal: PersonalData) -> None:
        self._database = database
        self._clock = clock
        self._personal = personal

    def read(
        self,
        values: Mapping[str, object],
        upload: Upload | None,
        attorney: Upload | None,
        kept: Papers | None,
    ) -> Submission:
        """Fields and papers, with the errors of all told at once."""
        reader = fields.FieldReader(values)
        scans = {
            kind: read_scan(reader, kind, came)
            for kind, came in ((DocumentKind.LICENCE, upload), (DocumentKind.ATTORNEY, attorney))
        }
        if not _came(upload) and (kept is None or kept.licence_id is None):
            reader.read("licence", str)
        number = reader.optional("identity_number", fields.identity_number)
        details: ApplicationDetails | None = None
        contact = Contact()
        with self._database.reading() as connection:
            try:
                details, contact = read_details(
                    values, lambda code: branches.id_of(connection, code)
                )
            except fields.InvalidFields as invalid:
                for name, refusal in invalid.errors.items():
                    reader.note(name, refusal)
        reader.finish()
        assert details is not None
        return Submission(details, contact, scans, number)

    def keep(
        self, connection: Connection, application_id: str, read: Submission, before: Papers
    ) -> Papers:
        ids = {
            kind: document_rows.add(connection, application_id, kind, scan, self._clock.now())
            for kind, scan in read.scans.items()
            if scan is not None
        }
        identity = before.identity
        if read.identity_number is not None:
            identity = self._personal.seal(read.identity_number, application_row(application_id))
        return Papers(
            ids.get(DocumentKind.LICENCE, before.licence_id),
            ids.get(DocumentKind.ATTORNEY, before.attorney_id),
            identity,
            applicants_contact.seal(self._personal, read.contact, application_id),
        )

    def identity_for(self, enterprise_id: str, application: Application) -> SealedNumber | None:
        """The identity number, sealed for the enterprise's row."""
        if application.papers.identity is None:
            return None
        number = self._personal.open(application.papers.identity, application_row(application.id))
        return self._personal.seal(number, enterprise_row(enterprise_id))

    def contact_of(self, application_id: str, papers: Papers) -> Contact:
        return applicants_contact.opened(self._personal, papers.contact, application_id)

    def changed_contact(self, application_id: str, read: Submission, kept: Papers) -> list[str]:
        """The names of what says something else now."""
        before = self.contact_of(application_id, kept)
        names = ("phone", "email")
        return [name for name in names if getattr(before, name) != getattr(read.contact, name)]

    def masked_identity(self, application: Application) -> str | None:
        """The legal representative's identity number, but for its ends."""
        row = application_row(application.id)
        return self._personal.masked(application.papers.identity, row)


def application_row(identifier: str) -> str:
    """What an application's identity number is bound to."""
    return f"applications:{identifier}"


def enterprise_row(identifier: str) -> str:
    return f"enterprises:{identifier}"


def _came(upload: Upload | None) -> bool:
    return upload is not None and bool(upload.content)
