"""The archive keeps what was accepted, for as long as the law asks, and tells what is damaged."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from kernel.refusals import Conflict, NotFound, Unprocessable
from records.database import Database
from records.journal import records
from signing_service.archive.accepted import Part, PartRole
from signing_service.archive.repository import of_holder
from signing_service.archive.retention import Retention
from signing_service.ports import Holder, HolderKind
from tests.signing_service.archive.scenery import YEAR, StampingWorld, accepted_signature


def test_facts_and_bytes_come_back(any_database: Database, tmp_path: Path) -> None:
    world = StampingWorld(any_database, tmp_path)
    signature_id = world.accept(b"document", b"signature", b"certificate")

    accepted = world.archive.find(signature_id)

    assert accepted is not None
    assert accepted.rights == ("declare-import",)
    assert world.archive.read(signature_id, PartRole.DOCUMENT) == b"document"
    assert world.archive.read(signature_id, PartRole.SIGNATURE) == b"signature"
    roles = [part.role for part in world.archive.parts(signature_id)]
    assert roles == [PartRole.DOCUMENT, PartRole.SIGNATURE, PartRole.CERTIFICATE]
    with pytest.raises(NotFound):
        world.archive.read(signature_id, PartRole.CRL)
    with pytest.raises(NotFound):
        world.archive.parts("0" * 32)


def test_a_holder_sees_the_newest_first(world: StampingWorld) -> None:
    first = world.accept(b"1", card="mine")
    world.clock.advance(timedelta(minutes=1))
    second = world.accept(b"2", card="mine")
    world.accept(b"3", card="another's")
    holder = Holder(HolderKind.OPERATOR, "op-1", "张三", "mine", "active")

    with world.database.reading() as connection:
        found = of_holder(connection, holder)

    assert [each.id for each in found] == [second, first]


def test_bytes_without_facts_are_swept_after_a_day(world: StampingWorld) -> None:
    kept = world.accept(b"kept", b"signature")
    world.archive.store_parts([Part(PartRole.DOCUMENT, b"never accepted")])
    assert world.archive.sweep() == 0

    # The store's own times follow the machine's clock; the archive's clock is moved with it.
    for path in (world.store._directory).glob("??/*"):
        os.utime(path, (0, 0))

    assert world.archive.sweep() == 1
    assert world.archive.read(kept, PartRole.DOCUMENT) == b"kept"


def test_early_deletion_is_refused(world: StampingWorld) -> None:
    signature_id = world.accept(b"document", b"signature")
    other = world.accept(b"other", b"signature of the other")
    world.stamping().cover_new()
    world.clock.advance(7 * YEAR - timedelta(seconds=1))
    with pytest.raises(Conflict, match=r"archive\.retained"):
        world.archive.delete(signature_id, "console:root")
    assert world.archive.read(signature_id, PartRole.DOCUMENT) == b"document"

    world.clock.advance(timedelta(seconds=1))
    world.archive.delete(signature_id, "console:root")

    assert world.archive.find(signature_id) is None
    with pytest.raises(NotFound):
        world.archive.delete(signature_id, "console:root")
    with world.database.reading() as connection:
        told = records(connection, signature_id)
    assert [each.event for each in told] == ["signature.deleted"]
    assert world.evidence.of_signature(other) is not None
    for path in world.store._directory.glob("??/*"):
        os.utime(path, (0, 0))
    assert world.archive.sweep() == 2
    assert world.evidence.of_signature(other) is not None


def test_retention_is_never_below_the_law(world: StampingWorld) -> None:
    with pytest.raises(Unprocessable, match=r"archive\.retention-too-short"):
        Retention(4)
    end = world.authority.certificate.not_after
    kept = Retention(5).until(world.authority.certificate)
    same_day = (3, 1) if (end.month, end.day) == (2, 29) else (end.month, end.day)
    assert (kept.year, kept.month, kept.day) == (end.year + 5, *same_day)
    assert kept.time() == end.time()


def test_the_audit_names_each_damaged_object(world: StampingWorld) -> None:
    shared = b"a certificate that both have"
    one, other = world.accept(b"1", b"s1", shared), world.accept(b"2", b"s2", shared)
    world.stamping().cover_new()
    assert [fault for fault in world.archive.audit() if fault] == []
    (address,) = {part.sha256 for part in world.archive.parts(one)} & {
        part.sha256 for part in world.archive.parts(other)
    }
    world.store._path(address).write_bytes(b"changed")
    gone = world.archive.parts(one)[0].sha256
    world.store._path(gone).unlink()

    faults = {fault.sha256: fault for fault in world.archive.audit() if fault}

    assert faults.keys() == {address, gone}
    assert faults[address].code == "archive.damaged"
    assert set(faults[address].signatures) == {one, other}
    assert faults[gone].code == "archive.missing"
    assert faults[gone].signatures == (one,)


def test_the_audit_reads_trees_and_tokens_too(world: StampingWorld) -> None:
    world.accept(b"1", b"s")
    world.accept(b"2", b"s")
    before = set(world.store.addresses())
    world.stamping().cover_new()
    (tree, token) = set(world.store.addresses()) - before
    world.store._path(tree).unlink()
    world.store._path(token).unlink()

    faults = {fault.sha256 for fault in world.archive.audit() if fault}

    assert faults == {tree, token}


def test_a_signature_is_kept_once(world: StampingWorld) -> None:
    accepted = accepted_signature(world.clock.now(), b"document")
    parts = world.archive.store_parts(
        [Part(PartRole.DOCUMENT, b"document"), Part(PartRole.DOCUMENT, b"document")]
    )

    assert len(parts) == 1
    with world.database.transaction() as connection:
        world.archive.keep(connection, accepted, parts)
    assert world.archive.find(accepted.id) == accepted
