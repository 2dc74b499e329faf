"""The Merkle tree over the journal's records, position 1 as leaf 0.

Every 256 neighbours of a level are kept as one hash, so that a proof about one record reads some
hundred rows, whatever the journal's length. What is kept only saves work: it is made from the
records, and a checkpoint or the verifier sees when it does not fit.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, func, insert, select

from records.database import Database
from records.journal import entry_of
from records.merkle import Subtree, leaf_hash, node_hash
from records.tables import journal, journal_tree

_WIDTH = 8
"""Levels between kept hashes."""
_TILE = 1 << _WIDTH
_LEVELS = (8, 16, 24, 32)
_AT_ONCE = 64


def reader(connection: Connection) -> Subtree:
    """Hashes of complete subtrees, kept ones where they are, for one look at the journal."""
    tiles: dict[tuple[int, int], list[bytes]] = {}

    def tile(base: int, number: int) -> list[bytes]:
        """The neighbours of one tile on level `base`: as many as there are."""
        if (base, number) not in tiles:
            read = _leaves if base == 0 else lambda c, n: _kept(c, base, n)
            tiles[base, number] = read(connection, number)
        return tiles[base, number]

    def subtree(level: int, index: int) -> bytes:
        base = level // _WIDTH * _WIDTH
        first = index << (level - base)
        number, place = divmod(first, _TILE)
        known = tile(base, number)
        count = 1 << (level - base)
        if place + count <= len(known):
            return _head(known[place : place + count])
        if base == 0:
            raise ValueError("the journal has no such records")
        return node_hash(subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1))

    return subtree


def extend(database: Database, size: int) -> None:
    """Keep the hashes of what is complete in the first `size` records. Raises Unavailable.

    Safe beside other nodes: a hash that is there already stays.
    """
    for level in _LEVELS:
        wanted = size >> level
        if wanted == 0:
            return
        with database.reading() as connection:
            have = connection.execute(
                select(func.count()).where(journal_tree.c.level == level)
            ).scalar_one()
        for start in range(have, wanted, _AT_ONCE):
            numbers = range(start, min(wanted, start + _AT_ONCE))
            with database.transaction() as connection:
                _keep(connection, level, numbers)


def _keep(connection: Connection, level: int, numbers: range) -> None:
    there = select(journal_tree.c.index).where(
        journal_tree.c.level == level,
        journal_tree.c.index.between(numbers.start, numbers.stop - 1),
    )
    known = set(connection.execute(there).scalars())
    below = level - _WIDTH
    rows = []
    for number in numbers:
        if number not in known:
            found = _leaves(connection, number) if below == 0 else _kept(connection, below, number)
            rows.append({"level": level, "index": number, "hash": _head(found)})
    if rows:
        connection.execute(insert(journal_tree), rows)


def _head(hashes: list[bytes]) -> bytes:
    """Of a complete subtree."""
    while len(hashes) > 1:
        hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def _leaves(connection: Connection, tile: int) -> list[bytes]:
    first = tile * _TILE + 1
    query = (
        select(journal)
        .where(journal.c.position.between(first, first + _TILE - 1))
        .order_by(journal.c.position)
    )
    rows = connection.execute(query)
    return list(_in_order(first, ((row.position, leaf_hash(entry_of(row))) for row in rows)))


def _kept(connection: Connection, level: int, tile: int) -> list[bytes]:
    first = tile * _TILE
    query = (
        select(journal_tree.c.index, journal_tree.c.hash)
        .where(
            journal_tree.c.level == level,
            journal_tree.c.index.between(first, first + _TILE - 1),
        )
        .order_by(journal_tree.c.index)
    )
    rows = connection.execute(query)
    return list(_in_order(first, ((row[0], bytes(row[1])) for row in rows)))


def _in_order(first: int, numbered: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    """The hashes from the first number up to a gap."""
    for expected, (number, digest) in enumerate(numbered, first):
        if number != expected:
            return
        yield digest
