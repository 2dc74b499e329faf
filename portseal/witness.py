"""Who can show that nobody changed the journal: our timestamp authority, as its witness.

The key stays in the authority's token, and the tokens name a policy of their own, which nobody is
granted on request: who can write the database alone cannot make a checkpoint.
"""

import hashlib
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection

from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.refusals import Conflict, Malformed, Refusal
from records import checkpoints, journal_tree, merkle
from records.checkpoints import Checkpoint
from records.database import Database
from records.journal import Journal, Verification
from signing_service.timestamping.client import Timestamper
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import TimestampKind

_log = logging.getLogger("portseal.witness")

FILE_NAME = "journal-checkpoints"
MAX_CHECKPOINTS = 1_000_000


@dataclass(frozen=True)
class Seal:
    """What tells our own checkpoints from any other timestamp."""

    certificate: Certificate
    """The timestamp authority's."""
    policy: str

    def time_of(self, checkpoint: Checkpoint) -> datetime:
        """When it was witnessed. Raises Malformed `journal.checkpoint-invalid`."""
        try:
            found = read_timestamp(checkpoint.token, TimestampKind.SIGNATURE, _text(checkpoint))
        except Refusal as refusal:
            raise Malformed("journal.checkpoint-invalid", refusal.detail) from None
        signature, reference = found.signature, found.signature.certificate_reference
        holds = (
            found.policy == self.policy
            and found.imprint.digest == "sha256"
            and found.imprint.intact
            and signature.signing_certificate is not None
            and signature.signing_certificate.der == self.certificate.der
            and reference is not None
            and reference.matches
            and all(each.intact for each in signature.references)
            and signature.suite is not None
            and self.certificate.public_key.verify(
                signature.suite, signature.signature_value, signature.signed_bytes
            )
        )
        if not holds:
            raise Malformed("journal.checkpoint-invalid", "not a checkpoint of this authority")
        return found.generated_at


