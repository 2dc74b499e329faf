"""What an evidence record proves of given objects (RFC 4998, 4.3 and 5.3).

Here the hashes are followed; whether each timestamp is to be trusted, and was when the next one
covered it, is for the verdict engine, which reads the evidence that this gives.
"""

import hashlib
from collections.abc import Callable, Sequence
from itertools import pairwise

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed
from signing_service.evidence_records.hash_tree import root_of
from signing_service.evidence_records.structure import (
    ArchiveTimestamp,
    EvidenceRecord,
    encode_sequence,
)
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import (
    DigestReference,
    TimestampEvidence,
    TimestampKind,
)

ObjectHash = Callable[[str], bytes]
"""The hash of one object under the digest of that name (hashlib's)."""


def hash_of(data: bytes) -> ObjectHash:
    """An object that is at hand."""
    return lambda digest: hashlib.new(digest, data).digest()


def timestamps_of(
    record: EvidenceRecord, objects: Sequence[ObjectHash], known: Sequence[Certificate] = ()
) -> tuple[TimestampEvidence, ...]:
    """Each timestamp of the record, oldest first, with the imprint that the objects lead to.

    An object that is not in the tree leaves the imprint without a value (`imprint.intact` is
    False from there on). Each timestamp covers the objects and the tokens before it. `known` are
    certificates beside the embedded ones. Raises Malformed `evidence-record.*`, `timestamp.*`.
    """
    if not objects:
        raise Malformed("evidence-record.no-object", "an evidence record proves given objects")
    covered = {each("sha256") for each in objects}
    found: list[TimestampEvidence] = []
    for number, chain in enumerate(record.chains):
        hashes = _hashes(objects, chain.digest, record, number)
        for timestamp in chain.timestamps:
            found.append(_evidence(timestamp, hashes, frozenset(covered), known))
            covered.add(hashlib.sha256(timestamp.token).digest())
            hashes = [hashlib.new(chain.digest, timestamp.token).digest()]
    if any(later.generated_at < earlier.generated_at for earlier, later in pairwise(found)):
        raise Malformed("evidence-record.order", "the timestamps are not in order of time")
    return tuple(found)


def renewed_hash(object_hash: bytes, past: bytes, digest: str) -> bytes:
    """An object's hash in a hash-tree renewal: with the chains before (5.2, steps 3 and 4)."""
    past_hash = hashlib.new(digest, past).digest()
    return hashlib.new(digest, object_hash + past_hash).digest()


def _hashes(
    objects: Sequence[ObjectHash], digest: str, record: EvidenceRecord, number: int
) -> list[bytes]:
    plain = [each(digest) for each in objects]
    if number == 0:
        return plain
    past = encode_sequence(record.chains[:number])
    return [renewed_hash(each, past, digest) for each in plain]


def _evidence(
    timestamp: ArchiveTimestamp,
    hashes: list[bytes],
    covers: frozenset[bytes],
    known: Sequence[Certificate],
) -> TimestampEvidence:
    read = read_timestamp(timestamp.token, TimestampKind.EVIDENCE_RECORD, None, known=known)
    actual = _imprint(timestamp, hashes)
    imprint = DigestReference("evidence record", timestamp.digest, read.imprint.expected, actual)
    return read._replace(imprint=imprint, covers=covers)


def _imprint(timestamp: ArchiveTimestamp, hashes: list[bytes]) -> bytes | None:
    if not timestamp.reduced:
        return hashes[0] if len(set(hashes)) == 1 else None
    if not set(hashes) <= set(timestamp.reduced[0]):
        return None
    return root_of(timestamp.reduced, timestamp.digest)
