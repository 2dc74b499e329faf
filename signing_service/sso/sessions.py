"""Sessions: who is signed in, on the server's side, checked again at every use."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    insert,
    literal,
    select,
    update,
)

from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.identifiers import serial_text
from kernel.refusals import Forbidden, Unauthenticated
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from records.prepared import Prepared, Step
from signing_service.ports import Holder
from signing_service.sso.card_login import CardCheck, ProvenCard
from signing_service.sso.challenges import secret_hash
from signing_service.sso.end_notices import EndNotices
from signing_service.sso.settings import SsoSettings
from signing_service.sso.tables import sessions

_OPEN = Step(
    insert(sessions).values(
        {
            name: bindparam(name)
            for name in (
                "sid", "secret_hash", "subject", "card", "certificate", "fingerprint", "serial",
                "auth_time", "last_seen", "expires_at", "way", "purpose",
            )
        }
    )
)  # fmt: skip
_LIVE = select(sessions).where(sessions.c.ended_at.is_(None))
_BY_SECRET = _LIVE.where(sessions.c.secret_hash == bindparam("secret"))
_ANY_BY_SECRET = select(sessions).where(sessions.c.secret_hash == bindparam("secret"))
_BY_SID = _LIVE.where(sessions.c.sid == bindparam("sid"))
_TIME = sessions.c.expires_at.type
_SECRET_OCTETS = 32
_SYSTEM = "sign-in"
_CARDS_AT_ONCE = 1000
CARD, TLS = "card", "tls"


def new_secret(entropy: Entropy) -> str:
    """A secret for a browser or a platform: 256 random bits in base64url, 43 characters."""
    return base64.urlsafe_b64encode(entropy.token(_SECRET_OCTETS)).rstrip(b"=").decode("ascii")


@dataclass(frozen=True)
class SignedIn:
    """A holder with a live session."""

    holder: Holder
    session: str
    """The session's public name (`sid` of ID tokens); not the secret that the browser holds."""
    auth_time: datetime
    certificate: Certificate
    by_hardware: bool
    """Whether the certificate's policy says that its key lives in a token behind a PIN."""
    way: str = CARD
    """How the newest proof was made: `card`, a signed challenge; `tls`, a client certificate."""
    purpose: str | None = None
    """What the newest proof was made for and has not been used for yet (SHA-256, hexadecimal)."""


@dataclass(frozen=True)
class Arrival:
    """Who signs in to which platform, as the journal tells it."""

    subject: str
    card: str
    platform: str
    """Its name at that time."""

    @classmethod
    def of(cls, signed_in: SignedIn, platform: str) -> "Arrival":
        return cls(signed_in.holder.subject, signed_in.holder.card, platform)


@dataclass(frozen=True)
class OpenedSession:
    secret: str
    """For the browser's cookie alone; only its hash is stored."""
    signed_in: SignedIn


@dataclass(frozen=True)
class Standing:
    """How it is with the session of a page that is open."""

    signed_in: SignedIn | None
    end_reason: str = ""
    """Why there is none any more; empty where it cannot be told."""


