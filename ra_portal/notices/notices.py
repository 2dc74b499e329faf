"""Notices are written with the fact that they tell of, and sent by the worker.

Recipient and values lie sealed under a key of the token until the notice has gone, and are then
deleted: who reads the database learns neither address nor code.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, func, insert, select, update

from kernel.clock import Clock
from ra_portal.notices.channels import AddressRefused, Channel, Gateway, Letter
from ra_portal.notices.refused_addresses import RefusedAddresses
from ra_portal.notices.tables import notices
from ra_portal.notices.templates import load_templates
from records.database import Database, new_id
from records.outbox import Delivery, Outbox, Payload, Undeliverable

_log = logging.getLogger("portseal.notices")

MOST_IN_A_DAY = 20
"""Notices about one card, on one channel."""
ONE_TIME_CODE, ACCESS_CODE_HALF = "one-time-code", "access-code-half"
_ASKED_FOR = (ONE_TIME_CODE, ACCESS_CODE_HALF)
"""Templates that strangers can have sent: those who send them count them (`shared_codes.codes`),
and they use up nothing of what somebody must be told."""


@dataclass(frozen=True)
class SealedNotice:
    """A notice whose recipient and values were sealed, not yet queued."""

    id: str
    channel: Channel
    template: str
    sealed: bytes
    expires_at: datetime | None


class Sealing(Protocol):
    """Encryption under a key that stays in the token (`hsm.secret_keys.SecretKey`)."""

    def encrypt(self, plaintext: bytes, associated: bytes = b"") -> bytes: ...

    def decrypt(self, ciphertext: bytes, associated: bytes = b"") -> bytes: ...


class Notices:
    """Puts notices and sends them."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        clock: Clock,
        sealing: Sealing,
        gateways: Mapping[Channel, Gateway],
        refused: RefusedAddresses,
        origin: str,
        language: str = "zh",
    ) -> None:
        """`gateways`: the channels that are configured; `origin`: where holders go, told in
        notices; `language` of text messages."""
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._sealing = sealing
        self._gateways = dict(gateways)
        self._refused = refused
        self._always = {"origin": origin}
        self._language = language

    @property
    def channels(self) -> frozenset[Channel]:
        """Those that are configured."""
        return frozenset(self._gateways)

    def put(
        self,
        connection: Connection,
        channel: Channel,
        to: str,
        template: str,
        values: Mapping[str, str],
        *,
        about: str,
        lifetime: timedelta | None = None,
    ) -> bool:
        """Queue a notice in the caller's transaction. `lifetime`: not to be sent when older.

        False, and nothing is queued, when the channel is not configured or `about` has had
        `MOST_IN_A_DAY` already.
        """
        if channel not in self._gateways:
            return False
        notice = self.seal(channel, to, template, values, lifetime=lifetime)
        return self.put_sealed(connection, notice, about=about)

    def seal(
        self,
        channel: Channel,
        to: str,
        template: str,
        values: Mapping[str, str],
        *,
        lifetime: timedelta | None = None,
    ) -> SealedNotice:
        """For `put_sealed`: the token is asked before the transaction. Raises Unavailable."""
        known = load_templates()[template]
        missing = known.values - values.keys() - self._always.keys()
        if missing:
            raise ValueError(f"notice {template} lacks {sorted(missing)}")
        identifier = new_id()
        told = json.dumps({"to": to, "values": dict(values)}, ensure_ascii=False)
        sealed = self._sealing.encrypt(told.encode("utf-8"), _context(identifier))
        expires_at = None if lifetime is None else self._clock.now() + lifetime
        return SealedNotice(identifier, channel, template, sealed, expires_at)

    def put_sealed(self, connection: Connection, notice: SealedNotice, *, about: str) -> bool:
        """As `put`, of what was sealed before the transaction."""
        channel, now = notice.channel, self._clock.now()
        if channel not in self._gateways:
            return False
        if (
            notice.template not in _ASKED_FOR
            and self._recent(connection, channel, about, now) >= MOST_IN_A_DAY
        ):
            _log.warning("%s has had %d notices by %s in a day", about, MOST_IN_A_DAY, channel)
            return False
        row = {
            "id": notice.id,
            "about": about,
            "template": notice.template,
            "channel": str(channel),
            "created_at": now,
            "expires_at": notice.expires_at,
            "sealed": notice.sealed,
        }
        connection.execute(insert(notices), row)
        self._outbox.put(connection, channel.queue, {"notice": notice.id})
        return True

    def deliver(self, *, at_once: bool = False) -> list[Delivery]:
        """Send what is due, each channel for itself. For the worker."""
        return [
            self._outbox.deliver(
                self._database, channel.queue, self._send, at_once=at_once, in_order=False
            )
            for channel in sorted(self._gateways)
        ]

    def _send(self, payload: Payload) -> None:
        query = select(notices).where(notices.c.id == str(payload["notice"]))
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or row.sealed is None:
            return  # sent before, by a worker that died before it could say so
        if row.expires_at is not None and self._clock.now() >= row.expires_at:
            self._end(row.id, "expired")
            return
        channel = Channel(row.channel)
        told = json.loads(self._sealing.decrypt(bytes(row.sealed), _context(row.id)))
        letter = self._letter(row.id, row.template, channel, told["to"], told["values"])
        # The token is asked before the letter goes: if it is away, nothing goes twice.
        mailbox = self._refused.index(letter.to) if channel is Channel.MAIL else None
        try:
            self._gateways[channel].send(letter)
        except Undeliverable as refusal:
            at_fault = mailbox if isinstance(refusal, AddressRefused) else None
            self._end(row.id, "refused", forget=False, refusing=at_fault)
            raise
        self._end(row.id, "sent", taking=mailbox)

    def _letter(
        self, identifier: str, name: str, channel: Channel, to: str, values: dict[str, str]
    ) -> Letter:
        template, values = load_templates()[name], {**self._always, **values}
        if channel is Channel.SMS:
            return Letter(identifier, to, "", template.sms(values, self._language))
        return Letter(identifier, to, template.subject(values), template.mail(values))

    def _end(
        self,
        identifier: str,
        outcome: str,
        *,
        forget: bool = True,
        refusing: str | None = None,
        taking: str | None = None,
    ) -> None:
        """Once it has gone, who it went to and what it said are not kept. `refusing`, `taking`:
        the index of the mailbox that took no mail, or took one."""
        values: dict[str, object] = {"outcome": outcome, "ended_at": self._clock.now()}
        if forget:
            values["sealed"] = None
        with self._database.transaction() as connection:
            connection.execute(update(notices).where(notices.c.id == identifier).values(values))
            if refusing is not None:
                self._refused.refused(connection, refusing)
            if taking is not None:
                self._refused.forget(connection, taking)

    def forget(self, connection: Connection, identifier: str) -> None:
        """Who a notice was for and what it said, when it will never be sent."""
        mine = update(notices).where(notices.c.id == identifier)
        connection.execute(mine.values(sealed=None))

    def forget_expired(self) -> int:
        """Of refused notices whose time is over; how many. For the worker."""
        over = notices.c.sealed.is_not(None) & (notices.c.expires_at <= self._clock.now())
        values = {"sealed": None, "outcome": "expired", "ended_at": self._clock.now()}
        with self._database.transaction() as connection:
            mine = over & notices.c.ended_at.is_not(None)  # the others are the outbox's to end
            return connection.execute(update(notices).where(mine).values(values)).rowcount

    def had(self, connection: Connection, about: str, template: str, since: datetime) -> bool:
        """Whether such a notice was queued after `since`."""
        query = select(notices.c.id).where(
            notices.c.about == about, notices.c.template == template, notices.c.created_at > since
        )
        return connection.execute(query.limit(1)).one_or_none() is not None

    def _recent(self, connection: Connection, channel: Channel, about: str, now: datetime) -> int:
        query = select(func.count()).where(
            notices.c.about == about,
            notices.c.channel == str(channel),
            notices.c.template.not_in(_ASKED_FOR),
            notices.c.created_at > now - timedelta(days=1),
        )
        return connection.execute(query).scalar_one()


def _context(identifier: str) -> bytes:
    return b"PortSeal notice " + identifier.encode("ascii")
