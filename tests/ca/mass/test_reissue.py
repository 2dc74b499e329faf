"""Everything of the old authority is issued again under the new one, once, whatever dies."""

import json
import signal
import subprocess
import sys
from contextlib import nullcontext
from datetime import datetime

import pytest
from sqlalchemy import update

from ca.authority import Authority
from ca.inventory import (
    CertificateState,
    Inventory,
    RevocationReason,
)
from ca.mass.reissue import Reissue
from ca.mass.reissue_batch import look
from ca.mass.successors import predecessors
from ca.revocation import Revocation, Revoked
from ca.tables import certificates
from kernel.identifiers import Serial, serial_text
from kernel.refusals import Conflict, NotFound, Unavailable
from records.journal import Journal, records
from tests.ca.mass.rolled_over import RolledOver
from tests.ca.world import new_clock
from tests.token import TokenBench


def test_every_card_gets_the_same_key_subject_and_end_under_the_new_authority(
    rolled: RolledOver,
) -> None:
    job = rolled.jobs.plan("issuing", "issuing-2", "admin")
    done = rolled.jobs.run(job, rolled.world.issuing)
    assert (done.total, done.reissued, done.left) == (8, 8, 0)
    above = rolled.world.authorities["issuing-2"].own.certificate
    for card in rolled.cards:
        made = rolled.successor(card)
        assert made is not None
        assert made.is_signed_by(above)
        assert (made.spki, made.subject_der, made.not_after) == (
            card.spki, card.subject_der, card.not_after
        )  # fmt: skip
        old = Inventory(rolled.world.database).by_serial(card.serial)
        assert old is not None
        assert old.state is CertificateState.ISSUED
    assert rolled.jobs.unfinished() == []
    with rolled.world.database.reading() as connection:
        assert Journal(new_clock()).verify(connection).intact
        told = [record.event for record in records(connection, job)]
    assert told == ["reissue.planned", "reissue.finished"]


def killed(rolled: RolledOver, tokens: TokenBench, job: str, step: str) -> None:
    url = rolled.world.database.engine.url.render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-m", "tests.ca.mass.reissue_worker", url, rolled.token.label, job, step],
        env=tokens.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.long
def test_a_job_killed_at_its_steps_goes_on_and_issues_nothing_twice(
    rolled: RolledOver, token_bench: TokenBench
) -> None:
    job = rolled.jobs.plan("issuing", "issuing-2", "admin")
    left = []
    for step in ("record:2", "note:1", "intend:1", "write:2"):
        killed(rolled, token_bench, job, step)
        # What is still being issued, for all that is known, is left for the next run.
        left.append(rolled.jobs.progress(job).left)
        assert rolled.jobs.unfinished() == [job]
        rolled.settle()
    assert left == [6, 6, 4, 2], "a batch is noted whole or not at all"
    finished = rolled.jobs.run(job, rolled.world.issuing)
    assert (finished.reissued, finished.left) == (8, 0)
    assert all(rolled.successor(card) is not None for card in rolled.cards)
    assert rolled.jobs.unfinished() == []


