"""A message to somebody, by the way on which they are reached.

It is written before the transaction that sends it: the contact is opened and the words are sealed
in the token, which may be slow or hang, while the database is nobody's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from ra_portal.cards import card_rows
from ra_portal.cards.card import Holder
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices, SealedNotice
from ra_portal.people.contact import Contact
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import HolderKind
from records.database import Database

LATER = "later"
"""Instead of a channel: the holder has had as many messages as one may have in a day."""


@dataclass(frozen=True)
class Letter:
    about: str
    """What is counted in a day: an officer's messages, and those about anybody else's card."""
    sealed: SealedNotice | None
    """None: neither mail nor text message reaches the holder, or the holder's card has ended."""


def written(
    database: Database,
    contacts: Contacts,
    notices: Notices,
    holder: Holder,
    template: str,
    values: Mapping[str, str],
) -> Letter:
    """By mail, or where there is none by text message. Raises Unavailable."""
    with database.reading() as connection:
        card = card_rows.find_live(connection, holder)
    if card is None:
        return Letter(str(holder), None)
    about = str(holder) if holder.kind is HolderKind.OFFICER else card.number
    return Letter(about, sealed_to(notices, contacts.look_up(holder), template, values))


def tell(connection: Connection, notices: Notices, letter: Letter) -> str | None:
    """In the caller's transaction. The channel; None: it reaches nobody; `LATER`: no more of them
    today."""
    if letter.sealed is None:
        return None
    put = notices.put_sealed(connection, letter.sealed, about=letter.about)
    return str(letter.sealed.channel) if put else LATER


def sealed_to(
    notices: Notices, contact: Contact, template: str, values: Mapping[str, str]
) -> SealedNotice | None:
    """For `Notices.put_sealed`, by mail, or where there is none by text message; None: neither.
    Raises Unavailable from the token."""
    for channel, to in _ways(notices, contact):
        return notices.seal(channel, to, template, values)
    return None


def _ways(notices: Notices, contact: Contact) -> Iterator[tuple[Channel, str]]:
    """Channels that are configured and reach somebody, the preferred one first."""
    for channel in (Channel.MAIL, Channel.SMS):
        to = contact.at(channel)
        if to is not None and channel in notices.channels:
            yield channel, to