class Witness:
    """Makes checkpoints: in the database, and in a file that an operator can ship elsewhere."""

    def __init__(
        self, database: Database, timestamper: Timestamper, seal: Seal, clock: Clock, file: Path
    ) -> None:
        self._database = database
        self._timestamper = timestamper
        self._seal = seal
        self._clock = clock
        self._file = file

    def witness_when_due(self, every: timedelta, records: int) -> Checkpoint | None:
        """A checkpoint when there are new records and the last one is `every` old, or so many
        `records` were added. Raises as `witness`."""
        with self._database.reading() as connection:
            head, last = checkpoints.head(connection), checkpoints.newest(connection)
        if head is None:
            return None
        if last is not None:
            added = head[0] - last.position
            if added == 0 or (added < records and self._clock.now() - last.at < every):
                return None
        return self.witness()

    def witness(self) -> Checkpoint | None:
        """A checkpoint now; None when nothing was recorded since the last one.

        Raises Conflict `journal.rewritten` when the journal no longer fits the last checkpoint,
        of the database or of the file: what was rewritten is not witnessed. Raises as the
        timestamp authority, and Unavailable.
        """
        with self._database.reading() as connection:
            head, last = checkpoints.head(connection), checkpoints.newest(connection)
            for known in (last, self._last_in_file()):
                if known is not None:
                    _require_fit(connection, known)
        if head is None or (last is not None and last.position == head[0]):
            return None
        journal_tree.extend(self._database, head[0])
        with self._database.reading() as connection:
            root = merkle.root(journal_tree.reader(connection), head[0])
        imprint = hashlib.sha256(checkpoints.witnessed_text(*head, root)).digest()
        token = self._timestamper.stamp(imprint, "sha256")
        made = Checkpoint(*head, self._clock.now(), token, root)
        made = replace(made, at=self._seal.time_of(made))
        if not checkpoints.keep(self._database, made):
            return None
        self._append(made)
        return made

    def _append(self, checkpoint: Checkpoint) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with open(self._file, "a+b") as file:
            size = file.seek(0, os.SEEK_END)
            _, torn = _end_of(file, size)
            if torn and _is_checkpoint(torn):
                file.write(b"\n")
            elif torn:
                _log.warning("%s: a torn last line of %d octets is removed", FILE_NAME, len(torn))
                file.truncate(size - len(torn))
            file.write(checkpoint.to_line().encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _last_in_file(self) -> Checkpoint | None:
        try:
            with open(self._file, "rb") as file:
                line, _ = _end_of(file, file.seek(0, os.SEEK_END))
        except FileNotFoundError:
            return None
        return Checkpoint.of_line(line) if line else None


def _is_checkpoint(line: bytes) -> bool:
    try:
        Checkpoint.of_line(line.decode("ascii", "replace"))
    except Malformed:
        return False
    return True


def _end_of(file: BinaryIO, size: int) -> tuple[str, bytes]:
    """The last line that is ended, and what comes after it: its writer did not end it."""
    file.seek(max(0, size - 2 * checkpoints.LONGEST_LINE))
    whole, end, torn = file.read().rpartition(b"\n")
    line = whole.rpartition(b"\n")[2] if end else b""
    return line.decode("ascii", "replace"), torn


def read_file(path: Path) -> list[Checkpoint]:
    """Every checkpoint of a file; a torn last line is none, and is logged.

    Raises Malformed `journal.checkpoint-malformed`.
    """
    found = []
    with open(path, encoding="ascii", errors="replace") as file:
        while line := file.readline(checkpoints.LONGEST_LINE):
            try:
                found.append(Checkpoint.of_line(line))
            except Malformed:
                if line.endswith("\n") or file.read(1):
                    raise
                _log.warning("%s: the last line is torn and left out", path.name)
            if len(found) > MAX_CHECKPOINTS:
                raise Malformed("journal.checkpoint-malformed", "too many checkpoints")
    return found


@dataclass(frozen=True)
class Finding:
    """The chain, and the chain against its checkpoints."""

    chain: Verification
    checkpoints: int
    """That were compared."""
    until: int
    """Position of the last record that a checkpoint covers; 0: none."""
    longest_wait: timedelta
    """The longest that a record waited for its first checkpoint. Who rewrote the journal and
    removed the checkpoints has later ones alone: they show here."""
    misfits: tuple[str, ...]
    """What does not fit, the oldest first."""

    @property
    def intact(self) -> bool:
        return self.chain.intact and not self.misfits


def check(
    connection: Connection, journal: Journal, seal: Seal, further: Iterable[Checkpoint] = ()
) -> Finding:
    """Verify the chain, and compare it with the database's checkpoints and `further` ones."""
    known = {(c.position, c.hash, c.token): c for c in (*checkpoints.every(connection), *further)}
    roots: dict[int, bytes | None] = {each.position: None for each in known.values()}
    growing = merkle.Growing()

    def visit(entry: bytes) -> None:
        growing.add(merkle.leaf_hash(entry))
        if growing.size in roots:
            roots[growing.size] = growing.root()

    chain = journal.verify(connection, visit)
    in_order = sorted(known.values(), key=lambda each: each.position)
    next_ones = [each.position + 1 for each in in_order]
    records = checkpoints.recorded(connection, [1, *(c.position for c in in_order), *next_ones])
    misfits, until, longest = [], 0, timedelta(0)
    for each in in_order:
        name = f"checkpoint of record {each.position}"
        try:
            at = seal.time_of(each)
        except Malformed as refusal:
            misfits.append(f"{name}: {refusal.detail}")
            continue
        held = records.get(each.position)
        if held is None:
            misfits.append(f"{name}, witnessed {at:%Y-%m-%dT%H:%M:%SZ}: the record is missing")
        elif held[0] != each.hash:
            misfits.append(
                f"{name}, witnessed {at:%Y-%m-%dT%H:%M:%SZ}: this record or one before was changed"
            )
        elif each.root is not None and chain.intact and roots[each.position] != each.root:
            misfits.append(f"{name}, witnessed {at:%Y-%m-%dT%H:%M:%SZ}: its tree has another head")
        if until < each.position:
            if until + 1 in records:
                waited = at - datetime.fromisoformat(records[until + 1][1])
                longest = max(longest, waited)
            until = each.position
    return Finding(chain, len(in_order), until, longest, tuple(misfits))


def _text(checkpoint: Checkpoint) -> bytes:
    return checkpoints.witnessed_text(checkpoint.position, checkpoint.hash, checkpoint.root)


def _require_fit(connection: Connection, checkpoint: Checkpoint) -> None:
    held = checkpoints.recorded(connection, [checkpoint.position]).get(checkpoint.position)
    if held is None or held[0] != checkpoint.hash:
        raise Conflict(
            "journal.rewritten",
            "the journal does not fit its last checkpoint; see portseal journal verify",
            position=checkpoint.position,
        )
