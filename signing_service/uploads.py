"""Documents that are sent ahead of their signature, because they are too large for a message.

They are hashed as they come and go straight into the archive's store, where an accepted signature
leaves them. What is never signed is removed when its time is over.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from kernel.clock import Clock
from kernel.refusals import Malformed, NotFound, TooLarge, TooMany
from records import named_lock, removals
from records.database import Database, new_id
from signing_service.archive import repository
from signing_service.archive.kept import KeptDocument
from signing_service.archive.objects import ObjectStore
from signing_service.formats.document import Document
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.tables import uploaded_documents

UPLOADED_FOR = timedelta(minutes=30)
MAX_UPLOADS_PER_CARD = 4
_SETTLED = timedelta(minutes=5)
"""After which nobody who put the same object is still about to refer to it."""


@dataclass(frozen=True)
class Upload:
    """One document that waits to be signed."""

    id: str
    card: str
    sha256: str
    size: int
    """Octets."""
    expires_at: datetime


class Uploads:
    """The use case. Thread-safe."""

    def __init__(
        self, database: Database, store: ObjectStore, clock: Clock, max_bytes: int
    ) -> None:
        """`max_bytes`: of one document; 0: none is taken."""
        self._database = database
        self.store = store
        self._clock = clock
        self.max_bytes = max_bytes

    def receive(self, pieces: Iterable[bytes], card: str) -> Upload:
        """Keep what comes, for this card. Memory stays at one piece.

        Raises TooLarge `document.too-large`; TooMany `document.too-many-uploads`; Malformed
        `document.empty`; Unavailable `archive.*`; and what the pieces raise.
        """
        self.remove_expired()
        with self._database.reading() as connection:
            self._require_room(connection, card)
        sha256, size = self.store.put_pieces(self._limited(pieces))
        if not size:
            raise Malformed("document.empty", "there is no document")
        one = Upload(new_id(), card, sha256, size, self._clock.now() + UPLOADED_FOR)
        with self._database.transaction() as connection:
            named_lock.take(connection, f"uploads of {card}")
            self.release(connection, [sha256], card)  # sent twice, it waits once
            self._require_room(connection, card)  # others may have come meanwhile
            connection.execute(insert(uploaded_documents), vars(one))
        return one

    @contextmanager
    def opened(self, identifiers: Sequence[str], card: str) -> Iterator[dict[str, Document]]:
        """This card's documents by their identifiers, open as long as the context: in memory
        where they fit. Raises NotFound `document.not-uploaded`; Unavailable `archive.*`."""
        now = self._clock.now()
        with ExitStack() as files:
            found: dict[str, Document] = {}
            for each in (self._find(one, card, now) for one in identifiers):
                if each.size <= MAX_DOCUMENT_BYTES:
                    found[each.id] = self.store.get(each.sha256)
                    continue
                known = {"sha256": bytes.fromhex(each.sha256)}
                document = KeptDocument(self.store, each.sha256, each.size, digests=known)
                files.callback(document.close)
                found[each.id] = document
            yield found

    def hold(self, connection: Connection, addresses: Iterable[str], until: datetime) -> None:
        """Nothing of this is removed before: a signature over it was prepared."""
        table = uploaded_documents
        late = table.c.sha256.in_(list(addresses)) & (table.c.expires_at < until)
        connection.execute(update(table).where(late).values(expires_at=until))

    def release(self, connection: Connection, addresses: Iterable[str], card: str) -> None:
        """They wait no more: a signature of this card over them is being accepted."""
        table = uploaded_documents
        mine = table.c.sha256.in_(list(addresses)) & (table.c.card == card)
        connection.execute(delete(table).where(mine))

    def remove_expired(self) -> int:
        """Forget what was not signed in time; how many. Objects that something else refers to
        stay."""
        now, table = self._clock.now(), uploaded_documents
        with self._database.transaction() as connection:
            gone = delete(table).where(table.c.expires_at < now).returning(table.c.sha256)
            addresses = set(connection.execute(gone).scalars())
            wanted = repository.referenced(connection, list(addresses))
            waiting = select(table.c.sha256).where(table.c.sha256.in_(addresses))
            wanted |= set(connection.execute(waiting).scalars())
        with removals.permitted(self._database) as may:
            for address in addresses - wanted if may else ():  # else the archive's sweep does
                self.store.remove(address, now - UPLOADED_FOR + _SETTLED)
        return len(addresses)

    def _find(self, identifier: str, card: str, now: datetime) -> Upload:
        table = uploaded_documents
        query = select(*table.c).where(
            table.c.id == identifier, table.c.card == card, table.c.expires_at > now
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("document.not-uploaded", "no such document of this card waits here")
        return Upload(**row._mapping)

    def _require_room(self, connection: Connection, card: str) -> None:
        table = uploaded_documents
        query = select(func.count()).where(table.c.card == card)
        waiting = connection.execute(query).scalar_one()
        if waiting >= MAX_UPLOADS_PER_CARD:
            raise TooMany(
                "document.too-many-uploads",
                "{most} documents of this card wait to be signed already",
                most=MAX_UPLOADS_PER_CARD,
            )

    def _limited(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        seen = 0
        for piece in pieces:
            seen += len(piece)
            if seen > self.max_bytes:
                raise too_large(self.max_bytes)
            yield piece


def too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        "document.too-large", "a document of at most {mib} MiB is signed here", mib=max_bytes >> 20
    )
