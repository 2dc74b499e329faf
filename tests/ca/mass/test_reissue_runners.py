"""Two who run one re-issue: the command and the worker, or two nodes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from ca.authority import Authority
from ca.inventory import CertificateState, Inventory, RevocationReason
from ca.issuing.issuance import IssuanceIntent, IssuedCertificate
from ca.mass import reissue
from ca.mass.reissue import Reissue, ReissueProgress
from ca.mass.reissue_batch import Settled, Wanted
from ca.revocation import Revocation
from hsm.token import Token
from kernel.refusals import Refusal
from records import named_lock
from records.database import Database
from tests.ca.mass.rolled_over import RolledOver, rolled_over
from tests.ca.world import open_world

_Issued = tuple[list[Settled], list[Wanted]]


def before_the_first_issue(patch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Between the look of the runner that comes first and its issuing."""
    issued, first = reissue._issued, [True]

    def late(authority: Authority, wanted: Sequence[Wanted]) -> _Issued:
        if first:
            first.clear()
            act()
        return issued(authority, wanted)

    patch.setattr(reissue, "_issued", late)


@contextmanager
def lost_lock(database: Database, name: str) -> Iterator[None]:
    """As when the server ended the session that held it."""
    yield


def whole_and_tied(rolled: RolledOver) -> None:
    """Each card has one successor, and ends it with itself."""
    for card in rolled.cards:
        assert rolled.record_of_successor(card).companion_of == card.serial
    rolled.revocation.revoke(rolled.cards[0].serial, RevocationReason.KEY_COMPROMISE, "admin")
    assert rolled.successor(rolled.cards[0]) is None


def test_of_two_runners_one_waits_for_the_batch_that_the_other_has_in_hand(
    rolled_token: Token, postgresql_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rolled_over(rolled_token, postgresql_database)
    url = postgresql_database.engine.url.render_as_string(hide_password=False)
    world = open_world(rolled_token, Database(url), first.world.clock)
    revocation = Revocation(world.database, world.journal, world.outbox, world.clock)
    second = Reissue(world.database, world.journal, world.clock, revocation)
    job = first.jobs.plan("issuing", "issuing-2", "admin")
    looked, go_on = threading.Event(), threading.Event()

    def stand_still() -> None:
        looked.set()
        assert go_on.wait(60)

    before_the_first_issue(monkeypatch, stand_still)
    waits = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event = 'advisory' AND datname = current_database()"
    )
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(first.jobs.run, job, first.world.issuing, batch=4)
        assert looked.wait(60)
        quick = threads.submit(second.run, job, world.issuing, batch=4)
        with postgresql_database.engine.connect() as onlooker:
            while not quick.done() and not onlooker.execute(waits).scalar_one():
                onlooker.rollback()
        had_to_wait = not quick.done()
        go_on.set()
    for done in (slow.result(), quick.result()):
        assert (done.refused, done.left) == (0, 0)
    assert had_to_wait
    world.database.dispose()
    whole_and_tied(first)
    assert first.jobs.unfinished() == []


def test_a_runner_that_comes_too_late_finds_what_the_other_issued(
    rolled: RolledOver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named_lock, "held", lost_lock)
    job = rolled.jobs.plan("issuing", "issuing-2", "admin")
    before_the_first_issue(monkeypatch, lambda: rolled.jobs.run(job, rolled.world.issuing))
    done = rolled.jobs.run(job, rolled.world.issuing)
    assert (done.reissued, done.refused, done.left) == (8, 0, 0)
    whole_and_tied(rolled)


def test_what_the_other_is_still_issuing_is_left_open_and_tied_later(
    rolled: RolledOver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other records its intents after this one has looked, and issues them at the end."""
    monkeypatch.setattr(named_lock, "held", lost_lock)
    authority, issue = rolled.world.issuing, rolled.world.issuing.issue_each
    job = rolled.jobs.plan("issuing", "issuing-2", "admin")
    intended, go_on = threading.Event(), threading.Event()

    def issue_later(intents: Sequence[IssuanceIntent]) -> list[IssuedCertificate | Refusal]:
        intended.set()
        assert go_on.wait(60)
        return issue(intents)

    monkeypatch.setattr(authority, "issue_each", issue_later)
    with ThreadPoolExecutor(1) as threads:
        others: list[Future[ReissueProgress]] = []

        def other_comes() -> None:
            others.append(threads.submit(rolled.jobs.run, job, authority))
            assert intended.wait(60)

        before_the_first_issue(monkeypatch, other_comes)
        mine = rolled.jobs.run(job, authority)
        go_on.set()
        done = others[0].result()
    assert (mine.reissued, mine.refused, mine.left) == (0, 0, 8)
    assert (done.reissued, done.refused, done.left) == (8, 0, 0)
    whole_and_tied(rolled)


@pytest.mark.parametrize("reason", ["superseded", "keyCompromise"])
def test_what_is_noted_is_not_written_over_by_who_comes_too_late(
    rolled: RolledOver, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """A card ended in between: of a compromised key nothing is issued, of another one what is
    issued ends at once."""
    monkeypatch.setattr(named_lock, "held", lost_lock)
    card = rolled.cards[0]
    job = rolled.jobs.plan("issuing", "issuing-2", "admin")

    def all_of_it() -> None:
        rolled.jobs.run(job, rolled.world.issuing)
        rolled.revocation.revoke(card.serial, RevocationReason(reason), "admin")

    before_the_first_issue(monkeypatch, all_of_it)
    done = rolled.jobs.run(job, rolled.world.issuing)
    assert (done.reissued, done.ended, done.refused, done.left) == (8, 0, 0, 0)
    of_key = Inventory(rolled.world.database).by_key(card.public_key.fingerprint)
    assert {(each.state, str(each.reason)) for each in of_key} == {
        (CertificateState.REVOKED, reason)
    }
