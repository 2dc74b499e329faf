"""One-time codes: who has it acts once, in one way, on what it is for.

What a stranger may try: whether there is a card or an application is told neither by the answer nor
by its time (the worker looks, and keeps a row for nobody's, too). Who asks again and again uses up
nothing: whoever asks while a code for the same act on the same subject is young shares that one,
with five tries of one's own. So who is meant has always a code that works for what was asked for,
or gets one, and gets no more than a few messages an hour whoever asks (decision 50).
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Unauthenticated
from ra_portal.notices.notices import Notices, SealedNotice, Sealing
from ra_portal.shared_codes import rows
from ra_portal.shared_codes.rows import NOBODYS, Kept
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.outbox import Deferred

PATIENCE = timedelta(minutes=10)
"""How old what was asked for may be when it is sent; and what a code that is shared has left."""
SHARED = timedelta(minutes=20)
"""For so long whoever asks anew shares the code; the next asks for another one."""
LIFETIME = SHARED + PATIENCE
"""Of a code."""
MOST_MESSAGES = 2
"""With the same code: one, and once more for whom the first did not reach."""
SENT_AGAIN_AFTER = timedelta(minutes=1)
MOST_TRIES = 5
"""Of each who asked. A dozen digits leave nothing to many who guess together."""
MOST_TOLD = 15
"""Wrong tries at one code that the journal tells of."""
DIGITS = 12
"""Of a code that goes one way."""
_GROUP = 4
_MOST_RETRIES = 5
"""When others ask in the same moment."""
_Done = TypeVar("_Done")


@dataclass(frozen=True)
class Kind:
    """What the codes are for."""

    digits: int
    lock: Callable[[Connection, str], None]
    """Keeps others who ask for or try a code of the subject waiting until the transaction ends."""
    sent: Event
    refused: Event


@dataclass(frozen=True)
class Wanted:
    """What somebody asked for."""

    id: str
    """Of the asking."""
    subject: str
    """Or `NOBODYS`."""
    purpose: str
    channel: str


Letters = Callable[[str, timedelta], Sequence[SealedNotice]]
"""The messages with a code, sealed by the token; how long it still holds."""


class SharedCodes:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        sealing: Sealing,
        notices: Notices,
        kind: Kind,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._sealing = sealing
        self._notices = notices
        self._kind = kind

    def is_stale(self, asked_at: str) -> bool:
        """Whether nobody waits any more for what was asked for then (ISO 8601)."""
        return self._clock.now() - datetime.fromisoformat(asked_at) >= PATIENCE

    def give(self, wanted: Wanted, letters: Letters) -> None:
        """Keep a code, and send it where it is to be sent. For the worker. Raises Deferred."""
        for _ in range(_MOST_RETRIES):
            if self._settle(wanted, letters):
                return
        raise Deferred("others ask for codes of the same subject all the time")

    def _settle(self, wanted: Wanted, letters: Letters) -> bool:
        """The token is asked before anything is locked. False: another one began meanwhile."""
        now = self._clock.now()
        with self._database.reading() as connection:
            if rows.find(connection, wanted.id) is not None:
                return True  # done before, by a worker that died before it could say so
            young = self._young(connection, wanted)
        code = self._new_code() if young is None else self._open(young)
        kept = Kept(
            **vars(wanted),
            created_at=now,
            begun_at=now if young is None else young.begun_at,
            expires_at=now + LIFETIME if young is None else young.expires_at,
            sent=False,
            sealed=self._sealing.encrypt(code.encode("ascii"), _context(wanted.id)),
        )
        if wanted.subject == NOBODYS:
            with self._database.transaction() as connection:
                rows.add(connection, kept)
            return True
        sealed = letters(code, kept.expires_at - now)
        with self._database.transaction() as connection:
            self._kind.lock(connection, wanted.subject)
            still = self._young(connection, wanted)
            if (still and still.begun_at) != (young and young.begun_at):
                return False
            self._keep(connection, kept, sealed, shared=young is not None)
        return True

    def _young(self, connection: Connection, wanted: Wanted) -> Kept | None:
        """The code that whoever asks now shares."""
        if wanted.subject == NOBODYS:
            return None
        since = self._clock.now() - SHARED
        return rows.newest(connection, wanted.subject, wanted.purpose, wanted.channel, since)

    def _keep(
        self, connection: Connection, kept: Kept, sealed: Sequence[SealedNotice], *, shared: bool
    ) -> None:
        """The subject is locked: one counts after the other."""
        now = self._clock.now()
        sent = rows.messages(connection, kept) if shared else []
        goes = len(sent) < MOST_MESSAGES and all(now - at >= SENT_AGAIN_AFTER for at in sent)
        goes = goes and all(
            self._notices.put_sealed(connection, each, about=kept.subject) for each in sealed
        )
        holds = kept if goes or shared else replace(kept, subject=NOBODYS)
        rows.add(connection, replace(holds, sent=goes))
        if goes:
            self._journal.append(
                connection,
                self._kind.sent,
                subject=kept.subject,
                actor="anonymous",
                purpose=kept.purpose,
                channel=kept.channel,
            )

    def redeem(
        self, identifier: str, digits: str, then: Callable[[Connection, Kept], _Done]
    ) -> _Done:
        """Spend a code, and do `then` in the same transaction, with the subject locked. Raises
        Unauthenticated `code.refused`, whatever is wrong with it."""
        with self._database.reading() as connection:
            found = rows.find(connection, identifier)
        if found is not None:
            right = self._open(found)
            with self._database.transaction() as connection:
                self._kind.lock(connection, found.subject)
                kept = rows.find(connection, identifier, lock=True)
                if (
                    kept is not None
                    and kept.may_be_tried(self._clock.now(), MOST_TRIES)
                    and self._is_right(connection, kept, right, digits)
                ):
                    return then(connection, kept)
        raise Unauthenticated("code.refused", "the code is wrong, used or too old")

    def _is_right(self, connection: Connection, kept: Kept, right: str, digits: str) -> bool:
        """Counts the try, and spends the code."""
        is_right = hmac.compare_digest(right, digits) and kept.subject != NOBODYS
        rows.count_attempt(connection, kept)
        if is_right:
            rows.spend(connection, kept, self._clock.now())
        elif kept.subject != NOBODYS:  # strangers' guesses at nothing are no evidence
            self._tell_refused(connection, kept)
        return is_right

    def _tell_refused(self, connection: Connection, kept: Kept) -> None:
        tries = rows.count_attempts(connection, kept)
        if tries <= MOST_TOLD:
            self._journal.append(
                connection,
                self._kind.refused,
                subject=kept.subject,
                actor="anonymous",
                purpose=kept.purpose,
                tries=tries,
            )

    def _open(self, kept: Kept) -> str:
        return self._sealing.decrypt(kept.sealed, _context(kept.id)).decode("ascii")

    def _new_code(self) -> str:
        """The remainder of 64 and more random bits too many leans by less than 2^-64."""
        digits = self._kind.digits
        number = int.from_bytes(self._entropy.token(8 + digits), "big")
        return f"{number % 10**digits:0{digits}d}"


def typed_digits(text: str) -> str:
    """The digits of what somebody typed; spaces and hyphens do not count."""
    return "".join(c for c in text[:40] if c.isdigit() and c.isascii())


def in_groups(code: str) -> str:
    """As messages show it."""
    return " ".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))


def _context(identifier: str) -> bytes:
    return b"PortSeal one-time code " + identifier.encode("ascii")
