"""The jobs that keep evidence alive: cover what is new, renew what weakens (RFC 4998, 5).

Each job makes trees of at most `MAX_LEAVES` leaves with one timestamp each, in bounded memory,
and may run on several nodes at once: the first to record a tree wins.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from kernel.clock import Clock
from kernel.refusals import Unavailable
from policies.validation import ValidationPolicy
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from signing_service.archive.keeping import Archive
from signing_service.evidence_records import repository
from signing_service.evidence_records.hash_tree import HashTree
from signing_service.evidence_records.records import EvidenceRecords
from signing_service.evidence_records.repository import StoredTree
from signing_service.timestamping.client import Timestamper
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import TimestampKind

MAX_LEAVES = 1 << 16
_ACTOR = "archive"
_STRONGEST_FIRST = ("sha512", "sha384", "sha256")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StampingPlan:
    """What new trees are made with, and when old ones are renewed."""

    digest: str = "sha256"
    renew_before: timedelta = timedelta(days=90)
    """So long before a certificate or an algorithm ends."""
    max_leaves: int = MAX_LEAVES


@dataclass(frozen=True)
class Renewal:
    """What one round of renewal did."""

    timestamps: int
    """Archive timestamps that a newer one covers now."""
    signatures: int
    """Signatures whose hash tree was renewed."""


class Stamping:
    """Makes archive timestamps over the archive."""

    def __init__(
        self,
        *,
        database: Database,
        archive: Archive,
        evidence: EvidenceRecords,
        timestamper: Timestamper,
        complete: Callable[[bytes], bytes],
        policy: ValidationPolicy,
        journal: Journal,
        clock: Clock,
        plan: StampingPlan = StampingPlan(),
    ) -> None:
        """`complete` adds to a token what validates it later (status of its certificates)."""
        self._database = database
        self._archive = archive
        self._evidence = evidence
        self._timestamper = timestamper
        self._complete = complete
        self._policy = policy
        self._journal = journal
        self._clock = clock
        self._plan = plan

    def cover_new(self) -> int:
        """Cover every signature that no archive timestamp covers yet; how many.

        Raises Unavailable `timestamp.*`, `archive.*`; what was covered before stays covered.
        """
        covered = 0
        while count := self._cover_some():
            covered += count
            if count < self._plan.max_leaves:
                break
        return covered

    def is_due(self, every: timedelta) -> bool:
        """Whether signatures wait and the last archive timestamp over new ones is so old."""
        with self._database.reading() as connection:
            if not repository.count_without_evidence(connection):
                return False
            last = repository.last_stamped(connection)
        return last is None or last + every <= self._clock.now()

    def renew(self) -> Renewal:
        """Renew hash trees whose digest weakens, then timestamps that end. Raises as `cover_new`,
        and Unavailable `archive.no-better-timestamp`, `archive.no-better-digest`."""
        horizon = self._clock.now() + self._plan.renew_before
        with self._database.reading() as connection:
            digests = repository.digests_in_use(connection)
        weak = {each for each in digests if self._end_of_digest(each) <= horizon}
        signatures = sum(self._renew_hash_trees(digest) for digest in sorted(weak))
        timestamps = sum(self._renew_timestamps(each, horizon) for each in sorted(digests - weak))
        return Renewal(timestamps, signatures)

    # -- new signatures ------------------------------------------------------------------------

    def _cover_some(self) -> int:
        digest = self._plan.digest
        identifiers, leaves = [], []
        with self._database.reading() as connection:
            limit = self._plan.max_leaves
            groups = repository.groups_without_evidence(connection, None, limit)
            for identifier, addresses in groups:
                identifiers.append(identifier)
                leaves.append(self._evidence.leaf(addresses, None, digest))
        if not leaves:
            return 0
        tree = self._stamp(repository.INITIAL, leaves, digest)
        return self._record_members(tree, [(identifier, 0) for identifier in identifiers])

    def _record_members(self, tree: StoredTree, members: Sequence[tuple[str, int]]) -> int:
        def record(connection: Connection) -> bool:
            repository.insert_members(connection, tree, members)
            return True

        return len(members) if self._record(tree, record) else 0

    # -- renewal -------------------------------------------------------------------------------

    def _renew_hash_trees(self, old_digest: str) -> int:
        """5.2, hash-tree renewal: a stronger digest over the objects and the chains so far."""
        digest = self._better_digest(old_digest)
        renewed = 0
        while True:
            with self._database.reading() as connection:
                groups = list(
                    repository.groups_without_evidence(
                        connection, old_digest, self._plan.max_leaves
                    )
                )
            members, leaves = [], []
            for identifier, addresses in groups:
                past = self._evidence.of_signature(identifier)
                assert past is not None
                members.append((identifier, len(past.chains)))
                leaves.append(self._evidence.leaf(addresses, past, digest))
            if not leaves:
                return renewed
            tree = self._stamp(repository.HASH_TREE_RENEWAL, leaves, digest)
            done = self._record_members(tree, members)
            renewed += done
            if done < self._plan.max_leaves:
                return renewed

    def _renew_timestamps(self, digest: str, horizon: datetime) -> int:
        """5.2, timestamp renewal: one tree over the tokens of many old trees."""
        renewed = 0
        weak = [name for name in self._policy.suites_until if self._end_of_suite(name) <= horizon]
        while True:
            with self._database.reading() as connection:
                old = repository.weakening(connection, horizon, weak, digest, self._plan.max_leaves)
            if not old:
                return renewed
            tree = self._stamp(
                repository.TIMESTAMP_RENEWAL, self._token_hashes(old, digest), digest
            )
            if tree.expires_at <= horizon or tree.suite in weak:
                # Or the next round would renew this one again, and so for ever.
                raise Unavailable(
                    "archive.no-better-timestamp",
                    "the timestamp authority's own certificate or algorithm ends too soon",
                )
            if not self._record(tree, partial(repository.mark_renewed, tree=tree, renewed=old)):
                return renewed
            renewed += len(old)

    def _token_hashes(self, trees: Iterable[StoredTree], digest: str) -> list[bytes]:
        tokens = (self._archive.store.get(tree.token) for tree in trees)
        return [hashlib.new(digest, token).digest() for token in tokens]

    # -- one archive timestamp -----------------------------------------------------------------

    def _stamp(self, purpose: str, leaves: Sequence[bytes], digest: str) -> StoredTree:
        root = HashTree(leaves, digest).root
        token = self._timestamper.stamp(root, digest)
        evidence = read_timestamp(token, TimestampKind.EVIDENCE_RECORD, None)
        certificate, suite = evidence.signature.signing_certificate, evidence.signature.suite
        assert certificate is not None  # the client refuses such an answer
        assert suite is not None
        return StoredTree(
            id=new_id(),
            purpose=purpose,
            digest=digest,
            count=len(leaves),
            leaves=self._archive.store.put(b"".join(leaves)),
            token=self._archive.store.put(self._complete(token)),
            stamped_at=evidence.generated_at,
            suite=suite.name,
            expires_at=certificate.not_after,
        )

    def _record(self, tree: StoredTree, what: Callable[[Connection], bool]) -> bool:
        """The tree with its leaves, in one transaction; False where another node was first."""
        try:
            with self._database.transaction() as connection:
                repository.insert_tree(connection, tree)
                if not what(connection):
                    raise _OvertakenError
                self._journal.append(
                    connection,
                    Event.EVIDENCE_STAMPED,
                    subject=tree.id,
                    actor=_ACTOR,
                    purpose=tree.purpose,
                    count=tree.count,
                    token_sha256=tree.token,
                )
        except (IntegrityError, _OvertakenError):
            _log.info("another node made an archive timestamp over the same objects")
            return False
        return True

    # -- how long algorithms last --------------------------------------------------------------

    def _end_of_digest(self, digest: str) -> datetime:
        until = self._policy.digests_until.get(digest)
        return _NEVER if until is None else datetime.combine(until, time.max, UTC)

    def _end_of_suite(self, suite: str) -> datetime:
        return datetime.combine(self._policy.suites_until[suite], time.max, UTC)

    def _better_digest(self, old: str) -> str:
        found = max(
            (self._plan.digest, *_STRONGEST_FIRST), key=lambda each: self._end_of_digest(each)
        )
        if self._end_of_digest(found) <= self._end_of_digest(old):
            raise Unavailable("archive.no-better-digest", "no known digest lasts longer")
        return found


class _OvertakenError(Exception):
    """Another node renewed the same timestamps first."""


_NEVER = datetime.min.replace(tzinfo=UTC)
