"""A Merkle tree as RFC 6962 (2.1) hashes it, over anything that gives the hashes of its leaves."""

import hashlib
from collections.abc import Callable, Iterable

EMPTY_ROOT = hashlib.sha256(b"").digest()

Subtree = Callable[[int, int], bytes]
"""Level and index -> the hash of that complete subtree; level 0 are the leaves."""


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The head of a tree of these leaf hashes; memory grows with the logarithm of their number."""
    growing = Growing()
    for leaf in leaves:
        growing.add(leaf)
    return growing.root()


class Growing:
    """A tree that leaves are added to, and whose head can be told at every size."""

    def __init__(self) -> None:
        self.size = 0
        self._complete: list[bytes] = []
        """Of the complete subtrees that the size consists of, the largest first."""

    def add(self, leaf: bytes) -> None:
        here, size = leaf, self.size
        while size & 1:
            here = node_hash(self._complete.pop(), here)
            size >>= 1
        self._complete.append(here)
        self.size += 1

    def root(self) -> bytes:
        if not self._complete:
            return EMPTY_ROOT
        *rest, root = self._complete
        for left in reversed(rest):
            root = node_hash(left, root)
        return root


def root(subtree: Subtree, size: int) -> bytes:
    """The head of the tree of the first `size` leaves."""
    return _range(subtree, 0, size) if size else EMPTY_ROOT


def inclusion_path(subtree: Subtree, index: int, size: int) -> list[bytes]:
    """The audit path of leaf `index`, counted from 0, in the tree of `size` (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    path, low, high = [], 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range(subtree, middle, high))
            high = middle
        else:
            path.append(_range(subtree, low, middle))
            low = middle
    return path[::-1]


def consistency_path(subtree: Subtree, old: int, new: int) -> list[bytes]:
    """That the tree of `new` begins with that of `old` (RFC 6962, 2.1.2)."""
    if not 0 < old <= new:
        raise ValueError("the older tree is the smaller one, and not empty")
    path: list[bytes] = []
    low, high, known = 0, new, True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range(subtree, middle, high))
            high = middle
        else:
            path.append(_range(subtree, low, middle))
            low, known = middle, False
    if not known:
        path.append(_range(subtree, low, high))
    return path[::-1]


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _range(subtree: Subtree, low: int, high: int) -> bytes:
    count = high - low
    if count & (count - 1) == 0 and low % count == 0:
        level = count.bit_length() - 1
        return subtree(level, low >> level)
    middle = low + _split(count)
    return node_hash(_range(subtree, low, middle), _range(subtree, middle, high))
