"""A message to an officer about applications that wait."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection

from ra_portal.applications.application import Application
from ra_portal.cards import card_rows
from ra_portal.cards.card import Holder
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import Notices
from ra_portal.people.contacts import Contacts
from ra_portal.people.identity import HolderKind

MOST_NAMED = 20
"""References that one mail names; it says how many there are in all."""


LATER = "later"
"""Instead of a channel: the officer has had as many messages as one may have in a day."""


def waiting(late: Sequence[Application], after: timedelta) -> dict[str, str]:
    """What the templates say of them."""
    named = ", ".join(each.reference for each in late[:MOST_NAMED])
    return {
        "count": str(len(late)),
        "hours": str(int(after.total_seconds()) // 3600),
        "references": named + ("…" if len(late) > MOST_NAMED else ""),
    }


def tell(
    connection: Connection,
    contacts: Contacts,
    notices: Notices,
    officer: str,
    template: str,
    values: Mapping[str, str],
) -> str | None:
    """By mail, or where there is none by text message; the channel, None: neither reaches the
    officer, or the officer's card has ended; `LATER`: no more of them today."""
    holder = Holder(HolderKind.OFFICER, officer)
    if card_rows.find_live(connection, holder) is None:
        return None
    contact = contacts.of(connection, holder)
    for channel in (Channel.MAIL, Channel.SMS):
        to = contact.at(channel)
        if to is not None and channel in notices.channels:
            put = notices.put(connection, channel, to, template, values, about=str(holder))
            return str(channel) if put else LATER
    return None
