"""A million signatures, a few timestamps."""

import hashlib
import resource
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from records.database import Database, new_id
from signing_service.tables import accepted_signatures, archived_objects, evidence_trees
from tests.signing_service.archive.scenery import StampingWorld, accepted_signature
from tests.signing_service.evidence_records.independent import prove
from tests.signing_service.evidence_records.test_stamping import record_of

COUNT = 1_000_000
_AT_ONCE = 20_000
_MOST_MEBIBYTES = 600


def objects(number: int) -> list[bytes]:
    return [f"document {number}".encode(), f"signature {number}".encode()]


def fill(world: StampingWorld, count: int) -> list[str]:
    """Facts of so many accepted signatures, two objects each; only addresses are needed."""
    identifiers = []
    at = world.clock.now()
    template = vars(accepted_signature(at, b"", b""))
    for start in range(0, count, _AT_ONCE):
        facts, parts = [], []
        for number in range(start, min(start + _AT_ONCE, count)):
            digests = [hashlib.sha256(each).hexdigest() for each in objects(number)]
            identifier = new_id()
            identifiers.append(identifier)
            facts.append(
                {
                    **template,
                    "id": identifier,
                    "rights": "[]",
                    "document_sha256": digests[0],
                    "signature_sha256": digests[1],
                }
            )
            parts += [
                {
                    "signature_id": identifier, "position": position, "role": role,
                    "sha256": digest, "size": 20,
                }
                for position, (role, digest) in enumerate(
                    zip(("document", "signature"), digests, strict=True)
                )
            ]  # fmt: skip
        with world.database.transaction() as connection:
            connection.execute(insert(accepted_signatures), facts)
            connection.execute(insert(archived_objects), parts)
    return identifiers


@pytest.mark.long
def test_a_million_signatures_need_a_few_timestamps(database: Database, tmp_path: Path) -> None:
    world = StampingWorld(database, tmp_path)
    identifiers = fill(world, COUNT)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    started = time.monotonic()
    assert world.stamping().cover_new() == COUNT
    seconds = time.monotonic() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 - before
    with database.reading() as connection:
        trees = connection.execute(select(func.count()).select_from(evidence_trees)).scalar_one()
    assert trees == len(world.stamped) <= 16
    for number in range(0, COUNT, COUNT // 25):
        prove(record_of(world, identifiers[number]).encoded, objects(number))
    world.clock.advance(
        world.authority.certificate.not_after - world.clock.now() - timedelta(days=30)
    )
    world.new_authority(years=5)
    stamped = len(world.stamped)
    assert world.stamping().renew().timestamps == trees
    assert len(world.stamped) == stamped + 1, "one timestamp renews them all"
    print(f"{COUNT} covered in {seconds:.0f} s by {trees} timestamps; memory grew by {grown} MiB")
    assert grown < _MOST_MEBIBYTES
