"""What happens without a request: the schedule. A room's new job gets its row here.

Each is safe to run on several nodes at once and resumes what a dead process left: the engine that
runs it (`portseal.node`) gives one run to one node, and the same run to another when it dies.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from ca.authority import DIRECTORY_CHANNEL
from kernel.refusals import Refusal
from portseal import retention
from portseal.wiring import House
from ra_portal.applications.access_again import CHANNEL as ACCESS_ASKED
from ra_portal.applications.reference_again import CHANNEL as REFERENCES_ASKED
from ra_portal.cards.one_time_codes import CHANNEL as CARD_CODES
from ra_portal.cards.recoveries_asked import CHANNEL as RECOVERIES_ASKED
from records.events import Event
from records.outbox import Delivery
from records.retention import Retention
from signing_service.sso.end_notices import CHANNEL_PREFIX as LOGOUT_CHANNELS

_log = logging.getLogger("portseal.worker")

STALE_INTENT = timedelta(minutes=5)
"""An intent this old has lost its process: issuing takes milliseconds."""
PIN_REFUSED = ("token.pin-", "token.locked", "token.no-pin")
"""Codes of a token that must not be tried again."""

_AHEAD_IN_A_RUN = 5000
"""OCSP answers signed ahead before the other jobs have their turn again."""
BATCHES_IN_A_RUN = 5
"""Of certificates in a large job, likewise."""
_SOON = timedelta(seconds=1)
_TWO_SECONDS = timedelta(seconds=2)
_OFTEN = timedelta(seconds=5)
_MINUTE = timedelta(minutes=1)
_FIVE_MINUTES = timedelta(minutes=5)
_SELDOM = timedelta(hours=12)
_DAILY = timedelta(days=1)


_Thing = TypeVar("_Thing")
_Done = TypeVar("_Done")


def _always(house: House) -> bool:
    return True


@dataclass(frozen=True)
class Job:
    """One line of the schedule."""

    name: str
    every: timedelta
    """Between the end of one run and the next."""
    act: Callable[[House, bool], object]
    """The work; True: a person asked for it now, do it without its own pauses."""
    needs_token: bool = True
    wanted: Callable[[House], bool] = _always
    """A cheap look whether there is anything to do. Raises as `act` may."""


def _deliver(house: House, at_once: bool) -> Delivery | None:
    if house.publisher is None:
        return None
    return house.outbox.deliver(house.database, DIRECTORY_CHANNEL, house.publisher, at_once=at_once)


def _waiting(channel: str) -> Callable[[House], bool]:
    def wanted(house: House) -> bool:
        with house.database.reading() as connection:
            return house.outbox.is_due(connection, channel)

    return wanted


def _tell_platforms(house: House, at_once: bool) -> int:
    """How many were told that sessions ended. A platform that is away is no failure of ours: its
    notices wait, and the status says for how long."""
    return sum(each.delivered for each in house.sso.back_channel.deliver(at_once=at_once))


def _compare_directory(house: House, at_once: bool) -> None:
    """A directory may accept and forget: what it lacks is published again."""
    if house.reconciler is None:
        return
    found = house.reconciler.run()
    if not found.none:
        with house.database.transaction() as connection:
            house.journal.append(
                connection,
                Event.DIRECTORY_REPAIRED,
                subject="directory",
                actor="worker",
                missing=found.missing,
                other=found.other,
                surplus=found.surplus,
                authorities=found.authorities,
            )


def _has_news(house: House) -> bool:
    """For the directory, if there is one."""
    return house.settings.directory is not None and _waiting(DIRECTORY_CHANNEL)(house)


def _cover_new(house: House, at_once: bool) -> None:
    """An archive timestamp over the signatures since the last one."""
    every = timedelta(minutes=house.settings.archive.stamp_every_minutes)
    if at_once or house.stamping.is_due(every):
        house.stamping.cover_new()


def _each(things: Iterable[_Thing], act: Callable[[_Thing], _Done]) -> list[_Done]:
    """Every one has its turn, whichever fails before; the last failure is raised at the end.

    But a refused PIN is raised at once: each further try brings the token nearer to its lock.
    """
    done: list[_Done] = []
    failure: Exception | None = None
    for thing in things:
        try:
            done.append(act(thing))
        except Exception as error:
            if isinstance(error, Refusal) and error.code.startswith(PIN_REFUSED):
                raise
            if failure is not None:
                _log.warning("one of several failed: %s", failure)
            failure = error
    if failure is not None:
        raise failure
    return done


def _renew_crls(house: House, at_once: bool) -> int:
    """Every list, part and delta list that is no longer true or half over."""
    pause = timedelta(seconds=0 if at_once else house.settings.status.crl_pause_seconds)
    return sum(_each(house.crl_issuers, lambda issuer: len(issuer.renew(pause))))


def _witness_journal(house: House, at_once: bool) -> None:
    plan = house.settings.journal
    every = timedelta(minutes=0 if at_once else plan.checkpoint_minutes)
    house.witness.witness_when_due(every, plan.checkpoint_records)


def _revoke_many(house: House, at_once: bool) -> None:
    """Go on with jobs that a dead process left, or that were only planned; the other jobs have
    their turn in between."""
    jobs = house.mass_revocation
    _each(jobs.unfinished(), lambda job: jobs.go_on(job, batches=BATCHES_IN_A_RUN))


def _reissue(house: House, at_once: bool) -> None:
    """Go on with jobs that a dead process left, or that were only planned."""
    jobs = house.reissue

    def go_on(job: str) -> None:
        authority = house.authorities[jobs.new_authority_of(job)].authority
        jobs.go_on(job, authority, batches=BATCHES_IN_A_RUN)

    _each(jobs.unfinished(), go_on)


def _make_keys_ahead(house: House, at_once: bool) -> int:
    """One batch of each kind: the token serves others in between."""
    return house.key_centre.pool.fill()


def _forget(house: House, at_once: bool) -> int:
    kept = Retention(house.database, house.journal, house.clock)
    return retention.apply(kept, house.settings.retention)


def _next_sign_in_key(house: House, at_once: bool) -> None:
    house.sso.signing_keys.rotate_if_due(timedelta(days=house.settings.sso.key_days))


def _rotate_responders(house: House, at_once: bool) -> None:
    _each(house.responder_keys.values(), lambda keys: keys.rotate_if_due())


def _sign_ahead(house: House, at_once: bool) -> int:
    return sum(_each(house.ocsp_ahead, lambda job: job.run(_AHEAD_IN_A_RUN)))


JOBS = (
    Job("logout", _SOON, _tell_platforms, wanted=_waiting(LOGOUT_CHANNELS)),
    Job("reconcile", _MINUTE, lambda house, _: house.reconcile(STALE_INTENT)),
    Job("expire", _MINUTE, lambda house, _: house.portal.cards.expire_overdue()),
    Job("renewals", _MINUTE, lambda house, _: house.portal.renewal.settle()),
    Job("expiry notices", _MINUTE, lambda house, _: house.portal.expiry.give_notice()),
    Job("rights ending", _MINUTE, lambda house, _: house.portal.ending_rights.give_notice()),
    Job("renewals due", _MINUTE, lambda house, _: house.portal.expiry.end_overdue_renewals()),
    Job("recoveries", _MINUTE, lambda house, _: house.portal.recovery.withdraw_old()),
    Job("seal keys", _FIVE_MINUTES, lambda house, _: house.portal.seals.keys.settle()),
    Job("drafts", _SELDOM, lambda house, _: house.portal.drafts.erase_untouched()),
    Job("clear contacts", _SELDOM, lambda house, _: house.portal.contacts.seal_clear_ones()),
    Job("notices kept", _FIVE_MINUTES, lambda house, _: house.portal.notices.forget_expired()),
    Job("retired officers", _MINUTE, lambda house, _: house.portal.cards.end_of_retired()),
    Job("cards to end", _MINUTE, lambda house, _: house.portal.cards.end_as_confirmed()),
    Job("assignments", _MINUTE, lambda house, _: house.portal.assignments.lay_back()),
    Job("reminders", _MINUTE, lambda house, _: house.portal.reminders.send()),
    Job("escalations", _FIVE_MINUTES, lambda house, _: house.portal.escalations.send()),
    Job("mass actions", _TWO_SECONDS, lambda house, _: house.portal.mass_actions.run(),
        wanted=lambda house: house.portal.mass_actions.has_work()),
    Job("figures", _MINUTE, lambda house, _: house.portal.figures.count()),
    Job("loss reports", _OFTEN, lambda house, _: house.portal.losses.stamp_missing()),
    Job("card codes", _SOON, lambda house, now: house.portal.without_card.send_codes(at_once=now),
        wanted=_waiting(CARD_CODES)),
    Job("references", _SOON,
        lambda house, now: house.portal.reference_again.send_asked(at_once=now),
        wanted=_waiting(REFERENCES_ASKED)),
    Job("access codes", _SOON, lambda house, now: house.portal.access_again.send_asked(at_once=now),
        wanted=_waiting(ACCESS_ASKED)),
    Job("recoveries asked", _SOON,
        lambda house, now: house.portal.recoveries_asked.begin_asked(at_once=now),
        wanted=_waiting(RECOVERIES_ASKED)),
    Job("notices", _SOON, lambda house, now: house.portal.notices.deliver(at_once=now),
        wanted=_waiting("notice")),
    Job("sign-in key", _FIVE_MINUTES, _next_sign_in_key),
    Job("sign-in tidying", _FIVE_MINUTES, lambda house, _: house.sso.tidy()),
    Job("retention", _FIVE_MINUTES, _forget, needs_token=False),
    Job("sessions", _MINUTE, lambda house, _: house.sso.sessions.end_expired()),
    Job("evidence", _MINUTE, _cover_new),
    Job("evidence-renewal", _SELDOM, lambda house, _: house.stamping.renew()),
    Job("uploads", _FIVE_MINUTES, lambda house, _: house.uploads.remove_expired(),
        needs_token=False),
    Job("unsigned batches", _FIVE_MINUTES, lambda house, _: house.batches.remove_unsigned(),
        needs_token=False),
    Job("archive-sweep", _SELDOM, lambda house, _: house.archive.sweep(), needs_token=False),
    Job("trusted lists", _FIVE_MINUTES, lambda house, now: house.refresh_trusted_lists(at_once=now),
        needs_token=False),
    Job("mass revocation", _SOON, _revoke_many, needs_token=False,
        wanted=lambda house: bool(house.mass_revocation.unfinished())),
    Job("reissue", _SOON, _reissue, wanted=lambda house: house.reissue.has_work()),
    Job("escrow", _SOON, lambda house, _: house.key_centre.rewrapping.run(batches=5),
        wanted=lambda house: house.key_centre.rewrapping.has_work()),
    Job("key pool", _TWO_SECONDS, _make_keys_ahead,
        wanted=lambda house: house.key_centre.pool.has_room()),
    Job("responders", _MINUTE, _rotate_responders),
    Job("crl", _TWO_SECONDS, _renew_crls),
    Job("ocsp", _OFTEN, _sign_ahead),
    Job("journal checkpoint", _OFTEN, _witness_journal),
    Job("compare directory", _DAILY, _compare_directory, needs_token=False),
    Job("publish", _SOON, _deliver, needs_token=False, wanted=_has_news),
)  # fmt: skip
"""In the order in which one round does them."""
