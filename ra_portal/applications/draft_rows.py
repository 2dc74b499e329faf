"""Drafts in the database."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from kernel.refusals import Conflict
from ra_portal.applications.application import Papers
from ra_portal.applications.tables import drafts


@dataclass(frozen=True)
class Draft:
    """An application that is still being written. Its id becomes the application's."""

    id: str
    content: bytes
    """What was typed, sealed."""
    papers: Papers
    changed_at: datetime
    code_hash: str | None = None
    """Of the code with which it is continued elsewhere."""
    version: int = 1
    """Of what was typed and of the scans: each save makes the next."""


def of_correction(application_id: str) -> str:
    """The id of a correction's draft: another one than the application's, whose papers are
    evidence."""
    return hashlib.sha256(f"correction {application_id}".encode()).hexdigest()[:32]


def require_version(draft: Draft | None, version: int | None) -> None:
    """Raises Conflict `draft.changed` unless this version stands."""
    if draft is not None and version is not None and version != draft.version:
        raise Conflict(
            "draft.changed",
            "this draft was saved in another tab or on another computer meanwhile",
        )


def add(connection: Connection, draft: Draft) -> None:
    connection.execute(insert(drafts), _row(draft))


def save(connection: Connection, draft: Draft) -> None:
    """What was typed and the papers; the code is `set_code`'s."""
    values = {name: value for name, value in _row(draft).items() if name != "code_hash"}
    connection.execute(update(drafts).where(drafts.c.id == draft.id).values(values))


def set_code(connection: Connection, identifier: str, code_hash: str) -> None:
    mine = update(drafts).where(drafts.c.id == identifier)
    connection.execute(mine.values(code_hash=code_hash))


def find(connection: Connection, identifier: str) -> Draft | None:
    return _one(connection, drafts.c.id == identifier)


def lock(connection: Connection, identifier: str) -> Draft | None:
    """As `find`; who else changes or hands in the draft waits for the end of the transaction."""
    row = select(drafts.c.id).where(drafts.c.id == identifier).with_for_update()
    if connection.execute(row).first() is None:
        return None
    return find(connection, identifier)


def find_by_code(connection: Connection, code_hash: str) -> Draft | None:
    return _one(connection, drafts.c.code_hash == code_hash)


def remove(connection: Connection, identifier: str) -> None:
    connection.execute(delete(drafts).where(drafts.c.id == identifier))


def untouched(connection: Connection, before: datetime, limit: int) -> list[str]:
    """Ids of drafts that nobody has changed since."""
    query = select(drafts.c.id).where(drafts.c.changed_at < before).limit(limit)
    return list(connection.execute(query).scalars())


def with_paper(draft: Draft, kind: str, identifier: str) -> Draft:
    """The draft with another `licence` or `attorney`."""
    papers = draft.papers
    if kind == "licence":
        return replace(draft, papers=replace(papers, licence_id=identifier))
    return replace(draft, papers=replace(papers, attorney_id=identifier))


def _one(connection: Connection, condition: Any) -> Draft | None:
    row = connection.execute(select(drafts).where(condition)).one_or_none()
    if row is None:
        return None
    papers = Papers(row.licence_id, row.attorney_id)
    return Draft(row.id, bytes(row.content), papers, row.changed_at, row.code_hash, row.version)


def _row(draft: Draft) -> dict[str, object]:
    return {
        "id": draft.id,
        "content": draft.content,
        "licence_id": draft.papers.licence_id,
        "attorney_id": draft.papers.attorney_id,
        "changed_at": draft.changed_at,
        "code_hash": draft.code_hash,
        "version": draft.version,
    }
