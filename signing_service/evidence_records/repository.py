"""Rows of archive timestamps and of the signatures under them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from signing_service.tables import (
    accepted_signatures,
    archived_objects,
    evidence_members,
    evidence_trees,
)

_ROWS_AT_ONCE = 2000
INITIAL = "initial"
TIMESTAMP_RENEWAL = "timestamp-renewal"
HASH_TREE_RENEWAL = "hash-tree-renewal"


@dataclass(frozen=True)
class StoredTree:
    """One archive timestamp with its tree."""

    id: str
    purpose: str
    digest: str
    count: int
    leaves: str
    """Address of the joined leaves."""
    token: str
    """Address of the timestamp token."""
    stamped_at: datetime
    suite: str
    expires_at: datetime
    """When the timestamp authority's certificate ends."""
    renewed_by: str | None = None
    renewed_leaf: int | None = None


@dataclass(frozen=True)
class Member:
    """Where a signature stands in one chain."""

    tree: StoredTree
    leaf: int


_TREE_COLUMNS = tuple(evidence_trees.c[name] for name in StoredTree.__dataclass_fields__)


def groups_without_evidence(
    connection: Connection, digest: str | None, limit: int
) -> Iterator[tuple[str, list[str]]]:
    """Signatures whose newest tree has that digest (None: no tree yet), oldest first, each with
    the addresses of its objects. Read as a stream."""
    signatures = (
        select(accepted_signatures.c.id, accepted_signatures.c.accepted_at)
        .where(_covered_with(digest))
        .order_by(accepted_signatures.c.accepted_at, accepted_signatures.c.id)
        .limit(limit)
        .subquery()
    )
    query = (
        select(signatures.c.id, archived_objects.c.sha256)
        .join(archived_objects, archived_objects.c.signature_id == signatures.c.id)
        .order_by(signatures.c.accepted_at, signatures.c.id, archived_objects.c.position)
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )
    rows = connection.execute(query)
    for identifier, group in groupby(rows, key=lambda row: row.id):
        yield identifier, [row.sha256 for row in group]


def _covered_with(digest: str | None) -> ColumnElement[bool]:
    column = accepted_signatures.c.evidence_digest
    return column.is_(None) if digest is None else column == digest


def digests_in_use(connection: Connection) -> set[str]:
    """Digests of the newest trees of all signatures."""
    query = select(accepted_signatures.c.evidence_digest).distinct()
    return {digest for digest in connection.execute(query).scalars() if digest is not None}


def insert_tree(connection: Connection, tree: StoredTree) -> None:
    values = {name: getattr(tree, name) for name in StoredTree.__dataclass_fields__}
    connection.execute(insert(evidence_trees), values)


def insert_members(
    connection: Connection, tree: StoredTree, members: Iterable[tuple[str, int]]
) -> None:
    """`members`: signature and chain, in the order of their leaves.

    Raises sqlalchemy's IntegrityError where another node was first, or a signature was deleted.
    """
    rows = (
        {"signature_id": signature_id, "chain": chain, "tree": tree.id, "leaf": leaf}
        for leaf, (signature_id, chain) in enumerate(members)
    )
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        connection.execute(insert(evidence_members), some)
    under_it = select(evidence_members.c.signature_id).where(evidence_members.c.tree == tree.id)
    connection.execute(
        update(accepted_signatures)
        .where(accepted_signatures.c.id.in_(under_it))
        .values(evidence_digest=tree.digest)
    )


def mark_renewed(connection: Connection, tree: StoredTree, renewed: Sequence[StoredTree]) -> bool:
    """`renewed` are the leaves of `tree`, in order; False where another node was first."""
    for leaf, old in enumerate(renewed):
        done = connection.execute(
            update(evidence_trees)
            .where(evidence_trees.c.id == old.id, evidence_trees.c.renewed_by.is_(None))
            .values(renewed_by=tree.id, renewed_leaf=leaf)
        )
        if done.rowcount != 1:
            return False
    return True


def weakening(
    connection: Connection,
    horizon: datetime,
    weak_suites: Collection[str],
    digest: str,
    limit: int,
) -> list[StoredTree]:
    """Newest timestamps of chains under `digest` that do not last until `horizon`."""
    table = evidence_trees.c
    weak = or_(table.expires_at <= horizon, table.suite.in_(weak_suites))
    query = (
        select(*_TREE_COLUMNS)
        .where(table.renewed_by.is_(None), table.digest == digest, weak)
        .order_by(table.stamped_at, table.id)
        .limit(limit)
    )
    return [StoredTree(**row._mapping) for row in connection.execute(query)]


def tree(connection: Connection, tree_id: str) -> StoredTree:
    row = connection.execute(select(*_TREE_COLUMNS).where(evidence_trees.c.id == tree_id)).one()
    return StoredTree(**row._mapping)


def members(connection: Connection, signature_id: str) -> list[Member]:
    """One for each chain, oldest first."""
    query = (
        select(evidence_members.c.leaf, *_TREE_COLUMNS)
        .join(evidence_trees, evidence_trees.c.id == evidence_members.c.tree)
        .where(evidence_members.c.signature_id == signature_id)
        .order_by(evidence_members.c.chain)
    )
    found = []
    for row in connection.execute(query):
        values = dict(row._mapping)
        leaf = values.pop("leaf")
        found.append(Member(StoredTree(**values), leaf))
    return found


def last_stamped(connection: Connection) -> datetime | None:
    """When new signatures were covered last."""
    query = select(func.max(evidence_trees.c.stamped_at)).where(evidence_trees.c.purpose == INITIAL)
    found: datetime | None = connection.execute(query).scalar_one_or_none()
    return found


def count_without_evidence(connection: Connection) -> int:
    query = select(func.count()).where(accepted_signatures.c.evidence_digest.is_(None))
    return connection.execute(query).scalar_one()
