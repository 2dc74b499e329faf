"""What the archive holds speaks for a signature when everything around it has expired."""

from datetime import timedelta
from pathlib import Path

import pytest

from policies.validation import load_validation_policy
from records.database import Database
from records.journal import Journal
from signing_service.archive.accepted import Part, PartRole
from signing_service.archive.files import FileStore
from signing_service.archive.keeping import Archive
from signing_service.evidence_records.proofs import ArchivedProofs
from signing_service.evidence_records.records import EvidenceRecords
from signing_service.evidence_records.stamping import Stamping
from signing_service.formats.cades import whole as cades
from signing_service.validation.evidence import TimestampKind
from signing_service.verification import Verification
from tests.signing_service.archive.scenery import accepted_signature
from tests.signing_service.validation.scenery import START, YEAR, Card, World

DOCUMENT = b"<declaration/>"


class ArchivingWorld(World):
    """A world whose signatures go into an archive under evidence records."""

    def __init__(self, database: Database, directory: Path) -> None:
        super().__init__()
        self.database, self.journal = database, Journal(self.clock)
        store = FileStore(directory / "archive", reserve_bytes=0)
        self.archive = Archive(database, store, self.journal, self.clock)
        self.evidence = EvidenceRecords(database, self.archive)

    def sign(self, tsa: Card) -> bytes:
        prepared = cades.prepare(
            DOCUMENT, self.card.certificate, self.clock.now(), chain=(self.issuing.certificate,)
        )
        value = self.card.key.sign(prepared.to_be_signed)
        return cades.add_signature_timestamp(cades.assemble(prepared, value), self.timestamper(tsa))

    def accept(self, signature: bytes) -> None:
        parts = (Part(PartRole.DOCUMENT, DOCUMENT), Part(PartRole.SIGNATURE, signature))
        stored = self.archive.store_parts(parts)
        accepted = accepted_signature(self.clock.now(), DOCUMENT, signature)
        with self.database.transaction() as connection:
            self.archive.keep(connection, accepted, stored)

    def stamp_archive(self, tsa: Card, *, renew: bool = False) -> None:
        stamping = Stamping(
            database=self.database,
            archive=self.archive,
            evidence=self.evidence,
            timestamper=self.timestamper(tsa),
            complete=lambda token: token,
            policy=load_validation_policy(),
            journal=self.journal,
            clock=self.clock,
        )
        if renew:
            assert stamping.renew().timestamps == 1
        else:
            assert stamping.cover_new() == 1

    def verdict(self, signature: bytes, *, archived: bool) -> str:
        proofs = ArchivedProofs(self.database, self.archive, self.evidence) if archived else None
        verification = Verification(
            self.anchors(), (self.book,), self.registry, self.policy, self.clock, proofs=proofs
        )
        return str(verification.verify(DOCUMENT, signature).finding.indication)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> ArchivingWorld:
    return ArchivingWorld(database, tmp_path)


def test_only_an_archived_signature_has_proofs(world: ArchivingWorld) -> None:
    signature = world.sign(world.tsa)
    proofs = ArchivedProofs(world.database, world.archive, world.evidence)
    assert not proofs.of(signature)
    world.accept(signature)
    assert not proofs.of(signature)
    world.stamp_archive(world.tsa)

    (found,) = proofs.of(signature)

    assert found.kind is TimestampKind.EVIDENCE_RECORD
    assert found.imprint.intact
    assert not proofs.of(signature + b"\x00")
    assert not proofs.of(DOCUMENT)


def test_a_signature_outlives_its_timestamp_authority(world: ArchivingWorld) -> None:
    """B-T; the authority of its timestamp expires; the archive's timestamp was made before."""
    short, long = world.issuing.tsa("short", START + YEAR), world.issuing.tsa("long")
    signature = world.sign(short)
    world.accept(signature)
    world.clock.advance(timedelta(hours=1))
    world.stamp_archive(long)
    world.clock.advance(3 * YEAR)

    assert world.verdict(signature, archived=False) == "INDETERMINATE"
    assert world.verdict(signature, archived=True) == "TOTAL-PASSED"


def test_renewal_carries_it_further(world: ArchivingWorld) -> None:
    first = world.issuing.tsa("first", START + YEAR)
    signature = world.sign(first)
    world.accept(signature)
    world.stamp_archive(world.issuing.tsa("second", START + 2 * YEAR))
    world.clock.advance(1.9 * YEAR)
    world.stamp_archive(world.issuing.tsa("third", START + 9 * YEAR), renew=True)
    world.clock.advance(4 * YEAR)

    assert world.verdict(signature, archived=False) == "INDETERMINATE"
    assert world.verdict(signature, archived=True) == "TOTAL-PASSED"


def test_a_record_made_too_late_proves_nothing(world: ArchivingWorld) -> None:
    short, long = world.issuing.tsa("short", START + YEAR), world.issuing.tsa("long")
    signature = world.sign(short)
    world.accept(signature)
    world.clock.advance(3 * YEAR)
    world.stamp_archive(long)

    assert world.verdict(signature, archived=True) == "INDETERMINATE"
