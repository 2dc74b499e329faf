"""Another access code for an application whose own was lost, by two ways at once.

The access code is stored nowhere, so it cannot be sent again, and one channel alone must not open
an application: half of a one-time code goes to the telephone, the other to the mail address that
were left with it. Who asks names the reference and one of the two; whether there is such an
application is told neither by the answer nor by its time (`shared_codes.codes`).
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Malformed
from ra_portal import fields
from ra_portal.applications import access, applicants_contact, application_rows
from ra_portal.applications.applicants_notice import ApplicantsNotice
from ra_portal.applications.application import Application
from ra_portal.codes import CodePurpose, code_hash, new_code
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import ACCESS_CODE_HALF, Notices, SealedNotice
from ra_portal.people.contact import Contact
from ra_portal.people.personal_data import PersonalData
from ra_portal.shared_codes.codes import DIGITS, Kind, SharedCodes, Wanted, in_groups, typed_digits
from ra_portal.shared_codes.rows import NOBODYS, Kept
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from records.outbox import Delivery, Outbox, Payload

CHANNEL = "access-asked"
"""The outbox channel of what was asked for, and of what is to be told."""
CODES_OF_APPLICATIONS = Kind(
    2 * DIGITS,
    application_rows.lock_reference,
    Event.APPLICATION_CODES_SENT,
    Event.APPLICATION_CODE_REFUSED,
)
_PURPOSE, _BOTH = "access", "both"
_SEALED_FOR = "asked access"
_LONGEST_REFERENCE = 24
_FEWEST_DIGITS = 8
"""Of a telephone number without what stands before it."""


@dataclass(frozen=True)
class Renewed:
    application: Application
    access_code: str
    """It is nowhere else."""


class AccessAgain:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        shared: SharedCodes,
        personal: PersonalData,
        outbox: Outbox,
        notices: Notices,
        letters: ApplicantsNotice,
    ) -> None:
        """`shared`: those of `CODES_OF_APPLICATIONS`."""
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._shared = shared
        self._personal = personal
        self._outbox = outbox
        self._notices = notices
        self._letters = letters

    def ask(self, values: Mapping[str, object]) -> str:
        """Ask for the two halves, by `reference` and `contact`: the telephone number or the mail
        address that was left. The asking's identifier, whatever is named; the worker sends them.

        Raises `fields.InvalidFields`, Unavailable from the token.
        """
        reader = fields.FieldReader(values)
        reference = reader.read("reference", _reference)
        contact = reader.read("contact", _contact)
        reader.finish()
        identifier = new_id()
        sealed = self._personal.seal_text(contact, _SEALED_FOR, identifier)
        asked = {
            "request": identifier,
            "reference": reference,
            "contact": base64.b64encode(sealed).decode("ascii"),
            "at": self._clock.now().isoformat(),
        }
        with self._database.transaction() as connection:
            self._outbox.put(connection, CHANNEL, asked)
        return identifier

    def send_asked(self, *, at_once: bool = False) -> Delivery:
        """For the worker."""
        return self._outbox.deliver(
            self._database, CHANNEL, self._send, at_once=at_once, in_order=False
        )

    def renew(self, identifier: str, from_telephone: str, from_mail: str) -> Renewed:
        """With both halves: a new access code. The old one, and every browser that showed it,
        opens the application no more; the applicant is told.

        Raises Unauthenticated `code.refused`, whatever is wrong with them, and
        `application.access-ended`.
        """
        code = new_code(self._entropy)

        def replace(connection: Connection, kept: Kept) -> Renewed:
            before = application_rows.by_reference(connection, kept.subject)
            access.require_access(connection, before)
            after = before.with_access(code_hash(CodePurpose.ACCESS, code))
            application_rows.save(connection, after)
            self._journal.append(
                connection,
                Event.APPLICATION_ACCESS_RENEWED,
                subject=after.reference,
                actor="applicant",
            )
            self._outbox.put(connection, CHANNEL, {"renewed": after.id})
            return Renewed(after, code)

        both = typed_digits(from_telephone) + typed_digits(from_mail)
        return self._shared.redeem(identifier, both, replace)

    def _send(self, asked: Payload) -> None:
        if "renewed" in asked:
            self._tell(asked["renewed"])
        elif not self._shared.is_stale(asked["at"]):
            self._give(asked)

    def _give(self, asked: Payload) -> None:
        identifier, sealed = str(asked["request"]), base64.b64decode(asked["contact"])
        given = self._personal.open_text(sealed, _SEALED_FOR, identifier)
        with self._database.reading() as connection:
            found = application_rows.find_by_reference(connection, asked["reference"])
            if found is not None and access.is_over(connection, found):
                found = None
        contact = Contact() if found is None else self._reached(found, given)
        subject = NOBODYS if found is None or contact == Contact() else found.reference

        def letters(code: str, holds: timedelta) -> Sequence[SealedNotice]:
            halves = {Channel.SMS: code[:DIGITS], Channel.MAIL: code[DIGITS:]}
            return [
                self._half(subject, contact, channel, half, holds)
                for channel, half in halves.items()
            ]

        self._shared.give(Wanted(identifier, subject, _PURPOSE, _BOTH), letters)

    def _reached(self, application: Application, given: str) -> Contact:
        """Empty unless `given` is of it, and both ways are there. Who was imported never had an
        access code: the branch that did it tells them."""
        sealed = None if application.import_id is not None else application.papers.contact
        contact = applicants_contact.opened(self._personal, sealed, application.id)
        ways = [contact.at(way) for way in Channel if way in self._notices.channels]
        is_whole = None not in ways and len(ways) == len(Channel)
        return contact if is_whole and _names(contact, given) else Contact()

    def _half(
        self, reference: str, contact: Contact, channel: Channel, half: str, holds: timedelta
    ) -> SealedNotice:
        to = contact.at(channel)
        assert to is not None, "both ways are there"
        values = {
            "reference": reference,
            "half": in_groups(half),
            "minutes": str(holds // timedelta(minutes=1)),
        }
        return self._notices.seal(channel, to, ACCESS_CODE_HALF, values, lifetime=holds)

    def _tell(self, application_id: str) -> None:
        with self._database.reading() as connection:
            application = application_rows.by_id(connection, application_id)
        notice = self._letters.access_renewed(application)
        with self._database.transaction() as connection:
            self._letters.put(connection, application, notice)


def _reference(text: str) -> str:
    """Raises Malformed `field.too-long`, `field.characters`."""
    return fields.text(_LONGEST_REFERENCE)(text).upper()


def _contact(text: str) -> str:
    """A mail address or a telephone number. Raises Malformed `field.contact`."""
    try:
        return fields.email(text) if "@" in text else fields.phone(text)
    except Malformed:
        raise Malformed(
            "field.contact", "this is neither a telephone number nor an e-mail address"
        ) from None


def _names(contact: Contact, given: str) -> bool:
    """Whether it is the mail address or the telephone number; how the number is written, and with
    or without the country's, does not matter."""
    if "@" in given:
        mail = (contact.email or "").casefold()
        return hmac.compare_digest(mail.encode(), given.casefold().encode())
    # A landline's 0 is left out behind the country's number.
    kept, typed = (typed_digits(each).lstrip("0") for each in (contact.phone or "", given))
    one, other = sorted((kept, typed), key=len)
    return len(one) >= _FEWEST_DIGITS and hmac.compare_digest(one, other[-len(one) :])
