"""One-time codes in the database: one row for each that was asked for.

Who asks while a code is on its way shares it: their rows hold the same code, sealed for each.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from ra_portal.shared_codes.tables import one_time_codes

NOBODYS = ""
"""In place of a subject: no code opens anything."""


@dataclass(frozen=True)
class Kept:
    """What somebody asked for."""

    id: str
    subject: str
    """A card's number, an application's reference; or `NOBODYS`."""
    purpose: str
    channel: str
    created_at: datetime
    begun_at: datetime
    """When the code that it shares was new."""
    expires_at: datetime
    sent: bool
    """Whether a message went for it."""
    sealed: bytes
    attempts: int = 0
    used_at: datetime | None = None

    def may_be_tried(self, now: datetime, most: int) -> bool:
        return self.used_at is None and now < self.expires_at and self.attempts < most


def add(connection: Connection, kept: Kept) -> None:
    values = dict(vars(kept))
    values["card"] = values.pop("subject")
    connection.execute(insert(one_time_codes), values)


def find(connection: Connection, identifier: str, *, lock: bool = False) -> Kept | None:
    query = select(one_time_codes).where(one_time_codes.c.id == identifier[:32])
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _kept(row)


def newest(
    connection: Connection, subject: str, purpose: str, channel: str, since: datetime
) -> Kept | None:
    """Of the codes that began after `since` and were not spent, a row of the newest."""
    query = select(one_time_codes).where(
        *_of(subject, purpose, since),
        one_time_codes.c.channel == channel,
        one_time_codes.c.begun_at > since,
        one_time_codes.c.used_at.is_(None),
    )
    row = connection.execute(query.order_by(one_time_codes.c.begun_at.desc()).limit(1)).first()
    return None if row is None else _kept(row)


def messages(connection: Connection, kept: Kept) -> list[datetime]:
    """When this one's code was sent, by its channel."""
    query = select(one_time_codes.c.created_at).where(
        *_of(kept.subject, kept.purpose, kept.begun_at, included=True),
        one_time_codes.c.channel == kept.channel,
        one_time_codes.c.begun_at == kept.begun_at,
        one_time_codes.c.sent,
    )
    return list(connection.execute(query).scalars())


def count_attempts(connection: Connection, kept: Kept) -> int:
    """Tries of all who share its code."""
    query = select(func.sum(one_time_codes.c.attempts)).where(
        *_of(kept.subject, kept.purpose, kept.begun_at, included=True),
        one_time_codes.c.begun_at == kept.begun_at,
    )
    return connection.execute(query).scalar_one() or 0


def count_attempt(connection: Connection, kept: Kept) -> None:
    mine = update(one_time_codes).where(one_time_codes.c.id == kept.id)
    connection.execute(mine.values(attempts=one_time_codes.c.attempts + 1))


def spend(connection: Connection, kept: Kept, now: datetime) -> None:
    """All codes for this purpose of its subject: whoever shares one has no other."""
    mine = update(one_time_codes).where(
        one_time_codes.c.card == kept.subject,
        one_time_codes.c.purpose == kept.purpose,
        one_time_codes.c.expires_at > now,
        one_time_codes.c.used_at.is_(None),
    )
    connection.execute(mine.values(used_at=now))


def _of(subject: str, purpose: str, since: datetime, *, included: bool = False) -> tuple[Any, ...]:
    created = one_time_codes.c.created_at
    return (
        one_time_codes.c.card == subject,
        one_time_codes.c.purpose == purpose,
        created >= since if included else created > since,
    )


def _kept(row: Any) -> Kept:
    values = dict(row._mapping)
    values["subject"] = values.pop("card")
    return Kept(**{**values, "sealed": bytes(row.sealed)})
