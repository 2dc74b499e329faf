"""A message to somebody, by the way on which they are reached."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from ra_portal.cards import card_rows
from ra_portal.cards.card import Holder
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices, SealedNotice
from ra_portal.people.contact import Contact
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import HolderKind

LATER = "later"
"""Instead of a channel: the holder has had as many messages as one may have in a day."""


def tell(
    connection: Connection,
    contacts: Contacts,
    notices: Notices,
    holder: Holder,
    template: str,
    values: Mapping[str, str],
) -> str | None:
    """By mail, or where there is none by text message; the channel, None: neither reaches the
    holder, or the holder's card has ended; `LATER`: no more of them today.

    What is counted in a day is an officer's messages, and those about anybody else's card.
    """
    card = card_rows.find_live(connection, holder)
    if card is None:
        return None
    about = str(holder) if holder.kind is HolderKind.OFFICER else card.number
    for channel, to in _ways(notices, contacts.of(connection, holder)):
        put = notices.put(connection, channel, to, template, values, about=about)
        return str(channel) if put else LATER
    return None


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
