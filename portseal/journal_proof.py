"""Proofs about the journal for outsiders: that a record stands in it, that nothing was changed."""

import base64
import ssl
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

import records
from kernel.asn1.certificate import Certificate
from kernel.refusals import Conflict, NotFound
from portseal.witness import Seal
from records import checkpoints, journal_tree, merkle
from records.checkpoints import Checkpoint
from records.journal import entry_of
from records.tables import journal

FORMAT = "portseal-journal-proof-1"
VERIFIER = Path(records.__file__).with_name("verify_journal.py")
"""The stand-alone program that checks a proof."""
_MOST_RECORDS = 1000


def journal_proof(
    connection: Connection,
    identifier: str,
    since: Iterable[int],
    seal: Seal,
    chain: Sequence[Certificate],
) -> dict[str, Any]:
    """JSON: records with their audit paths to the newest checkpoint's tree, and the paths from
    older checkpoints to it.

    `identifier`: a position, or a subject, all of whose records are proven. `since`: positions of
    older checkpoints; the first that covers the records is always among them. `chain`: of the
    authority that witnesses, its own certificate first, root last.
    Raises NotFound `journal.no-record`, `journal.no-checkpoint`, Conflict `journal.not-witnessed`.
    """
    found = _records(connection, identifier)
    witnessed = [each for each in checkpoints.every(connection) if each.root is not None]
    newest = witnessed[-1] if witnessed else None
    if newest is None or found[-1].position > newest.position:
        raise Conflict(
            "journal.not-witnessed", "no checkpoint covers it yet; see portseal journal checkpoint"
        )
    by_position = {each.position: each for each in witnessed}
    first = next(each for each in witnessed if each.position >= found[-1].position)
    wanted = {first.position, *since} - {newest.position}
    if unknown := wanted - by_position.keys():
        raise NotFound(
            "journal.no-checkpoint", "there is no checkpoint of this position", at=min(unknown)
        )
    subtree = journal_tree.reader(connection)
    return {
        "format": FORMAT,
        "policy": seal.policy,
        "certificates": [ssl.DER_cert_to_PEM_cert(each.der) for each in chain],
        "checkpoint": _told(newest),
        "records": [
            {
                "entry": entry_of(row).decode(),
                "path": _hex(merkle.inclusion_path(subtree, row.position - 1, newest.position)),
            }
            for row in found
        ],
        "older": [
            {
                **_told(by_position[position]),
                "path": _hex(merkle.consistency_path(subtree, position, newest.position)),
            }
            for position in sorted(wanted)
        ],
    }


def _records(connection: Connection, identifier: str) -> list[Any]:
    chosen = journal.c.subject == identifier
    if identifier.isascii() and identifier.isdigit() and len(identifier) < 19:
        chosen = journal.c.position == int(identifier)
    query = select(journal).where(chosen).order_by(journal.c.position).limit(_MOST_RECORDS)
    found = list(connection.execute(query))
    if not found:
        raise NotFound("journal.no-record", "the journal has no such record")
    return found


def _told(checkpoint: Checkpoint) -> dict[str, Any]:
    assert checkpoint.root is not None
    return {
        "position": checkpoint.position,
        "hash": checkpoint.hash.hex(),
        "root": checkpoint.root.hex(),
        "at": checkpoint.at.isoformat(),
        "token": base64.b64encode(checkpoint.token).decode(),
    }


def _hex(path: Sequence[bytes]) -> list[str]:
    return [each.hex() for each in path]
