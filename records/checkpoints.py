"""Checkpoints of the journal: what its head was, witnessed by a timestamp token (RFC 3161).

The chain shows what was changed without reckoning it anew. Who can write the database can reckon
it anew; but not what a token of an earlier time says of it.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select
from sqlalchemy.exc import IntegrityError

from kernel.refusals import Malformed
from records.database import Database
from records.tables import journal, journal_checkpoint, journal_head

LONGEST_LINE = 128 * 1024
_CHUNK = 500


@dataclass(frozen=True)
class Checkpoint:
    """The journal's head at one moment."""

    position: int
    hash: bytes
    """Of the record at `position`."""
    at: datetime
    """As the token says."""
    token: bytes
    """Timestamp token (ContentInfo, DER) over `witnessed_text`."""
    root: bytes | None = None
    """Head of the Merkle tree (RFC 6962) of the records up to `position`; None: an old one."""

    def to_line(self) -> str:
        """One line of JSON, without its end."""
        return json.dumps(
            {
                "position": self.position,
                "hash": self.hash.hex(),
                "at": self.at.isoformat(),
                "token": base64.b64encode(self.token).decode(),
                **({} if self.root is None else {"root": self.root.hex()}),
            }
        )

    @classmethod
    def of_line(cls, line: str) -> "Checkpoint":
        """Raises Malformed `journal.checkpoint-malformed`."""
        try:
            read = json.loads(line)
            position, at = read["position"], datetime.fromisoformat(read["at"])
            if type(position) is not int or position < 1 or at.tzinfo is None:
                raise ValueError
            token = base64.b64decode(read["token"], validate=True)
            root = None if read.get("root") is None else bytes.fromhex(read["root"])
            return cls(position, bytes.fromhex(read["hash"]), at, token, root)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Malformed("journal.checkpoint-malformed", "not a line of checkpoints") from None


def witnessed_text(position: int, digest: bytes, root: bytes | None) -> bytes:
    """What a checkpoint's token is over: ASCII, so that strangers' tools can make it, too."""
    told = [str(position), digest.hex(), *([] if root is None else [root.hex()])]
    return f"PortSeal journal checkpoint {' '.join(told)}\n".encode()


def head(connection: Connection) -> tuple[int, bytes] | None:
    """Position and hash of the newest record; None: the journal is empty."""
    row = connection.execute(select(journal_head)).one_or_none()
    return None if row is None or row.position == 0 else (row.position, row.hash)


def newest(connection: Connection) -> Checkpoint | None:
    query = select(journal_checkpoint).order_by(journal_checkpoint.c.position.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else _checkpoint(row)


def every(connection: Connection) -> Iterator[Checkpoint]:
    """All that the database holds, oldest first."""
    query = select(journal_checkpoint).order_by(journal_checkpoint.c.position)
    with connection.execute(query.execution_options(yield_per=_CHUNK)) as rows:
        yield from map(_checkpoint, rows)


def keep(database: Database, checkpoint: Checkpoint) -> bool:
    """Store it; False: another process has just witnessed the same head."""
    row = {
        "position": checkpoint.position,
        "hash": checkpoint.hash,
        "at": checkpoint.at,
        "token": checkpoint.token,
        "root": checkpoint.root,
    }
    try:
        with database.transaction() as connection:
            connection.execute(insert(journal_checkpoint), row)
    except IntegrityError:
        return False
    return True


def recorded(connection: Connection, positions: Iterable[int]) -> dict[int, tuple[bytes, str]]:
    """Hash and time (RFC 3339) of the records at these positions, of those that exist."""
    wanted = sorted(set(positions))
    found: dict[int, tuple[bytes, str]] = {}
    for start in range(0, len(wanted), _CHUNK):
        chunk = journal.c.position.in_(wanted[start : start + _CHUNK])
        query = select(journal.c.position, journal.c.hash, journal.c.at).where(chunk)
        found |= {row.position: (bytes(row.hash), row.at) for row in connection.execute(query)}
    return found


def _checkpoint(row: Row[tuple[object, ...]]) -> Checkpoint:
    root = None if row.root is None else bytes(row.root)
    return Checkpoint(row.position, bytes(row.hash), row.at, bytes(row.token), root)
