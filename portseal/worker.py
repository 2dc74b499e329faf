"""What happens without a request: publication, fresh CRLs, OCSP answers and responder keys ahead
of time, mass revocations, reconciling, cards that expire.

One round does what is due and returns; every job is safe to run on several nodes at once.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from ca.authority import DIRECTORY_CHANNEL
from kernel.refusals import Refusal
from portseal.wiring import House
from records.heartbeat import Heartbeat, beat
from records.outbox import Delivery

_log = logging.getLogger("portseal.worker")
ResultT = TypeVar("ResultT")

STALE_INTENT = timedelta(minutes=5)
"""An intent this old has lost its process: issuing takes milliseconds."""

EVIDENCE_PAUSE = timedelta(minutes=1)
SIGN_IN_PAUSE = timedelta(minutes=5)
"""Between looks for signatures without an evidence record."""
RENEWAL_PAUSE = timedelta(hours=12)
"""Between looks for archive timestamps that weaken, and for objects that belong to nothing."""
HEARTBEAT_PAUSE = timedelta(seconds=30)
"""Between two notes that rounds end as before."""
LONGEST_REST = 60.0
"""Seconds after which a job that fails time and again is tried once more."""

_AHEAD_IN_A_ROUND = 5000
"""OCSP answers signed ahead before the other jobs have their turn again."""
_PIN_REFUSED = ("token.pin-", "token.locked", "token.no-pin")


@dataclass(frozen=True)
class Round:
    """What one round did."""

    published: int
    waiting: int
    crls_issued: int
    reconciled: int
    expired: int
    failures: tuple[str, ...] = ()
    """`job: why`, of what failed in this round or still rests after a failure."""


@dataclass(frozen=True)
class _Rest:
    """A job that failed waits, twice as long each time."""

    until: float
    seconds: float
    why: str


class Worker:
    """Runs rounds until told to stop."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._failures: list[str] = []
        self._rests: dict[str, _Rest] = {}
        self._pin_refused: str | None = None
        self._beaten: str | None = None
        self._beat_again_at = house.clock.now()
        self._evidence_again_at = self._renewal_again_at = house.clock.now()
        self._sign_in_again_at = house.clock.now()

    def round(self, *, at_once: bool = False) -> Round:
        """Do what is due. A job that fails, however, is logged, rests, and holds up no other.

        `at_once`: do everything without its pauses. Once the token has refused the PIN, the jobs
        that need it rest until the worker is started anew: more tries would lock the token.
        """
        self._failures = []
        if at_once:
            self._rests.clear()
        house = self._house
        self._attempt("logout", lambda: house.sso.back_channel.deliver(at_once=at_once))
        reconciled = self._attempt("reconcile", lambda: house.reconcile(STALE_INTENT))
        expired = self._attempt("expire", lambda: house.portal.cards.expire_overdue())
        self._attempt("loss reports", lambda: house.portal.losses.stamp_missing())
        for sent in self._attempt("notices", lambda: self._send_notices(at_once)) or ():
            if sent.failure is not None:
                self._failures.append(f"notices: {sent.failure}")
        self._attempt("sessions", lambda: house.sso.sessions.end_expired())
        self._keep_sign_in(at_once)
        self._keep_evidence(at_once)
        self._attempt("mass revocation", self._revoke_many, needs_token=False)
        self._attempt("responders", self._rotate_responders)
        crls = self._attempt("crl", lambda: self._renew_crls(at_once))
        self._attempt("ocsp", lambda: [job.run(_AHEAD_IN_A_ROUND) for job in house.ocsp_ahead])
        self._attempt("journal checkpoint", lambda: self._witness_journal(at_once))
        delivery = self._attempt("publish", lambda: self._publish(at_once), needs_token=False)
        self._attempt("heartbeat", lambda: self._beat(at_once), needs_token=False)
        if delivery is not None and delivery.failure is not None:  # told by the outbox, too
            self._failures.append(f"publish: {delivery.failure}")
        return Round(
            published=0 if delivery is None else delivery.delivered,
            waiting=0 if delivery is None else delivery.waiting,
            crls_issued=crls or 0,
            reconciled=reconciled or 0,
            expired=expired or 0,
            failures=tuple(self._failures),
        )

    def _keep_sign_in(self, at_once: bool) -> None:
        """The next key of ID tokens in time; what is long over forgotten."""
        house, now = self._house, self._house.clock.now()
        if not at_once and now < self._sign_in_again_at:
            return
        self._sign_in_again_at = now + SIGN_IN_PAUSE
        every = timedelta(days=house.settings.sso.key_days)
        self._attempt("sign-in key", lambda: house.sso.signing_keys.rotate_if_due(every))
        self._attempt("sign-in tidying", lambda: house.sso.tidy(), needs_token=False)

    def _keep_evidence(self, at_once: bool) -> None:
        """Archive timestamps over what is new and what weakens; the archive's own tidying."""
        house, now = self._house, self._house.clock.now()
        every = timedelta(minutes=house.settings.archive.stamp_every_minutes)
        if not at_once and now < self._evidence_again_at:
            return
        self._evidence_again_at = now + min(every, EVIDENCE_PAUSE)
        if at_once or self._attempt("evidence-due", lambda: house.stamping.is_due(every)):
            self._attempt("evidence", lambda: house.stamping.cover_new())
        if at_once or now >= self._renewal_again_at:
            self._renewal_again_at = now + RENEWAL_PAUSE
            self._attempt("evidence-renewal", lambda: house.stamping.renew())
            self._attempt("archive-sweep", lambda: house.archive.sweep(), needs_token=False)

    def _renew_crls(self, at_once: bool) -> int:
        """Every list, part and delta list that is no longer true or half over."""
        house = self._house
        pause = timedelta(seconds=0 if at_once else house.settings.status.crl_pause_seconds)
        return sum(len(issuer.renew(pause)) for issuer in house.crl_issuers)

    def _witness_journal(self, at_once: bool) -> None:
        plan = self._house.settings.journal
        every = timedelta(minutes=0 if at_once else plan.checkpoint_minutes)
        self._house.witness.witness_when_due(every, plan.checkpoint_records)

    def _beat(self, at_once: bool) -> None:
        """Tell the records that a round ended: now and then, and when it ended otherwise."""
        house, told = self._house, "; ".join(self._failures)
        if not at_once and told == self._beaten and house.clock.now() < self._beat_again_at:
            return
        beaten = Heartbeat(socket.gethostname(), house.clock.now(), told)
        with house.database.transaction() as connection:
            beat(connection, beaten)
        self._beaten, self._beat_again_at = told, beaten.at + HEARTBEAT_PAUSE

    def _revoke_many(self) -> None:
        """Go on with jobs that a dead process left, or that were only planned."""
        jobs = self._house.mass_revocation
        for job in jobs.unfinished():
            jobs.run(job)

    def _send_notices(self, at_once: bool) -> list[Delivery]:
        return self._house.portal.notices.deliver(at_once=at_once)

    def _rotate_responders(self) -> None:
        for keys in self._house.responder_keys.values():
            keys.rotate_if_due()

    def _publish(self, at_once: bool) -> Delivery | None:
        house = self._house
        publisher = house.publisher
        if publisher is None:
            return None
        return house.outbox.deliver(house.database, DIRECTORY_CHANNEL, publisher, at_once=at_once)

    def run(self, stop: threading.Event, pause_seconds: float = 1.0) -> None:
        """Rounds with pauses, until `stop` is set."""
        while not stop.is_set():
            self.round()
            stop.wait(pause_seconds)

    def _attempt(
        self, name: str, job: Callable[[], ResultT], *, needs_token: bool = True
    ) -> ResultT | None:
        """The job's result; None when it failed or rests. Whatever `job` touches is made inside."""
        why = self._why_not_now(name, needs_token)
        if why is not None:
            self._failures.append(f"{name}: {why}")
            return None
        try:
            result = job()
        except Refusal as refusal:
            _log.warning("%s is put off: %s", name, refusal)
            if needs_token and refusal.code.startswith(_PIN_REFUSED):
                self._pin_refused = refusal.code
                _log.error("the token is not tried again until the worker is started anew")
            self._put_off(name, refusal.code)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others have their turn
            _log.exception("%s failed and is put off", name)
            self._put_off(name, type(error).__name__)
        else:
            self._rests.pop(name, None)
            return result
        return None

    def _why_not_now(self, name: str, needs_token: bool) -> str | None:
        if needs_token and self._pin_refused is not None:
            return self._pin_refused
        rest = self._rests.get(name)
        return rest.why if rest is not None and time.monotonic() < rest.until else None

    def _put_off(self, name: str, why: str) -> None:
        self._failures.append(f"{name}: {why}")
        before = self._rests.get(name)
        seconds = 1.0 if before is None else min(2 * before.seconds, LONGEST_REST)
        self._rests[name] = _Rest(time.monotonic() + seconds, seconds, why)
