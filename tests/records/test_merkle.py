"""The Merkle tree: RFC 6962's own structure, proofs that hold, and none that does not."""

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records import merkle, verify_journal
from records.merkle import Growing, leaf_hash, node_hash

LEAVES = [leaf_hash(str(number).encode()) for number in range(70)]


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it stands there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


def subtree(level: int, index: int) -> bytes:
    return mth(LEAVES[index << level : (index + 1) << level])


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_the_head_is_rfc_6962s(size: int) -> None:
    expected = mth(LEAVES[:size])
    assert merkle.root_of(LEAVES[:size]) == expected
    assert merkle.root(subtree, size) == expected


def test_every_leaf_of_every_size_is_proven_to_a_stranger() -> None:
    for size in range(1, 40):
        head = mth(LEAVES[:size])
        for index in range(size):
            path = merkle.inclusion_path(subtree, index, size)
            assert verify_journal.included(LEAVES[index], index, size, path) == head


def test_every_tree_is_proven_to_begin_every_later_one() -> None:
    for old, new in itertools.combinations_with_replacement(range(1, 40), 2):
        path = merkle.consistency_path(subtree, old, new)
        heads = mth(LEAVES[:old]), mth(LEAVES[:new])
        assert verify_journal.extends(old, heads[0], new, heads[1], path)
        assert not verify_journal.extends(old, b"\0" * 32, new, heads[1], path)
        if old != new:
            assert not verify_journal.extends(old, heads[0], new, b"\0" * 32, path)


@given(st.data())
def test_a_proof_with_one_bit_flipped_proves_nothing(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 64))
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_path(subtree, index, size)
    place, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
    changed = int.from_bytes(path[place], "big") ^ (1 << bit)
    path[place] = changed.to_bytes(32, "big")
    head = mth(LEAVES[:size])
    assert verify_journal.included(LEAVES[index], index, size, path) != head


def test_what_is_not_in_the_tree_has_no_path() -> None:
    with pytest.raises(ValueError, match="not in the tree"):
        merkle.inclusion_path(subtree, 5, 5)
    with pytest.raises(ValueError, match="older"):
        merkle.consistency_path(subtree, 6, 5)


def test_a_growing_tree_tells_its_head_at_every_size() -> None:
    growing = Growing()
    for number, leaf in enumerate(LEAVES, 1):
        growing.add(leaf)
        assert (growing.size, growing.root()) == (number, mth(LEAVES[:number]))
