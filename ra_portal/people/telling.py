"""A message to the holder of a card, by the way on which the holder is reached."""

from collections.abc import Mapping

from sqlalchemy import Connection

from ra_portal.cards import card_rows
from ra_portal.cards.card import Holder
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices
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
    contact = contacts.of(connection, holder)
    for channel in (Channel.MAIL, Channel.SMS):
        to = contact.at(channel)
        if to is not None and channel in notices.channels:
            put = notices.put(connection, channel, to, template, values, about=about)
            return str(channel) if put else LATER
    return None
