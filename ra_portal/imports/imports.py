"""An import: the file is read and every bad cell marked; nothing happens until it is confirmed."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Conflict, Forbidden, NotFound, Unprocessable
from policies.rights import RightsCatalogue
from ra_portal.applications import application_rows
from ra_portal.applications.application import (
    Application,
    ApplicationDetails,
    ApplicationState,
    Papers,
)
from ra_portal.applications.registration import application_row
from ra_portal.codes import CodePurpose, code_hash, new_code, new_number
from ra_portal.imports.columns import (
    IDENTITY,
    Column,
    ImportKind,
    columns_of,
    find_columns,
    read_row,
)
from ra_portal.papers.documents import Upload
from ra_portal.people import people_rows
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.people.operators import Operators
from ra_portal.people.personal_data import PersonalData, mask
from ra_portal.spreadsheets import reading
from ra_portal.tables import imports
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

KEPT_FOR = timedelta(days=1)
_PURPOSE = "import"


@dataclass(frozen=True)
class Row:
    """One row of the file."""

    number: int
    """As the spreadsheet program counts, the heading being 1."""
    cells: Mapping[str, str]
    """As shown: identity numbers masked."""
    errors: Mapping[str, str]
    """Column -> what is wrong, an English sentence that the catalogue knows."""
    values: Mapping[str, str]
    """As taken over; the identity number sealed, hexadecimal."""


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
        heading, *body = reading.read(upload.content)
        places = find_columns(heading, columns)
        if not body:
            raise Unprocessable("import.rows", "there is no row below the heading")
        identifier = new_id()
        with self._database.transaction() as connection:
            connection.execute(
                delete(imports).where(imports.c.created_at < self._clock.now() - KEPT_FOR)
            )
            taken = self._taken(connection, by, kind)
            rows = self._read(identifier, columns, places, body, taken)
            row = {
                "id": identifier,
                "kind": str(kind),
                "owner": by.actor,
                "file_name": upload.file_name[-120:],
                "content": json.dumps([_written(each) for each in rows], ensure_ascii=False),
                "created_at": self._clock.now(),
            }
            connection.execute(insert(imports), row)
        return Preview(identifier, kind, upload.file_name, columns, tuple(rows))

    def show(self, by: Identity, identifier: str) -> Preview:
        """What was read, for whoever brought it. Raises NotFound `import.unknown`."""
        with self._database.reading() as connection:
            return self._find(connection, by, identifier)

    def confirm(self, by: Identity, identifier: str) -> int:
        """Take over the rows without a fault; how many.

        Raises NotFound `import.unknown`, Conflict `import.confirmed`, and what taking over a row
        refuses, for example because it has come in otherwise meanwhile: then nothing is taken over.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            preview = self._find(connection, by, identifier)
            _require(by, preview.kind)
            done = connection.execute(
                update(imports)
                .where(imports.c.id == identifier, imports.c.confirmed_at.is_(None))
                .values(confirmed_at=now)
            )
            if done.rowcount != 1:
                raise Conflict("import.confirmed", "these rows were taken over already")
            for row in preview.good:
                if preview.kind is ImportKind.ENTERPRISES:
                    self._apply(connection, by, preview, row, now)
                else:
                    self._add_operator(connection, by, preview, row)
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

    def _read(
        self,
        identifier: str,
        columns: tuple[Column, ...],
        places: Mapping[str, int],
        body: list[list[str]],
        taken: Callable[[str], bool],
    ) -> list[Row]:
        key = "uscc" if any(column.name == "uscc" for column in columns) else "employee_number"
        read = []
        for cells in body:
            named = {n: cells[at] for n, at in places.items() if at < len(cells) and cells[at]}
            read.append(read_row(named, columns))
        counted = Counter(values.get(key, "") for values, _ in read)
        rows = []
        for number, (values, errors) in enumerate(read, 2):
            told = {name: refusal.detail for name, refusal in errors.items()}
            if key not in errors and counted[values[key]] > 1:
                told[key] = "this stands twice in the file"
            elif key not in errors and taken(values[key]):
                told[key] = "this is registered already, or on its way"
            shown, kept = dict(values), dict(values)
            if IDENTITY in values:
                shown[IDENTITY] = "*****" if IDENTITY in errors else mask(values[IDENTITY])
                sealed = self._personal.seal_text(values[IDENTITY], _PURPOSE, identifier)
                kept[IDENTITY] = sealed.hex()
            rows.append(Row(number, shown, told, {} if told else kept))
        return rows

    def _taken(
        self, connection: Connection, by: Identity, kind: ImportKind
    ) -> Callable[[str], bool]:
        """Whether a USCC, or an employee number of the enterprise, is in use."""
        if kind is ImportKind.ENTERPRISES:
            return lambda uscc: (
                people_rows.find_enterprise(connection, uscc) is not None
                or application_rows.live_for(connection, uscc) is not None
            )
        found = people_rows.operators_of(connection, by.require_legal_person())
        return {operator.employee_number for operator in found}.__contains__

    def _find(self, connection: Connection, by: Identity, identifier: str) -> Preview:
        row = connection.execute(select(imports).where(imports.c.id == identifier)).one_or_none()
        if row is None or row.owner != by.actor:
            raise NotFound("import.unknown", "there is no such import of yours")
        kind = ImportKind(row.kind)
        rows = tuple(Row(**each) for each in json.loads(row.content))
        columns = columns_of(kind, self._catalogue)
        return Preview(row.id, kind, row.file_name, columns, rows, row.confirmed_at)

    def _number(self, preview: Preview, row: Row) -> str | None:
        sealed = row.values.get(IDENTITY)
        if sealed is None:
            return None
        return self._personal.open_text(bytes.fromhex(sealed), _PURPOSE, preview.id)

    def _apply(
        self, connection: Connection, by: Identity, preview: Preview, row: Row, now: datetime
    ) -> None:
        """An application that this officer has examined: another one approves it."""
        identifier, values = new_id(), row.values
        named = ("uscc", "name", "customs_code", "legal_representative", "region")
        details = ApplicationDetails(
            **{name: values[name] for name in named},
            phone=values.get("phone"),
            email=values.get("email"),
            branch_id=by.branch,
        )
        number = self._number(preview, row)
        identity = self._personal.seal_optional(number, application_row(identifier))
        application = Application(
            id=identifier,
            reference=new_number("AP", self._clock, self._entropy),
            access_hash=code_hash(CodePurpose.ACCESS, new_code(self._entropy)),
            state=ApplicationState.APPLIED,
            details=details,
            papers=Papers(None, None, identity),
            submitted_at=now,
            changed_at=now,
        )
        application_rows.add(connection, application)
        registered = application.register(by.subject, now)
        application_rows.save(connection, registered)
        for event in (Event.ENTERPRISE_APPLIED, Event.ENTERPRISE_REGISTERED):
            self._journal.append(
                connection, event, subject=registered.reference, actor=by.actor,
                uscc=details.uscc, **{"import": preview.id},
            )  # fmt: skip

    def _add_operator(
        self, connection: Connection, by: Identity, preview: Preview, row: Row
    ) -> None:
        rights = [code for code in row.values.get("rights", "").split(",") if code]
        self._operators.add_within(
            connection,
            by,
            row.values["name"],
            row.values["employee_number"],
            frozenset(rights),
            self._number(preview, row),
        )


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
