"""The archive: keeping, finding, checking and, when the law allows it, deleting signatures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.refusals import Conflict, NotFound, Refusal
from records import removals
from records.database import Database
from records.events import Event
from records.journal import Journal
from signing_service.archive import repository
from signing_service.archive.accepted import AcceptedSignature, Part, PartRole, StoredPart
from signing_service.archive.kept import KeptDocument
from signing_service.archive.objects import ObjectStore, pieces_of

SWEEP_AGE = timedelta(days=1)
"""An object that nothing refers to may belong to a signature that is being accepted now."""
_CHUNK = 500


@dataclass(frozen=True)
class Fault:
    """An object that the archive should have and has not, or has changed."""

    sha256: str
    code: str
    """`archive.missing`, `archive.damaged`."""
    signatures: tuple[str, ...]
    """Identifiers of signatures that it belongs to, the first few."""


class Archive:
    """Accepted signatures with their evidence. Thread-safe."""

    def __init__(
        self, database: Database, store: ObjectStore, journal: Journal, clock: Clock
    ) -> None:
        self._database = database
        self.store = store
        self._journal = journal
        self._clock = clock

    def store_parts(self, parts: Sequence[Part | StoredPart]) -> tuple[StoredPart, ...]:
        """First step: make the bytes durable, each object once. Some may be stored already.

        Raises Unavailable `archive.full`, `archive.unavailable`. Until `keep` nothing refers to
        them, and `sweep` removes what was never kept.
        """
        stored: dict[tuple[PartRole, bytes], StoredPart] = {}
        for part in parts:
            if isinstance(part, StoredPart):
                stored[part.role, bytes.fromhex(part.sha256)] = part
            elif (part.role, part.data) not in stored:
                address = self.store.put(part.data)
                stored[part.role, part.data] = StoredPart(part.role, address, len(part.data))
        return tuple(stored.values())

    def keep(
        self, connection: Connection, accepted: AcceptedSignature, parts: Sequence[StoredPart]
    ) -> None:
        """Last step: the facts, in the transaction that accepts the signature."""
        repository.insert_signature(connection, accepted, parts)

    def find(self, signature_id: str) -> AcceptedSignature | None:
        """By identifier."""
        with self._database.reading() as connection:
            return repository.find(connection, signature_id)

    def parts(self, signature_id: str) -> tuple[StoredPart, ...]:
        """Every object of a signature, the document first. Raises NotFound."""
        with self._database.reading() as connection:
            found = repository.parts(connection, signature_id)
        if not found:
            raise _not_found()
        return found

    def open(self, signature_id: str, role: PartRole) -> KeptDocument:
        """The first part of that role, of any size, to be closed. Raises as `read`."""
        part = self._part(signature_id, role)
        return KeptDocument(self.store, part.sha256, part.size)

    def read(self, signature_id: str, role: PartRole) -> bytes:
        """The first part of that role. Raises NotFound, Unavailable `archive.*`."""
        return self.store.get(self._part(signature_id, role).sha256)

    def _part(self, signature_id: str, role: PartRole) -> StoredPart:
        for part in self.parts(signature_id):
            if part.role is role:
                return part
        raise _not_found()

    def delete(self, signature_id: str, actor: str) -> None:
        """Delete a signature whose retention is over; `sweep` then removes its objects.

        Raises NotFound `signature.not-found`, Conflict `archive.retained`.
        """
        with self._database.transaction() as connection:
            accepted = repository.find(connection, signature_id)
            if accepted is None:
                raise _not_found()
            if self._clock.now() < accepted.keep_until:
                raise Conflict(
                    "archive.retained",
                    "the law asks to keep this signature for longer",
                    keep_until=accepted.keep_until.isoformat(timespec="seconds"),
                )
            repository.delete_signature(connection, signature_id)
            self._journal.append(
                connection,
                Event.SIGNATURE_DELETED,
                subject=signature_id,
                actor=actor,
                document_sha256=accepted.document_sha256,
                signature_sha256=accepted.signature_sha256,
            )

    def audit(self) -> Iterator[Fault | None]:
        """Read every object that is referred to: None for each sound one, else its fault."""
        after = ""
        while True:
            with self._database.reading() as connection:
                addresses = repository.addresses_after(connection, after, _CHUNK)
            if not addresses:
                return
            for address in addresses:
                yield self._fault(address)
            after = addresses[-1]

    def sweep(self) -> int:
        """Remove objects that nothing refers to and that were put long ago; how many. What is
        left when a backup begins, whose database may name it, is for the next time."""
        before = self._clock.now() - SWEEP_AGE
        self.store.tidy(before)
        removed = 0
        addresses = self.store.addresses()
        while chunk := list(islice(addresses, _CHUNK)):
            with removals.permitted(self._database) as may:
                if not may:
                    break
                with self._database.reading() as connection:
                    known = repository.referenced(connection, chunk)
                removed += sum(
                    self.store.remove(address, before) for address in chunk if address not in known
                )
        return removed

    def _fault(self, address: str) -> Fault | None:
        try:
            for _ in pieces_of(self.store, address):
                pass
        except Refusal as refusal:
            if refusal.code not in {"archive.missing", "archive.damaged"}:
                raise
            with self._database.reading() as connection:
                owners = repository.owners(connection, address)
            return Fault(address, refusal.code, owners)
        return None


def _not_found() -> NotFound:
    return NotFound("signature.not-found", "no such signature in the archive")
