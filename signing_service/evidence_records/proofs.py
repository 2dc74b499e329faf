"""The archive's evidence records as proofs of existence for the verdict engine."""

import hashlib
from collections.abc import Sequence

from records.database import Database
from signing_service.archive import repository
from signing_service.archive.accepted import PartRole, StoredPart
from signing_service.archive.keeping import Archive
from signing_service.archive.objects import object_digest
from signing_service.evidence_records.records import EvidenceRecords
from signing_service.evidence_records.verification import ObjectHash, timestamps_of
from signing_service.validation.evidence import TimestampEvidence


class ArchivedProofs:
    """Fulfils `signing_service.validation.poe.ProofOfExistence`. Thread-safe."""

    def __init__(self, database: Database, archive: Archive, evidence: EvidenceRecords) -> None:
        self._database = database
        self._archive = archive
        self._evidence = evidence

    def of(self, presented: bytes) -> Sequence[TimestampEvidence]:
        """The timestamps of the evidence record of an archived signature file; none for others.

        They cover the file and everything that was archived with it. Raises Unavailable.
        """
        address = hashlib.sha256(presented).hexdigest()
        with self._database.reading() as connection:
            found = repository.signature_with_part(connection, address, PartRole.SIGNATURE)
        record = None if found is None else self._evidence.of_signature(found)
        if found is None or record is None:
            return ()
        return timestamps_of(record, [self._hash(part) for part in self._archive.parts(found)])

    def _hash(self, part: StoredPart) -> ObjectHash:
        def of(digest: str) -> bytes:
            return object_digest(self._archive.store, part.sha256, digest)

        return of
