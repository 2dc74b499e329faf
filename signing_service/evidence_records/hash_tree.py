"""Hash trees and their reduced form for one leaf (RFC 4998, 4.2)."""

import hashlib
from collections.abc import Collection, Sequence

ReducedHashTree = tuple[tuple[bytes, ...], ...]
"""Lists of hashes from the leaf's own list up to the children of the root."""


class HashTree:
    """A binary tree over ready leaves; memory is twice the leaves."""

    def __init__(self, leaves: Sequence[bytes], digest: str) -> None:
        """`digest` is hashlib's name; at least one leaf."""
        if not leaves:
            raise ValueError("a hash tree needs a leaf")
        levels = [list(leaves)]
        while len(levels[-1]) > 1:
            levels.append(_parents(levels[-1], digest))
        self._levels = levels

    @property
    def root(self) -> bytes:
        return self._levels[-1][0]

    def siblings(self, leaf: int) -> tuple[bytes, ...]:
        """The hash beside the leaf, then the one beside its parent, and so on to the root.

        A node without a sibling moves up as it is and adds nothing.
        """
        found = []
        for level in self._levels[:-1]:
            beside = leaf ^ 1
            if beside < len(level):
                found.append(level[beside])
            leaf >>= 1
        return tuple(found)


def group_hash(hashes: Collection[bytes], digest: str) -> bytes:
    """The leaf for the objects of one data group: of one object its own hash (4.2.1, step 3)."""
    return _joined(sorted(set(hashes)), digest)


def reduce(hashes: Collection[bytes], siblings: Sequence[bytes]) -> ReducedHashTree:
    """The reduced hash tree of one data group (4.2.2); empty where the leaf is the root."""
    group = tuple(sorted(set(hashes)))
    above = tuple((sibling,) for sibling in siblings)
    if len(group) > 1:
        return (group, *above)
    return (tuple(sorted((*group, siblings[0]))), *above[1:]) if siblings else ()


def root_of(reduced: ReducedHashTree, digest: str) -> bytes:
    """The root that a reduced hash tree leads to (4.3, step 3); at least one list."""
    value: tuple[bytes, ...] = ()
    for hashes in reduced:
        value = (_joined(sorted((*hashes, *value)), digest),)
    return value[0]


def _parents(level: list[bytes], digest: str) -> list[bytes]:
    return [_joined(sorted(level[i : i + 2]), digest) for i in range(0, len(level), 2)]


def _joined(hashes: Sequence[bytes], digest: str) -> bytes:
    return hashes[0] if len(hashes) == 1 else hashlib.new(digest, b"".join(hashes)).digest()
