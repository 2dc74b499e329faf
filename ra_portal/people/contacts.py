"""Where holders are reached: a telephone number and a mail address, sealed in the database.

They serve notices and one-time codes, nothing else; they are shown masked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from kernel.clock import Clock
from kernel.refusals import Conflict
from ra_portal import fields
from ra_portal.applications import applicants_contact
from ra_portal.applications.tables import applications
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card, Holder
from ra_portal.cards.charge import is_own, require_charge
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices, SealedNotice, Sealing
from ra_portal.notices.refused_addresses import RefusedAddresses
from ra_portal.notices.times import moment
from ra_portal.people.contact import Contact
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.people.personal_data import PersonalData
from ra_portal.people.tables import contacts
from records.database import Database
from records.events import Event
from records.journal import Journal


@dataclass(frozen=True)
class ShownContact:
    """Masked."""

    phone: str | None
    email: str | None
    mail_refused_at: datetime | None
    """Since when the mail server refuses the address; None: it does not, as far as we know."""


@dataclass(frozen=True)
class KnownContact:
    contact: Contact
    changed_at: datetime | None = None
    """None: never since the application."""
    phone_by: str | None = None
    """The actor who put in the telephone number that stands there now, or the officer who imported
    the application that it is from; None: the applicant, or not recorded."""
    email_by: str | None = None

    @property
    def set_by(self) -> frozenset[str]:
        return frozenset(each for each in (self.phone_by, self.email_by) if each is not None)


@dataclass(frozen=True)
class _Kept:
    """What the database holds of a holder, sealed."""

    holder: Holder
    row: Any
    """What the holder left; None: nothing."""
    application: Any
    """The application's; None: there is none, or the holder is no enterprise."""


