"""Evidence records made by the jobs, judged by an independent reading and by openssl."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from kernel.algorithms import ECDSA_P384_SHA384
from kernel.refusals import Unavailable
from policies.validation import AcceptedDigest, ValidationPolicy
from records.database import Database
from signing_service.evidence_records.structure import EvidenceRecord
from signing_service.evidence_records.verification import (
    hash_of,
    timestamps_of,
)
from tests.signing_service.archive.scenery import START, YEAR, StampingWorld
from tests.signing_service.evidence_records.independent import openssl_verifies, prove
from tests.software_keys import write_pem


def objects(number: int, count: int = 3) -> list[bytes]:
    return [f"object {number}.{part}".encode() for part in range(count)]


def record_of(world: StampingWorld, signature_id: str) -> EvidenceRecord:
    record = world.evidence.of_signature(signature_id)
    assert record is not None
    return record


def check(
    world: StampingWorld, signature_id: str, of: list[bytes], timestamps: int, directory: Path
) -> None:
    """Our verification, the independent one and openssl agree that the record proves `of`."""
    encoded = record_of(world, signature_id).encoded
    ours = timestamps_of(EvidenceRecord.read(encoded), [hash_of(each) for each in of])
    theirs = prove(encoded, of)
    assert len(ours) == len(theirs) == timestamps
    assert all(each.imprint.intact for each in ours)
    assert [each.generated_at for each in ours] == [each.at for each in theirs]
    root = write_pem(directory / "root.pem", [world.root])
    for each in theirs:
        openssl_verifies(each, root, directory)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 33])
def test_one_timestamp_proves_every_signature(
    count: int, world: StampingWorld, tmp_path: Path
) -> None:
    accepted = [world.accept(*objects(number)) for number in range(count)]

    assert world.stamping().cover_new() == count

    assert len(world.stamped) == 1
    for number, signature_id in enumerate(accepted):
        prove(record_of(world, signature_id).encoded, objects(number))
    check(world, accepted[-1], objects(count - 1), 1, tmp_path)


@pytest.mark.parametrize("digest", ["sha384", "sha512"])
def test_other_digests(digest: str, world: StampingWorld, tmp_path: Path) -> None:
    first, second = world.accept(*objects(0)), world.accept(*objects(1, count=1))

    world.stamping(digest=digest).cover_new()

    check(world, first, objects(0), 1, tmp_path)
    check(world, second, objects(1, count=1), 1, tmp_path)


def test_a_single_object_alone_is_stamped_itself(world: StampingWorld, tmp_path: Path) -> None:
    signature_id = world.accept(b"alone")
    world.stamping().cover_new()

    assert record_of(world, signature_id).chains[0].timestamps[0].reduced == ()
    check(world, signature_id, [b"alone"], 1, tmp_path)


def test_only_what_is_new_is_stamped(world: StampingWorld) -> None:
    stamping = world.stamping()
    assert stamping.cover_new() == 0
    assert not stamping.is_due(timedelta(hours=1))
    first = world.accept(*objects(0))
    assert world.evidence.of_signature(first) is None
    assert stamping.is_due(timedelta(hours=1))
    assert stamping.cover_new() == 1
    world.accept(*objects(1))

    assert not stamping.is_due(timedelta(hours=1))
    world.clock.advance(timedelta(hours=1))
    assert stamping.is_due(timedelta(hours=1))
    assert stamping.cover_new() == 1
    assert stamping.cover_new() == 0
    assert len(world.stamped) == 2


def test_large_runs_make_several_trees_in_bounded_memory(world: StampingWorld) -> None:
    accepted = [world.accept(*objects(number)) for number in range(10)]

    assert world.stamping(max_leaves=4).cover_new() == 10

    assert len(world.stamped) == 3
    for number, signature_id in enumerate(accepted):
        prove(record_of(world, signature_id).encoded, objects(number))


def test_timestamps_are_renewed_by_one_over_all(world: StampingWorld, tmp_path: Path) -> None:
    accepted = []
    for number in range(5):
        accepted.append(world.accept(*objects(number)))
        world.stamping().cover_new()
        world.clock.advance(timedelta(days=30))
    assert world.stamping().renew().timestamps == 0
    world.clock.advance(timedelta(days=500))
    world.new_authority(years=5)
    before = len(world.stamped)

    assert world.stamping().renew().timestamps == 5
    assert world.stamping().renew().timestamps == 0

    assert len(world.stamped) == before + 1
    for number, signature_id in enumerate(accepted):
        check(world, signature_id, objects(number), 2, tmp_path)


def test_renewal_goes_on_for_decades(world: StampingWorld, tmp_path: Path) -> None:
    signature_id, other = world.accept(*objects(0)), world.accept(*objects(1))
    world.stamping().cover_new()
    for generation in range(4):
        world.clock.advance(1.9 * YEAR)
        world.new_authority(years=2)
        assert world.stamping().renew().timestamps == 1, generation

    check(world, signature_id, objects(0), 5, tmp_path)
    check(world, other, objects(1), 5, tmp_path)


def sha256_ends(world: StampingWorld, on: date) -> ValidationPolicy:
    digests = tuple(
        AcceptedDigest(name=each.name, until=on) if each.name == "sha256" else each
        for each in world.policy.digests
    )
    fields = {name: getattr(world.policy, name) for name in ValidationPolicy.model_fields}
    return ValidationPolicy(**{**fields, "digests": digests})


def test_hash_trees_are_renewed_before_their_digest_ends(
    world: StampingWorld, tmp_path: Path
) -> None:
    accepted = [world.accept(*objects(number, count=1 + number % 3)) for number in range(5)]
    world.stamping().cover_new()
    world.clock.advance(1.9 * YEAR)
    world.new_authority(years=5)
    world.stamping().renew()
    world.clock.advance(1 * YEAR)
    policy = sha256_ends(world, (world.clock.now() + timedelta(days=30)).date())

    assert world.stamping(policy).renew().signatures == 5
    assert world.stamping(policy).renew().signatures == 0

    assert world.stamped[-1][1] == "sha512"
    for number, signature_id in enumerate(accepted):
        check(world, signature_id, objects(number, count=1 + number % 3), 3, tmp_path)
    # The new chain lives on by timestamp renewal alone; the old one is left as it is.
    world.clock.advance(3.9 * YEAR)
    world.new_authority(years=5, suite=ECDSA_P384_SHA384)
    assert world.stamping(policy).renew().timestamps == 1
    for number, signature_id in enumerate(accepted):
        check(world, signature_id, objects(number, count=1 + number % 3), 4, tmp_path)


def test_a_renewal_that_would_not_last_is_refused_and_leaves_nothing(
    world: StampingWorld, tmp_path: Path
) -> None:
    signature_id = world.accept(*objects(0))
    world.stamping().cover_new()
    world.clock.advance(1.9 * YEAR)  # the authority has no new certificate yet

    with pytest.raises(Unavailable, match=r"archive\.no-better-timestamp"):
        world.stamping().renew()

    check(world, signature_id, objects(0), 1, tmp_path)


def test_two_nodes_make_one_record(world: StampingWorld) -> None:
    signature_id = world.accept(*objects(0))
    second = world.stamping()

    class Overtaken(StampingWorld):
        """Another node finishes while this one waits for its timestamp."""

        def __init__(self) -> None:
            self.__dict__ = world.__dict__

        def stamp(self, imprint: bytes, digest: str) -> bytes:
            assert second.cover_new() == 1
            return super().stamp(imprint, digest)

    assert Overtaken().stamping().cover_new() == 0

    prove(record_of(world, signature_id).encoded, objects(0))


def test_a_group_is_told_from_its_parts(world: StampingWorld) -> None:
    world.accept(*objects(1))
    signature_id = world.accept(*objects(0))
    world.stamping().cover_new()
    record = record_of(world, signature_id)
    whole = [hash_of(each) for each in objects(0)]

    assert timestamps_of(record, whole[:2])[0].imprint.intact
    stranger = timestamps_of(record, [*whole, hash_of(b"another")])
    assert not stranger[0].imprint.intact


def test_records_on_both_databases(any_database: Database, tmp_path: Path) -> None:
    world = StampingWorld(any_database, tmp_path)
    accepted = [world.accept(*objects(number)) for number in range(4)]
    world.stamping(max_leaves=2).cover_new()
    world.clock.advance(1.9 * YEAR)
    world.new_authority(years=3)

    assert world.stamping().renew().timestamps == 2

    for number, signature_id in enumerate(accepted):
        prove(record_of(world, signature_id).encoded, objects(number))
    assert world.clock.now() > START
    with any_database.reading() as connection:
        assert world.journal.verify(connection).intact
