"""An import: the file is read and every bad cell marked; nothing happens until it is confirmed.

A file may have thousands of rows. Whatever takes its time with them, the token above all, is done
before a transaction begins: what a transaction holds, the whole house waits for.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, insert, select, update

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Conflict, Forbidden, NotFound, Refusal, Unprocessable
from policies.rights import RightsCatalogue
from ra_portal.applications import applicants_contact, application_rows
from ra_portal.applications.application import (
    Application,
    ApplicationDetails,
    ApplicationState,
    Papers,
)
from ra_portal.applications.submissions import application_row
from ra_portal.codes import CodePurpose, code_hash, new_code, new_number
from ra_portal.imports import pieces
from ra_portal.imports.columns import (
    IDENTITY,
    Column,
    ImportKind,
    columns_of,
    find_columns,
    read_row,
)
from ra_portal.imports.tables import imports
from ra_portal.papers.documents import Upload
from ra_portal.people import people_rows
from ra_portal.people.contact import Contact
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.people.operators import Operators
from ra_portal.people.personal_data import PersonalData, mask
from ra_portal.spreadsheets import reading
from records.database import Database, new_id
from records.events import Event
from records.journal import Entry, Journal

ReadRow = tuple[int, dict[str, str], dict[str, Refusal]]
"""A row's number in the file; values of its cells, and refusals, both by column."""
TakeOver = Callable[[Connection], None]
"""What is ready to be written, in one transaction."""


@dataclass(frozen=True)
class Row:
    """One row of the file."""

    number: int
    """As the spreadsheet program counts, from 1, empty rows too."""
    cells: Mapping[str, str]
    """As shown: identity numbers masked."""
    errors: Mapping[str, str]
    """Column -> what is wrong, an English sentence that the catalogue knows."""
    values: Mapping[str, str]
    """As taken over."""


@dataclass(frozen=True)
class Preview:
    id: str
    kind: ImportKind
    file_name: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    confirmed_at: datetime | None = None

    @property
    def good(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row.errors)


@dataclass(frozen=True)
class PreviewPage:
    preview: Preview
    """With the rows of this page alone."""
    total: int
    bad: int
    """Rows of the whole import, and those of them with faults."""
    number: int
    last: int