def test_a_batch_is_issued_and_committed_as_one(
    rolled: RolledOver, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[str] = []
    for owner, name in ((Authority, "_intend"), (Authority, "_record"), (Reissue, "_write")):
        method = getattr(owner, name)

        def counted(*arguments: object, _name: str = name, _of: object = method) -> object:
            commits.append(_name)
            return _of(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(owner, name, counted)
    job = rolled.jobs.plan("issuing", "issuing-2", "admin")
    assert rolled.jobs.run(job, rolled.world.issuing, batch=4).reissued == 8
    assert commits == ["_intend", "_record", "_write"] * 2


def test_what_is_refused_holds_up_no_other_of_its_batch_and_is_told_alone(
    rolled: RolledOver,
) -> None:
    """One while its certificate is drafted, one when its key is looked up in the records."""
    unheard, compromised = rolled.cards[2], rolled.cards[5]
    region = rolled.world.authorities["regional-ningbo"].authority
    with rolled.world.database.reading() as connection:
        _, (wanted,) = look(connection, [(1, serial_text(compromised.serial))], region.name)
    other = region.issue(region.prepare(wanted.profile, wanted.request))
    rolled.revocation.revoke(other.serial, RevocationReason.KEY_COMPROMISE, "admin")
    with rolled.world.database.transaction() as connection:
        row = certificates.c.serial == serial_text(unheard.serial)
        connection.execute(update(certificates).where(row).values(profile="unheard-of"))

    done = rolled.jobs.run(rolled.jobs.plan("issuing", "issuing-2", "admin"), rolled.world.issuing)
    assert (done.reissued, done.refused, done.left) == (6, 2, 0)
    with rolled.world.database.reading() as connection:
        told = [
            record
            for card in rolled.cards
            for each in [Inventory(rolled.world.database).by_serial(card.serial)]
            if each is not None
            for record in records(connection, each.reference)
            if record.event == "certificate.refused"
        ]
    codes = sorted(json.loads(record.facts)["code"] for record in told)
    assert codes == ["profile.unknown", "public-key.compromised"]


@pytest.mark.parametrize("reason", ["keyCompromise", "certificateHold"])
def test_what_a_dead_process_issued_ends_with_a_card_that_has_ended_since(
    rolled: RolledOver, token_bench: TokenBench, reason: str
) -> None:
    job = rolled.jobs.plan("issuing", "issuing-2", "admin")
    killed(rolled, token_bench, job, "note:1")
    made = [card for card in rolled.cards if rolled.successor(card) is not None]
    assert len(made) == 2, "issued, and not known to belong to the old ones"
    rolled.revocation.revoke(made[0].serial, RevocationReason(reason), "admin")
    assert rolled.successor(made[0]) is not None
    done = rolled.jobs.run(job, rolled.world.issuing)
    assert (done.reissued, done.left) == (8, 0)
    assert rolled.successor(made[0]) is None
    assert rolled.successor(made[1]) is not None
    ended = rolled.record_of_successor(made[0])
    assert ended.reason == reason, "the old one's own: it is the same key"
    if reason == "certificateHold":
        rolled.revocation.release(made[0].serial, "admin")
        assert rolled.successor(made[0]) is not None


class ReleasingFirst(Revocation):
    """Somebody ends the old one's hold just before the new one is put on hold."""

    old: Serial | None = None
    dies = False

    def revoke(
        self, serial: Serial, reason: RevocationReason, actor: str, at: datetime | None = None
    ) -> Revoked:
        if self.old is not None:
            self.release(self.old, "admin")
        done = super().revoke(serial, reason, actor, at)
        if self.dies:
            raise Unavailable("database.unavailable", "the database did not answer")
        return done


@pytest.mark.parametrize("dies", [False, True])
def test_a_hold_that_is_released_meanwhile_does_not_stay_on_the_successor(
    rolled: RolledOver, token_bench: TokenBench, dies: bool
) -> None:
    job = rolled.jobs.plan("issuing", "issuing-2", "admin")
    killed(rolled, token_bench, job, "note:1")
    card = next(card for card in rolled.cards if rolled.successor(card) is not None)
    world = rolled.world
    revocation = ReleasingFirst(world.database, world.journal, world.outbox, world.clock)
    revocation.revoke(card.serial, RevocationReason.CERTIFICATE_HOLD, "admin")
    revocation.old, revocation.dies = card.serial, dies
    jobs = Reissue(world.database, world.journal, world.clock, revocation)
    with pytest.raises(Unavailable) if dies else nullcontext():
        jobs.run(job, world.issuing)
    done = rolled.jobs.run(job, world.issuing)
    assert (done.reissued, done.left) == (8, 0)
    assert rolled.successor(card) is not None


def test_a_card_that_is_revoked_takes_its_successor_with_it(rolled: RolledOver) -> None:
    job = rolled.jobs.plan("issuing", "issuing-2", "admin")
    before, after = rolled.cards[0], rolled.cards[1]
    rolled.revocation.revoke(before.serial, RevocationReason.KEY_COMPROMISE, "admin")
    done = rolled.jobs.run(job, rolled.world.issuing)
    assert (done.reissued, done.ended) == (7, 1)
    assert rolled.successor(before) is None
    assert rolled.successor(after) is not None
    rolled.revocation.revoke(after.serial, RevocationReason.KEY_COMPROMISE, "admin")
    assert rolled.successor(after) is None


def test_a_card_on_hold_has_its_turn_when_the_hold_ends(rolled: RolledOver) -> None:
    """Held before the job was planned, and after; one of them ends for good."""
    hold, jobs, new = RevocationReason.CERTIFICATE_HOLD, rolled.jobs, rolled.world.issuing
    before, after, never = rolled.cards[:3]
    for card in (before, never):
        rolled.revocation.revoke(card.serial, hold, "admin")
    job = jobs.plan("issuing", "issuing-2", "admin")
    rolled.revocation.revoke(after.serial, hold, "admin")
    done = jobs.run(job, new)
    assert (done.total, done.reissued, done.held, done.left) == (8, 5, 3, 3)
    assert [rolled.successor(card) for card in (before, after, never)] == [None] * 3
    assert jobs.unfinished() == [job]
    assert not jobs.has_work(), "the worker need not look again and again"

    for card in (before, after):
        rolled.revocation.release(card.serial, "admin")
        assert jobs.has_work()
        jobs.run(job, new)
        made = rolled.successor(card)
        assert made is not None
        assert made.is_signed_by(rolled.world.authorities["issuing-2"].own.certificate)
    assert jobs.progress(job).held == 1
    rolled.revocation.revoke(before.serial, hold, "admin")
    assert rolled.successor(before) is None, "both are on hold"
    rolled.revocation.revoke(never.serial, RevocationReason.SUPERSEDED, "admin")
    last = jobs.run(job, new)
    assert (last.reissued, last.ended, last.left) == (7, 1, 0)
    assert (jobs.unfinished(), jobs.has_work()) == ([], False)


def test_what_was_re_issued_is_issued_again_and_ends_with_the_first(rolled: RolledOver) -> None:
    authorities, card = rolled.world.authorities, rolled.cards[0]
    for old, new in (("issuing", "issuing-2"), ("issuing-2", "regional-ningbo")):
        done = rolled.jobs.run(rolled.jobs.plan(old, new, "admin"), authorities[new].authority)
        assert (done.reissued, done.refused, done.left) == (8, 0, 0)
    third = next(
        each for each in Inventory(rolled.world.database).by_key(card.public_key.fingerprint)
        if each.authority == "regional-ningbo"
    ).certificate  # fmt: skip
    assert third is not None
    second = rolled.successor(card)
    assert second is not None
    with rolled.world.database.reading() as connection:
        assert list(predecessors(connection, third)) == [second, card]
        assert list(predecessors(connection, card)) == []
    hold, told = RevocationReason.CERTIFICATE_HOLD, []
    for move in (
        lambda: rolled.revocation.revoke(card.serial, hold, "admin"),
        lambda: rolled.revocation.release(card.serial, "admin"),
    ):
        versions = rolled.status_versions()
        move()
        told.append(
            [before < now for before, now in zip(versions, rolled.status_versions(), strict=True)]
        )
    assert told == [[True] * 3] * 2  # or responders would go on with what they know
    assert rolled.successor(card) == second
    rolled.revocation.revoke(card.serial, RevocationReason.SUPERSEDED, "admin")
    ended = Inventory(rolled.world.database).by_key(card.public_key.fingerprint)
    assert [each.state for each in ended] == [CertificateState.REVOKED] * 3


def test_jobs_that_make_no_sense_are_refused(rolled: RolledOver) -> None:
    with pytest.raises(Conflict, match=r"reissue\.same-authority"):
        rolled.jobs.plan("issuing", "issuing", "admin")
    with pytest.raises(NotFound, match=r"reissue\.unknown"):
        rolled.jobs.run("0" * 32, rolled.world.issuing)
    job = rolled.jobs.plan("issuing", "issuing-2", "admin")
    with pytest.raises(Conflict, match=r"reissue\.other-authority"):
        rolled.jobs.run(job, rolled.world.authorities["issuing"].authority)
