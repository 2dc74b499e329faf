"""Branches (制卡点): who works at one sees the enterprises of that branch and no others.

An officer without a branch works at the head office and sees all.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, true
from sqlalchemy.exc import IntegrityError

from kernel.clock import Clock
from kernel.refusals import Conflict, Forbidden, Malformed, Unprocessable
from ra_portal import fields
from ra_portal.cards.card import Holder
from ra_portal.people import people_rows
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.people.tables import branches, enterprises, operators
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal


@dataclass(frozen=True)
class Branch:
    id: str
    code: str
    """Short and known to people, such as its customs district: `2200`."""
    name: str
    region: str
    created_at: datetime


class Branches:
    def __init__(self, database: Database, journal: Journal, clock: Clock) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock

    def all(self) -> list[Branch]:
        """For everybody: an applicant chooses one."""
        with self._database.reading() as connection:
            rows = connection.execute(select(branches).order_by(branches.c.code))
            return [Branch(**row._mapping) for row in rows]

    def add(self, by: Identity, code: str, name: str, region: str) -> Branch:
        """Raises Forbidden `role.missing`, `fields.InvalidFields`, Conflict `branch.exists`."""
        by.require("branch.manage")
        reader = fields.FieldReader({"branch": code, "name": name, "region": region})
        branch = Branch(
            new_id(),
            reader.read("branch", _code),
            reader.read("name", fields.text(80)),
            reader.read("region", fields.text(80)),
            self._clock.now(),
        )
        reader.finish()
        row = {column: getattr(branch, column) for column in Branch.__dataclass_fields__}
        with self._database.transaction() as connection:
            try:
                connection.execute(insert(branches), row)
            except IntegrityError as error:
                raise Conflict("branch.exists", "a branch of this code exists already") from error
            self._journal.append(
                connection, Event.BRANCH_ADDED, subject=f"branch:{branch.code}", actor=by.actor,
                name=branch.name,
            )  # fmt: skip
        return branch


def id_of(connection: Connection, code: str) -> str:
    """Raises Unprocessable `branch.unknown`."""
    query = select(branches.c.id).where(branches.c.code == code.strip().upper())
    found: str | None = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise Unprocessable("branch.unknown", "there is no such branch")
    return found


def by_id(connection: Connection, identifier: str | None) -> Branch | None:
    row = connection.execute(select(branches).where(branches.c.id == identifier)).one_or_none()
    return Branch(**row._mapping) if row else None


def require_branch(by: Identity, branch_id: str | None) -> None:
    """What belongs to `branch_id` is the officer's to see. Raises Forbidden `branch.foreign`."""
    if by.kind is HolderKind.OFFICER and by.branch is not None and by.branch != branch_id:
        raise Forbidden("branch.foreign", "this belongs to another branch")


def seen_by(
    by: Identity, kind: ColumnElement[str], holder_id: ColumnElement[str]
) -> ColumnElement[bool]:
    """The rows about holders that `require_holder` lets pass: for lists of enterprises' and
    operators' matters."""
    if by.kind is not HolderKind.OFFICER or by.branch is None:
        return true()
    own = select(enterprises.c.id).where(enterprises.c.branch_id == by.branch)
    workers = select(operators.c.id).where(operators.c.enterprise_id.in_(own))
    return or_(
        and_(kind == str(HolderKind.LEGAL_PERSON), holder_id.in_(own)),
        and_(kind == str(HolderKind.OPERATOR), holder_id.in_(workers)),
    )


def require_holder(connection: Connection, by: Identity, holder: Holder) -> None:
    """As `require_branch`, for whoever holds a card. Raises Forbidden `branch.foreign`."""
    if by.kind is not HolderKind.OFFICER or by.branch is None:
        return
    if holder.kind is HolderKind.OFFICER:
        require_branch(by, people_rows.officer(connection, holder.id).branch_id)
        return
    enterprise = people_rows.enterprise_of(connection, holder)
    require_branch(by, enterprise.branch_id if enterprise else None)


def _code(value: str) -> str:
    code = value.strip().upper()
    if not (2 <= len(code) <= 12 and code.isascii() and code.isalnum()):
        raise Malformed("branch.code", "a branch's code is 2 to 12 letters and digits")
    return code