class Imports:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        personal: PersonalData,
        catalogue: RightsCatalogue,
        operators: Operators,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._personal = personal
        self._catalogue = catalogue
        self._operators = operators

    def preview(self, by: Identity, kind: ImportKind, upload: Upload) -> Preview:
        """Read a file and mark what is wrong with it.

        Raises Forbidden `role.missing`, `legal-person.required`, as `spreadsheets.reading.read`,
        Unprocessable `import.columns`, `import.rows`.
        """
        _require(by, kind)
        columns = columns_of(kind, self._catalogue)
        (_, heading), *body = reading.read(upload.content)
        places = find_columns(heading, columns)
        if not body:
            raise Unprocessable("import.rows", "there is no row below the heading")
        read = _read(columns, places, body)
        with self._database.reading() as connection:
            taken = self._taken(connection, by, kind, read)
        identifier = new_id()
        rows = self._judged(read, _key(kind), taken)
        row = {
            "id": identifier,
            "kind": str(kind),
            "owner": by.actor,
            "file_name": upload.file_name[-120:],
            "content": pieces.sealed(self._personal, identifier, [_written(each) for each in rows]),
            "created_at": self._clock.now(),
        }
        with self._database.transaction() as connection:
            connection.execute(insert(imports), row)
        return Preview(identifier, kind, upload.file_name, columns, tuple(rows))

    def show(self, by: Identity, identifier: str) -> Preview:
        """What was read, for whoever brought it. Raises NotFound `import.unknown`."""
        row = self._brought(by, identifier)
        kind = ImportKind(row.kind)
        rows = tuple(Row(**each) for each in self._pieces(row).rows())
        columns = columns_of(kind, self._catalogue)
        return Preview(row.id, kind, row.file_name, columns, rows, row.confirmed_at)

    def page(
        self, by: Identity, identifier: str, number: int, limit: int, *, only_bad: bool = False
    ) -> PreviewPage:
        """`limit` rows, those of page `number` from 1 on, or of the last page; only they are
        opened. Raises as `show`."""
        row = self._brought(by, identifier)
        kept, kind = self._pieces(row), ImportKind(row.kind)
        held = kept.bad if only_bad else kept.total
        last = max(-(-held // limit), 1)
        number = min(max(number, 1), last)
        rows = kept.rows((number - 1) * limit, limit, bad=only_bad)
        columns = columns_of(kind, self._catalogue)
        shown = Preview(
            row.id, kind, row.file_name, columns, tuple(Row(**r) for r in rows), row.confirmed_at
        )
        return PreviewPage(shown, kept.total, kept.bad, number, last)

    def kind_of(self, by: Identity, identifier: str) -> ImportKind:
        """Without opening what was read. Raises as `show`."""
        return ImportKind(self._brought(by, identifier).kind)

    def confirm(self, by: Identity, identifier: str) -> int:
        """Take over the rows without a fault; how many.

        Raises NotFound `import.unknown`, Conflict `import.confirmed`, and what taking over a row
        refuses, for example because it has come in otherwise meanwhile: then nothing is taken over.
        """
        now = self._clock.now()
        preview = self.show(by, identifier)
        _require(by, preview.kind)
        if preview.confirmed_at is not None:
            raise _confirmed()
        if preview.kind is ImportKind.ENTERPRISES:
            take_over = self._applications(by, preview, now)
        else:
            take_over = self._new_operators(by, preview)
        with self._database.transaction() as connection:
            done = connection.execute(
                update(imports)
                .where(imports.c.id == identifier, imports.c.confirmed_at.is_(None))
                .values(confirmed_at=now)
            )
            if done.rowcount != 1:
                raise _confirmed()
            take_over(connection)
            self._journal.append(
                connection,
                Event.IMPORT_CONFIRMED,
                subject=f"import:{identifier}",
                actor=by.actor,
                kind=preview.kind,
                rows=len(preview.good),
                left_out=len(preview.rows) - len(preview.good),
            )
        return len(preview.good)

    # -- inside --------------------------------------------------------------------------------

    def _brought(self, by: Identity, identifier: str) -> sqlalchemy.Row[Any]:
        with self._database.reading() as connection:
            query = select(imports).where(imports.c.id == identifier)
            row = connection.execute(query).one_or_none()
        if row is None or row.owner != by.actor:
            raise NotFound("import.unknown", "there is no such import of yours")
        return row

    def _judged(self, read: Sequence[ReadRow], key: str, taken: Collection[str]) -> list[Row]:
        """The rows as they are shown and kept."""
        counted = Counter(values.get(key, "") for _, values, _ in read)
        rows = []
        for number, values, errors in read:
            told = {name: refusal.detail for name, refusal in errors.items()}
            if key not in errors and counted[values[key]] > 1:
                told[key] = "this stands twice in the file"
            elif key not in errors and values[key] in taken:
                told[key] = "this is registered already, or on its way"
            shown, kept = dict(values), dict(values)
            if IDENTITY in values:
                shown[IDENTITY] = "*****" if IDENTITY in errors else mask(values[IDENTITY])
            rows.append(Row(number, shown, told, {} if told else kept))
        return rows

    def _taken(
        self, connection: Connection, by: Identity, kind: ImportKind, read: Sequence[ReadRow]
    ) -> set[str]:
        """USCCs of the file, or employee numbers of the enterprise, that are in use."""
        key = _key(kind)
        if kind is ImportKind.ENTERPRISES:
            usccs = {values[key] for _, values, errors in read if key not in errors}
            registered = people_rows.registered_among(connection, usccs)
            return registered | application_rows.live_among(connection, usccs)
        found = people_rows.operators_of(connection, by.require_legal_person())
        return {operator.employee_number for operator in found}

    def _pieces(self, row: sqlalchemy.Row[Any]) -> pieces.Pieces:
        return pieces.Pieces(self._personal, row.id, row.content)

    def _applications(self, by: Identity, preview: Preview, now: datetime) -> TakeOver:
        """Applications that this officer has examined: another one approves each."""
        made = [self._application(by, preview, row, now) for row in preview.good]
        told = [
            Entry(
                event,
                each.reference,
                by.actor,
                {"uscc": each.details.uscc, "import": preview.id},
            )
            for each in made
            for event in (Event.ENTERPRISE_APPLIED, Event.ENTERPRISE_REGISTERED)
        ]

        def take_over(connection: Connection) -> None:
            application_rows.add_many(connection, made)
            self._journal.append_many(connection, told)

        return take_over

    def _application(self, by: Identity, preview: Preview, row: Row, now: datetime) -> Application:
        identifier, values = new_id(), row.values
        named = ("uscc", "name", "customs_code", "legal_representative", "region")
        details = ApplicationDetails(**{name: values[name] for name in named}, branch_id=by.branch)
        contact = Contact(values.get("phone"), values.get("email"))
        number = row.values.get(IDENTITY)
        identity = self._personal.seal_optional(number, application_row(identifier))
        application = Application(
            id=identifier,
            reference=new_number("AP", self._clock, self._entropy),
            access_hash=code_hash(CodePurpose.ACCESS, new_code(self._entropy)),
            state=ApplicationState.APPLIED,
            details=details,
            papers=Papers(
                None, None, identity, applicants_contact.seal(self._personal, contact, identifier)
            ),
            submitted_at=now,
            changed_at=now,
            import_id=preview.id,
        )
        return application.register(by.subject, now)

    def _new_operators(self, by: Identity, preview: Preview) -> TakeOver:
        made = [
            self._operators.drafted(
                by,
                row.values["name"],
                row.values["employee_number"],
                [code for code in row.values.get("rights", "").split(",") if code],
                row.values.get(IDENTITY),
            )
            for row in preview.good
        ]

        def take_over(connection: Connection) -> None:
            self._operators.add_within(connection, by, made)

        return take_over


def _read(
    columns: tuple[Column, ...], places: Mapping[str, int], body: Sequence[reading.Numbered]
) -> list[ReadRow]:
    read = []
    for number, cells in body:
        named = {name: cells[at] for name, at in places.items() if at < len(cells) and cells[at]}
        read.append((number, *read_row(named, columns)))
    return read


def _key(kind: ImportKind) -> str:
    """The column that tells the rows apart."""
    return "uscc" if kind is ImportKind.ENTERPRISES else "employee_number"


def _confirmed() -> Conflict:
    return Conflict("import.confirmed", "these rows were taken over already")


def _require(by: Identity, kind: ImportKind) -> None:
    if kind is ImportKind.OPERATORS:
        by.require_legal_person()
        return
    by.require("application.import")
    if by.kind is not HolderKind.OFFICER:
        raise Forbidden("role.missing", "only an officer may do this")


def _written(row: Row) -> dict[str, object]:
    return {
        "number": row.number,
        "cells": dict(row.cells),
        "errors": dict(row.errors),
        "values": dict(row.values),
    }
