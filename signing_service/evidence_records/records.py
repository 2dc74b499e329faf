"""One signature's evidence record, put together from the trees that it stands in."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import Connection

from kernel.algorithms import DIGEST_OIDS
from records.database import Database
from signing_service.archive.keeping import Archive
from signing_service.archive.objects import object_digest
from signing_service.evidence_records import repository
from signing_service.evidence_records.hash_tree import HashTree, group_hash, reduce
from signing_service.evidence_records.repository import Member, StoredTree
from signing_service.evidence_records.structure import (
    ArchiveTimestamp,
    Chain,
    EvidenceRecord,
    encode_sequence,
)
from signing_service.evidence_records.verification import renewed_hash

_TREES_KEPT = 4


class EvidenceRecords:
    """Makes records on demand: what is stored is one tree for many signatures. Thread-safe."""

    def __init__(self, database: Database, archive: Archive) -> None:
        self._database = database
        self._archive = archive
        self._tree = lru_cache(_TREES_KEPT)(self._load_tree)

    def of_signature(self, signature_id: str) -> EvidenceRecord | None:
        """None: no archive timestamp covers it yet. Raises NotFound, Unavailable `archive.*`."""
        parts = self._archive.parts(signature_id)
        with self._database.reading() as connection:
            members = repository.members(connection, signature_id)
            chains = tuple(self._renewals(connection, member.tree) for member in members)
        if not members:
            return None
        return self._record([part.sha256 for part in parts], members, chains)

    def leaf(self, addresses: Sequence[str], past: EvidenceRecord | None, digest: str) -> bytes:
        """The leaf for a signature's objects in a new tree, over `past` where there is one."""
        return group_hash(self._group(addresses, past, digest), digest)

    def _record(
        self, addresses: Sequence[str], members: Sequence[Member], trees: Sequence[list[StoredTree]]
    ) -> EvidenceRecord:
        chains: tuple[Chain, ...] = ()
        for member, renewals in zip(members, trees, strict=True):
            past = EvidenceRecord(chains) if chains else None
            group = self._group(addresses, past, member.tree.digest)
            siblings = self._tree(member.tree.leaves, member.tree.digest).siblings(member.leaf)
            timestamps = [self._timestamp(member.tree, group, siblings)]
            for old, new in zip((member.tree, *renewals), renewals, strict=False):
                assert old.renewed_leaf is not None
                hashes = [hashlib.new(new.digest, timestamps[-1].token).digest()]
                siblings = self._tree(new.leaves, new.digest).siblings(old.renewed_leaf)
                timestamps.append(self._timestamp(new, hashes, siblings))
            chains = (*chains, Chain.of(*timestamps))
        return EvidenceRecord(chains)

    def _renewals(self, connection: Connection, tree: StoredTree) -> list[StoredTree]:
        """The archive timestamps after `tree` in its chain."""
        found = []
        while tree.renewed_by is not None:
            tree = repository.tree(connection, tree.renewed_by)
            found.append(tree)
        return found

    def _timestamp(
        self, tree: StoredTree, hashes: Sequence[bytes], siblings: Sequence[bytes]
    ) -> ArchiveTimestamp:
        token = self._archive.store.get(tree.token)
        return ArchiveTimestamp(tree.digest, reduce(hashes, siblings), token)

    def _group(
        self, addresses: Sequence[str], past: EvidenceRecord | None, digest: str
    ) -> list[bytes]:
        """The hashes of a signature's objects. Under SHA-256 these are their addresses."""
        hashes = [self._object_hash(address, digest) for address in addresses]
        if past is None:
            return hashes
        encoded = encode_sequence(past.chains)
        return [renewed_hash(each, encoded, digest) for each in hashes]

    def _object_hash(self, address: str, digest: str) -> bytes:
        return object_digest(self._archive.store, address, digest)

    def _load_tree(self, leaves: str, digest: str) -> HashTree:
        return HashTree(split(self._archive.store.get(leaves), digest), digest)


def split(joined: bytes, digest: str) -> list[bytes]:
    """The leaves of a tree, which are stored one after another."""
    assert digest in DIGEST_OIDS
    size = hashlib.new(digest).digest_size
    return [joined[i : i + size] for i in range(0, len(joined), size)]