class Contacts:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        sealing: Sealing,
        notices: Notices,
        personal: PersonalData,
        refused: RefusedAddresses,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._sealing = sealing
        self._notices = notices
        self._personal = personal
        self._refused = refused

    def of(self, connection: Connection, holder: Holder) -> Contact:
        """What the holder left; for an enterprise that left nothing, what stood in the
        application."""
        return self.known(connection, holder).contact

    def known(self, connection: Connection, holder: Holder) -> KnownContact:
        """As `of`, with when it was changed last and by whom."""
        return self._opened(self._kept(connection, holder))

    def look_up(self, holder: Holder) -> Contact:
        """As `of`; the token is asked when the database has been let go. Raises Unavailable."""
        with self._database.reading() as connection:
            kept = self._kept(connection, holder)
        return self._opened(kept).contact

    def look_up_own(self, holder: Holder) -> Contact:
        """As `look_up`, without what somebody else than the holder has put in."""
        with self._database.reading() as connection:
            kept = self._kept(connection, holder)
        known, own = self._opened(kept), (None, str(holder))
        return Contact(
            known.contact.phone if known.phone_by in own else None,
            known.contact.email if known.email_by in own else None,
        )

    def _kept(self, connection: Connection, holder: Holder) -> "_Kept":
        mine = (contacts.c.holder_kind == str(holder.kind)) & (contacts.c.holder_id == holder.id)
        row = connection.execute(select(contacts).where(mine)).one_or_none()
        if holder.kind is not HolderKind.LEGAL_PERSON:
            return _Kept(holder, row, None)
        query = select(
            applications.c.id,
            applications.c.contact_cipher,
            applications.c.clear_phone,
            applications.c.clear_email,
            applications.c.licence_id,
            applications.c.registered_by,
        ).where(applications.c.enterprise_id == holder.id)
        return _Kept(holder, row, connection.execute(query).first())

    def _opened(self, kept: "_Kept") -> KnownContact:
        row, first = kept.row, self._from_application(kept.application)
        if row is None:
            return first
        sealed = self._sealing.decrypt(bytes(row.sealed), _context(kept.holder))
        contact = Contact.read(sealed.decode("utf-8"))
        # Rows from before it was recorded who put a value in, and those that only confirm it.
        same_phone = contact.phone == first.contact.phone
        same_email = contact.email == first.contact.email
        return KnownContact(
            contact,
            row.changed_at,
            row.phone_by or (first.phone_by if same_phone else None),
            row.email_by or (first.email_by if same_email else None),
        )

    def _from_application(self, row: Any) -> KnownContact:
        if row is None:
            return KnownContact(Contact())
        by = None
        if row.licence_id is None and row.registered_by is not None:  # an officer imported it
            by = f"{HolderKind.OFFICER}:{row.registered_by}"
        contact = applicants_contact.opened(self._personal, row.contact_cipher, row.id)
        if row.contact_cipher is None:  # the worker has not sealed it yet
            contact = Contact(row.clear_phone, row.clear_email)
        return KnownContact(
            contact,
            phone_by=by if contact.phone else None,
            email_by=by if contact.email else None,
        )

    def seal_clear_ones(self) -> int:
        """Seal what applicants left before contacts were sealed; how many. For the worker."""
        return applicants_contact.seal_clear_ones(self._database, self._personal)

    def mail_refused_at(self, connection: Connection, contact: Contact) -> datetime | None:
        """Since when the mail server refuses the contact's address for good."""
        return self._refused.since(connection, contact.email)

    def show(self, by: Identity, number: str) -> ShownContact:
        """Raises Forbidden `card.foreign`, NotFound `card.unknown`."""
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, number)
            _require_holder_or_charge(connection, by, card)
            contact = self.of(connection, card.holder)
            refused_at = self.mail_refused_at(connection, contact)
        masked = contact.masked()
        return ShownContact(masked.phone, masked.email, refused_at)

    def change(self, by: Identity, number: str, values: Mapping[str, object]) -> Contact:
        """Set `phone` and `email` of a card's holder; either may be empty. Whoever was reached
        under the old ones is told.

        Raises as `show`, `fields.InvalidFields`, Conflict `contact.changed`.
        """
        reader = fields.FieldReader(values)
        wanted = Contact(
            reader.optional("phone", fields.phone), reader.optional("email", fields.email)
        )
        reader.finish()
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, number)
            _require_holder_or_charge(connection, by, card)
            known = self.known(connection, card.holder)
        changed = None if wanted == known.contact else self._changed(card, known, wanted, by.actor)
        told = self._to_old_ones(card, known.contact, wanted)
        given = {known.contact.email, wanted.email} - {None}
        anew = [self._refused.index(email) for email in given if email is not None]
        with self._database.transaction() as connection:
            card_rows.lock(connection, card.number)  # one change after the other
            _require_holder_or_charge(connection, by, card)
            if changed is not None:
                self._store(connection, card.holder, known, changed)
            self._refused.forget(connection, *anew)
            for notice in told:
                self._notices.put_sealed(connection, notice, about=card.number)
            self._journal.append(
                connection,
                Event.CONTACT_CHANGED,
                subject=card.number,
                actor=by.actor,
                phone=wanted.phone is not None,
                email=wanted.email is not None,
            )
        return wanted.masked()

    def _changed(
        self, card: Card, known: KnownContact, wanted: Contact, actor: str
    ) -> dict[str, object]:
        """The new row's values. Who only confirms a value did not put it in."""
        sealed = self._sealing.encrypt(wanted.written().encode("utf-8"), _context(card.holder))
        return {
            "sealed": sealed,
            "changed_at": self._clock.now(),
            "phone_by": known.phone_by if wanted.phone == known.contact.phone else actor,
            "email_by": known.email_by if wanted.email == known.contact.email else actor,
        }

    def _store(
        self,
        connection: Connection,
        holder: Holder,
        known: KnownContact,
        values: dict[str, object],
    ) -> None:
        """Raises Conflict `contact.changed` where it is not as it was read any more."""
        mine = (contacts.c.holder_kind == str(holder.kind)) & (contacts.c.holder_id == holder.id)
        now = connection.execute(select(contacts.c.changed_at).where(mine)).scalar_one_or_none()
        if now != known.changed_at:
            raise Conflict("contact.changed", "somebody else just changed it; look again")
        if now is not None:
            connection.execute(update(contacts).where(mine).values(values))
        else:
            key = {"holder_kind": str(holder.kind), "holder_id": holder.id}
            connection.execute(insert(contacts), {**key, **values})

    def _to_old_ones(self, card: Card, before: Contact, wanted: Contact) -> list[SealedNotice]:
        values = {
            "card": card.number,
            "time": moment(self._clock.now()),
            "act_zh": "变更联系方式",
            "act_en": "the contact was changed",
        }
        return [
            self._notices.seal(channel, old, "card-moved", values)
            for channel in Channel
            if (old := before.at(channel)) is not None and old != wanted.at(channel)
        ]


def _context(holder: Holder) -> bytes:
    return f"PortSeal contact {holder}".encode()


def _require_holder_or_charge(connection: Connection, by: Identity, card: Card) -> None:
    if not is_own(by, card):
        require_charge(connection, by, card)
