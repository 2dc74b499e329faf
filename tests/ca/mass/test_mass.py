"""Mass revocation: whole, in batches, resumed after a death, alone among several workers."""

import threading
from unittest import mock

import pytest

from ca.inventory import CertificateState, Inventory, RevocationReason
from ca.mass.job import MassRevocation
from ca.revocation import Revocation
from kernel.identifiers import Serial, serial_text
from kernel.refusals import NotFound
from records.journal import records
from tests.ca.crl.test_crl import crl_issuer, revocation
from tests.ca.world import World, operator_request


def mass(world: World) -> MassRevocation:
    return MassRevocation(world.database, world.journal, world.outbox, world.clock)


def issue(world: World, count: int) -> list[Serial]:
    wanted = [("operator", operator_request()) for _ in range(count)]
    issued = world.issuing.issue_many(world.issuing.prepare_many(wanted))
    return [each.serial for each in issued]


def states(world: World, serials: list[Serial]) -> set[str]:
    found = (Inventory(world.database).by_serial(serial) for serial in serials)
    return {str(record.state) if record else "none" for record in found}


def test_a_job_is_done_in_batches_and_every_part_of_it_is_told(any_world: World) -> None:
    serials = issue(any_world, 25)
    already, held, unknown = serials[0], serials[1], Serial(12345)
    changes = Revocation(any_world.database, any_world.journal, any_world.outbox, any_world.clock)
    changes.revoke(already, RevocationReason.SUPERSEDED, "admin")
    on_hold = changes.revoke(held, RevocationReason.CERTIFICATE_HOLD, "admin")
    job = mass(any_world).plan([*serials, unknown], RevocationReason.KEY_COMPROMISE, "admin")
    assert states(any_world, serials[2:]) == {"issued"}
    assert mass(any_world).go_on(job, batch=10, batches=1), "more is left"
    first = mass(any_world).progress(job)
    assert (first.total, first.left) == (26, 16)
    assert mass(any_world).unfinished() == [job]
    done = mass(any_world).run(job, batch=10)
    assert (done.revoked, done.already, done.not_issued, done.left) == (24, 1, 1, 0)
    assert mass(any_world).unfinished() == []
    assert states(any_world, serials) == {"revoked"}
    known = Inventory(any_world.database).by_serial(held)
    assert known is not None
    assert (known.reason, known.revoked_at) == (RevocationReason.KEY_COMPROMISE, on_hold.at)
    assert crl_issuer(any_world).issue().entries == 25
    with any_world.database.reading() as connection:
        assert any_world.journal.verify(connection).intact
        told = [record.event for record in records(connection, job)]
        last = records(connection, serial_text(serials[5]))[-1]
    assert told == ["revocation.planned", "revocation.finished"]
    assert (last.event, job in last.facts) == ("certificate.revoked", True)


def test_many_holds_end_in_one_job_and_lists_tell_it(any_world: World) -> None:
    serials = issue(any_world, 4)
    held, free, lost = serials[:2], serials[2], serials[3]
    jobs = mass(any_world)
    jobs.run(jobs.plan([*held, lost], RevocationReason.CERTIFICATE_HOLD, "admin"))
    changes = Revocation(any_world.database, any_world.journal, any_world.outbox, any_world.clock)
    changes.revoke(lost, RevocationReason.KEY_COMPROMISE, "admin")
    base = crl_issuer(any_world).issue()
    assert base.entries == 3
    job = jobs.plan_release([*held, free, lost, Serial(12345)], "admin")
    done = jobs.run(job)
    assert (done.released, done.already, done.not_issued, done.left) == (2, 2, 1, 0)
    assert states(any_world, [*held, free]) == {"issued"}
    assert states(any_world, [lost]) == {"revoked"}
    assert [serial for _, serial in jobs.moved(job, 0, 9)] == [serial_text(each) for each in held]
    assert crl_issuer(any_world).issue().entries == 1
    with any_world.database.reading() as connection:
        assert any_world.journal.verify(connection).intact
        last = records(connection, serial_text(held[0]))[-1]
    assert (last.event, job in last.facts) == ("certificate.released", True)


def test_a_death_between_batches_leaves_the_rest_to_the_next_run(world: World) -> None:
    serials = issue(world, 12)
    job = mass(world).plan(serials, RevocationReason.CA_COMPROMISE, "admin")
    assert mass(world).go_on(job, batch=5, batches=1)
    with mock.patch.object(MassRevocation, "_tell", side_effect=KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            mass(world).run(job, batch=5)
    assert mass(world).progress(job).left == 7
    assert mass(world).run(job, batch=5).left == 0
    assert states(world, serials) == {"revoked"}
    with world.database.reading() as connection:
        for serial in serials:
            told = [record.event for record in records(connection, serial_text(serial))]
            assert told.count("certificate.revoked") == 1


def test_a_turn_of_a_job_does_not_count_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting millions for each of hundreds of turns is quadratic."""
    job = mass(world).plan(issue(world, 4), RevocationReason.SUPERSEDED, "admin")
    with monkeypatch.context() as counting:
        counting.setattr(MassRevocation, "progress", None)
        assert mass(world).go_on(job, batch=2, batches=1)
        assert not mass(world).go_on(job, batch=3, batches=1), "these were the last"
        assert not mass(world).go_on(job, batch=3, batches=1)
    assert mass(world).progress(job).revoked == 4
    assert mass(world).unfinished() == []


def test_several_workers_share_a_job(any_world: World) -> None:
    serials = issue(any_world, 40)
    job = mass(any_world).plan(serials, RevocationReason.SUPERSEDED, "admin")
    workers = [
        threading.Thread(target=mass(any_world).run, args=(job,), kwargs={"batch": 4})
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    progress = mass(any_world).run(job)
    assert (progress.revoked, progress.left) == (40, 0)
    assert mass(any_world).unfinished() == []
    with any_world.database.reading() as connection:
        told = records(connection)
    revoked = [record.subject for record in told if record.event == "certificate.revoked"]
    assert sorted(revoked) == sorted(serial_text(serial) for serial in serials)


def test_a_mass_hold_can_be_released(world: World) -> None:
    serials = issue(world, 3)
    job = mass(world).plan(serials, RevocationReason.CERTIFICATE_HOLD, "admin")
    assert mass(world).run(job).revoked == 3
    revocation(world).release(serials[0], "admin")
    record = Inventory(world.database).by_serial(serials[0])
    assert record is not None
    assert record.state is CertificateState.ISSUED


def test_an_unknown_job_is_refused(world: World) -> None:
    with pytest.raises(NotFound) as refusal:
        mass(world).run("nothing")
    assert refusal.value.code == "mass.unknown"