class Sessions:
    """Opens, uses and ends sessions."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        check: CardCheck,
        settings: SsoSettings,
        notices: EndNotices,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._check = check
        self._settings = settings
        self._notices = notices
        self._by_secret, self._by_sid = Prepared(database, _BY_SECRET), Prepared(database, _BY_SID)

    def open(
        self,
        proven: ProvenCard,
        replacing: str | None = None,
        *,
        way: str = CARD,
    ) -> OpenedSession:
        """Open a session under a fresh secret. The browser's earlier session (`replacing`) goes
        on under that secret when the same card was proven anew, and ends otherwise."""
        secret, now = new_secret(self._entropy), self._clock.now()
        certificate, holder = proven.certificate, proven.holder
        fresh = {
            "secret_hash": secret_hash(secret),
            "auth_time": now,
            "last_seen": now,
            "way": way,
            "purpose": proven.purpose,
        }
        with self._database.transaction() as connection:
            sid = None
            if replacing is not None:
                sid = self._renew(connection, replacing, certificate, fresh, way)
                if sid is None:
                    older = sessions.c.secret_hash == secret_hash(replacing)
                    self._end(connection, older, "replaced", holder.subject)
            renewed, sid = sid is not None, sid or new_id()
            if not renewed:
                row = {
                    **fresh,
                    "sid": sid,
                    "subject": holder.subject,
                    "card": holder.card,
                    "certificate": certificate.der,
                    "fingerprint": certificate.fingerprint,
                    "serial": serial_text(certificate.serial),
                    "expires_at": now + self._lasts(way),
                }
                _OPEN.count(connection, **row)
            facts = {"purpose": proven.purpose} if proven.purpose else {}
            self._journal.append(
                connection,
                Event.SIGNIN_SUCCEEDED,
                subject=holder.subject,
                actor=holder.subject,
                session=sid,
                card=holder.card,
                serial=serial_text(certificate.serial),
                way=way,
                renewed=renewed,
                **facts,
            )
        by_hardware = self._by_hardware(certificate, holder)
        signed_in = SignedIn(holder, sid, now, certificate, by_hardware, way, proven.purpose)
        return OpenedSession(secret, signed_in)

    def _lasts(self, way: str) -> timedelta:
        settings = self._settings
        longest = settings.session_absolute_seconds
        if way == TLS:
            longest = min(longest, settings.tls_session_seconds)
        return timedelta(seconds=longest)

    def _renew(
        self,
        connection: Connection,
        secret: str,
        certificate: Certificate,
        fresh: dict[str, object],
        way: str,
    ) -> str | None:
        """The live session of this secret and this certificate, under a fresh secret from now on.
        Its time limit stays, but that after a handshake it is no farther than such sessions last:
        a handshake says nothing of whether the key stays."""
        now = self._clock.now()
        until = now + self._lasts(way)
        ends = sessions.c.expires_at
        fresh = {**fresh, "expires_at": case((ends > until, literal(until, _TIME)), else_=ends)}
        mine = (
            (sessions.c.secret_hash == secret_hash(secret))
            & (sessions.c.fingerprint == certificate.fingerprint)
            & sessions.c.ended_at.is_(None)
            & (sessions.c.expires_at > now)
        )
        renewed = update(sessions).where(mine).values(fresh).returning(sessions.c.sid)
        return connection.execute(renewed).scalar_one_or_none()

    def spend_purpose(self, sid: str, purpose: str) -> bool:
        """Use the proof that was made for this purpose; once."""
        mine = (sessions.c.sid == sid) & (sessions.c.purpose == purpose)
        with self._database.transaction() as connection:
            spent = update(sessions).where(mine).values(purpose=None)
            return connection.execute(spent).rowcount == 1

    def use(self, secret: str | None) -> SignedIn | None:
        """Who holds this session secret, if the session and the card are good now.

        A session whose card was revoked ends here. Raises Unavailable when the card's status
        cannot be told: the session then neither serves nor ends.
        """
        if secret is None:
            return None
        row = self._by_secret.first(secret=secret_hash(secret))
        if row is None:
            return None
        signed_in = self._checked(row)
        if signed_in is not None:
            self._touch(row)
        return signed_in

    def standing(self, secret: str | None) -> Standing:
        """For a page that looks whether the session has ended; does not keep it awake. Raises as
        `use`."""
        if secret is None:
            return Standing(None)
        with self._database.reading() as connection:
            known = {"secret": secret_hash(secret)}
            row = connection.execute(_ANY_BY_SECRET, known).one_or_none()
        if row is None:
            return Standing(None)
        signed_in = self._checked(row) if row.ended_at is None else None
        if signed_in is not None or row.ended_at is not None:
            return Standing(signed_in, row.end_reason or "")
        return self.standing(secret)  # it ended just now

    def by_name(self, sid: str) -> SignedIn | None:
        """As `use`, for a platform that acts in the session; does not keep it awake."""
        row = self._by_sid.first(sid=sid)
        return None if row is None else self._checked(row)

    def end(self, sid: str, *, reason: str, actor: str) -> bool:
        """End one session at once; False when it was over already."""
        with self._database.transaction() as connection:
            return self._end(connection, sessions.c.sid == sid, reason, actor) == 1

    def end_sessions_of_card(
        self, card: str, *, actor: str = _SYSTEM, reason: str = "card-revoked"
    ) -> int:
        """End all sessions of a card at once; how many there were."""
        with self._database.transaction() as connection:
            return self.end_of_card(connection, card, actor=actor, reason=reason)

    def end_sessions_of_cards(self, cards: Sequence[str], *, actor: str, reason: str) -> int:
        """As `end_sessions_of_card`, of many: one transaction for each thousand."""
        ended = 0
        for start in range(0, len(cards), _CARDS_AT_ONCE):
            some = sessions.c.card.in_(cards[start : start + _CARDS_AT_ONCE])
            with self._database.transaction() as connection:
                ended += self._end(connection, some, reason, actor)
        return ended

    def end_of_card(self, connection: Connection, card: str, *, actor: str, reason: str) -> int:
        """`end_sessions_of_card` within the caller's transaction."""
        return self._end(connection, sessions.c.card == card, reason, actor)

    def end_expired(self) -> int:
        """End what timed out without being used again (for the worker); how many there were."""
        now = self._clock.now()
        idle_since = now - timedelta(seconds=self._settings.session_idle_seconds)
        late = (sessions.c.expires_at <= now) | (sessions.c.last_seen <= idle_since)
        with self._database.transaction() as connection:
            absent = self._end(connection, sessions.c.present_until <= now, "card-absent", _SYSTEM)
            return absent + self._end(connection, late, None, _SYSTEM)

    def _checked(self, row: Row[tuple[object, ...]]) -> SignedIn | None:
        now, idle = self._clock.now(), timedelta(seconds=self._settings.session_idle_seconds)
        if now >= row.expires_at or now - row.last_seen >= idle:
            reason = _timeout(row.expires_at, now)
        elif row.present_until is not None and now >= row.present_until:
            reason = "card-absent"
        else:
            certificate = Certificate.parse(row.certificate)
            try:
                holder = self._check.still_good(certificate)
            except (Unauthenticated, Forbidden) as refusal:
                reason = refusal.code
            else:
                if (holder.subject, holder.card) == (row.subject, row.card):
                    by_hardware = self._by_hardware(certificate, holder)
                    return SignedIn(
                        holder, row.sid, row.auth_time, certificate, by_hardware, row.way,
                        row.purpose,
                    )  # fmt: skip
                reason = "holder-changed"
        self.end(row.sid, reason=reason, actor=_SYSTEM)
        return None

    def _touch(self, row: Row[tuple[object, ...]]) -> None:
        now = self._clock.now()
        if now - row.last_seen < timedelta(seconds=self._settings.session_touch_seconds):
            return
        with self._database.transaction() as connection:
            mine = (sessions.c.sid == row.sid) & sessions.c.ended_at.is_(None)
            connection.execute(update(sessions).where(mine), {"last_seen": now})

    def _end(
        self, connection: Connection, which: ColumnElement[bool], reason: str | None, actor: str
    ) -> int:
        """End the live sessions of `which`; without a `reason`, for the time limit that struck.
        The platforms that were opened with them are told.

        Rows are locked in order, so nobody waits in a circle.
        """
        now = self._clock.now()
        live = select(sessions).where(which, sessions.c.ended_at.is_(None))
        rows = connection.execute(live.order_by(sessions.c.sid).with_for_update()).all()
        reasons = [reason or _timeout(row.expires_at, now) for row in rows]
        for row, why in zip(rows, reasons, strict=True):
            ended = {"ended_at": now, "end_reason": why}
            connection.execute(update(sessions).where(sessions.c.sid == row.sid), ended)
        self._notices.put(connection, [(row.sid, row.subject) for row in rows])
        for row, why in zip(rows, reasons, strict=True):
            self._journal.append(
                connection,
                Event.SESSION_ENDED,
                subject=row.subject,
                actor=actor,
                session=row.sid,
                card=row.card,
                reason=why,
            )
        return len(rows)

    def _by_hardware(self, certificate: Certificate, holder: Holder) -> bool:
        by_hardware = not self._settings.hardware_policies.isdisjoint(certificate.policies)
        return by_hardware and holder.key_witness is not None


def _timeout(expires_at: datetime, now: datetime) -> str:
    return "absolute-timeout" if now >= expires_at else "idle-timeout"
