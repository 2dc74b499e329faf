"""Evidence records are read strictly: whatever is changed is refused or proves nothing else."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.asn1 import der
from kernel.refusals import Refusal
from signing_service.evidence_records.hash_tree import HashTree, group_hash, reduce, root_of
from signing_service.evidence_records.structure import MAX_RECORD_BYTES, EvidenceRecord
from signing_service.evidence_records.verification import hash_of, timestamps_of
from tests.signing_service.archive.scenery import StampingWorld

OBJECTS = [b"document", b"signature", b"certificate"]
HASHES = [hash_of(each) for each in OBJECTS]


@pytest.fixture
def encoded(world: StampingWorld) -> bytes:
    """Two chains' worth of structure: three signatures, and a renewal."""
    signature_id = world.accept(*OBJECTS)
    world.accept(b"another")
    world.accept(b"a third")
    world.stamping().cover_new()
    record = world.evidence.of_signature(signature_id)
    assert record is not None
    return record.encoded


def test_reading_and_writing_are_inverse(encoded: bytes) -> None:
    assert EvidenceRecord.read(encoded).encoded == encoded


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
def test_a_flipped_byte_proves_nothing_else(encoded: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(encoded) - 1))
    changed = bytearray(encoded)
    changed[position] ^= data.draw(st.integers(1, 255))
    original = timestamps_of(EvidenceRecord.read(encoded), HASHES)[0]
    try:
        found = timestamps_of(EvidenceRecord.read(bytes(changed)), HASHES)
    except Refusal:
        return
    for each in found:
        signed = all(reference.intact for reference in each.signature.references)
        if each.imprint.intact and signed:
            assert each.generated_at == original.generated_at


@pytest.mark.parametrize("size", [0, 1, 10, 100])
def test_a_cut_record_is_refused(size: int, encoded: bytes) -> None:
    with pytest.raises(Refusal, match=r"evidence-record\.malformed"):
        EvidenceRecord.read(encoded[:size])


@settings(max_examples=200)
@given(data=st.binary(max_size=200))
def test_junk_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal):
        EvidenceRecord.read(data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x30" + bytes(MAX_RECORD_BYTES), "evidence-record.too-large"),
        (der.sequence(), "evidence-record.malformed"),
        (der.sequence(der.integer(2), der.sequence(), der.sequence()), "evidence-record.malformed"),
        (der.sequence(der.integer(1), der.sequence(), der.sequence()), "evidence-record.malformed"),
        (der.sequence(der.integer(1), der.sequence(), der.explicit(1, b""), der.sequence()),
         "evidence-record.unsupported"),
        (der.sequence(der.integer(1), der.sequence(), der.sequence(der.sequence())),
         "evidence-record.malformed"),
        (der.sequence(der.integer(1), der.sequence(), der.sequence(der.sequence(der.sequence()))),
         "evidence-record.malformed"),
    ],
)  # fmt: skip
def test_other_structures_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        EvidenceRecord.read(data)
    assert caught.value.code == code


@given(
    groups=st.lists(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=4),
                    min_size=1, max_size=40),
    digest=st.sampled_from(["sha256", "sha512"]),
)  # fmt: skip
def test_every_leaf_leads_to_the_root(groups: list[list[bytes]], digest: str) -> None:
    tree = HashTree([group_hash(group, digest) for group in groups], digest)
    for leaf, group in enumerate(groups):
        reduced = reduce(group, tree.siblings(leaf))
        if reduced:
            assert set(group) <= set(reduced[0])
            assert root_of(reduced, digest) == tree.root
        else:
            assert tree.root == group[0]
