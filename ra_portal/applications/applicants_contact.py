"""The applicant's telephone number and mail address: sealed for the application's row."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, or_, select, update

from ra_portal.applications.tables import applications
from ra_portal.people.contact import Contact
from ra_portal.people.personal_data import PersonalData
from ra_portal.row_by_row import row_by_row
from records.database import Database

_PURPOSE = "application contact"


def seal(personal: PersonalData, contact: Contact, application_id: str) -> bytes | None:
    """None where the applicant left neither. Raises Unavailable from the token."""
    if contact == Contact():
        return None
    return personal.seal_text(contact.written(), _PURPOSE, application_id)


def opened(personal: PersonalData, sealed: bytes | None, application_id: str) -> Contact:
    """Raises Unprocessable `secret.not-authentic` when it was sealed for another application."""
    if sealed is None:
        return Contact()
    return Contact.read(personal.open_text(sealed, _PURPOSE, application_id))


def seal_clear_ones(database: Database, personal: PersonalData, limit: int = 200) -> int:
    """Seal what stands in clear from before contacts were sealed; how many. For the worker: a
    migration of the database has no key."""
    query = (
        select(
            applications.c.id,
            applications.c.contact_cipher,
            applications.c.clear_phone,
            applications.c.clear_email,
        )
        .where(
            or_(applications.c.clear_phone.is_not(None), applications.c.clear_email.is_not(None))
        )
        .order_by(applications.c.id)
        .limit(limit)
    )

    def page(behind: str) -> Sequence[Any]:
        with database.reading() as connection:
            return connection.execute(query.where(applications.c.id > behind)).all()

    def work(row: Any) -> None:
        sealed = row.contact_cipher  # of one that was corrected since
        if sealed is None:
            sealed = seal(personal, Contact(row.clear_phone, row.clear_email), row.id)
        mine = update(applications).where(applications.c.id == row.id)
        values = {
            "contact_cipher": func.coalesce(applications.c.contact_cipher, sealed),
            "clear_phone": None,
            "clear_email": None,
        }
        with database.transaction() as connection:
            connection.execute(mine.values(values))

    return row_by_row("contacts in clear", page, lambda row: str(row.id), work)
