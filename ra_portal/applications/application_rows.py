"""Applications in the database."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select, update
from sqlalchemy.exc import IntegrityError

from kernel.refusals import Conflict, NotFound
from ra_portal.applications.application import (
    Application,
    ApplicationDetails,
    ApplicationState,
    Papers,
)
from ra_portal.applications.tables import applications
from ra_portal.people import name_search, people_rows
from records.bulk import insert_rows

_DETAILS = tuple(ApplicationDetails.__dataclass_fields__)
_APART = {"details", "papers", "remarks", "previous"}
_OWN = tuple(name for name in Application.__dataclass_fields__ if name not in _APART)


def add(connection: Connection, application: Application) -> None:
    """Raises Conflict `application.exists`."""
    add_many(connection, [application])


def add_many(connection: Connection, new: Sequence[Application]) -> None:
    """All or none. Raises as `add`."""
    ordered = sorted(new, key=lambda each: each.details.uscc)  # two at once wait in one order
    try:
        insert_rows(connection, applications, [_row(each) for each in ordered])
    except IntegrityError as error:
        raise _exists() from error
    names = {each.details.uscc: each.details.name for each in new}
    name_search.ENTERPRISES.remember_many(connection, names)


def save(connection: Connection, application: Application) -> None:
    """Store a moved application. Raises Conflict `application.changed`, `application.exists`."""
    try:
        done = connection.execute(
            update(applications)
            .where(applications.c.id == application.id)
            .where(applications.c.version == application.version - 1)
            .values(_row(application))
        )
    except IntegrityError as error:
        raise _exists() from error
    if done.rowcount != 1:
        raise Conflict("application.changed", "somebody else has just changed this application")
    if application.previous:
        name_search.ENTERPRISES.remember(
            connection, application.details.uscc, application.details.name
        )


def by_id(connection: Connection, identifier: str) -> Application:
    """Raises NotFound `application.unknown`."""
    return _one(connection, select(applications).where(applications.c.id == identifier))


def lock(connection: Connection, identifier: str) -> Application:
    """As `by_id`; who else moves it, or saves a correction of it, waits for the end of the
    transaction."""
    query = select(applications.c.id).where(applications.c.id == identifier)
    connection.execute(query.with_for_update())
    return by_id(connection, identifier)


def lock_reference(connection: Connection, reference: str) -> None:
    """Keep others that do so, or that move it, waiting until the transaction ends."""
    query = select(applications.c.id).where(applications.c.reference == reference)
    connection.execute(query.with_for_update())


def by_reference(connection: Connection, reference: str) -> Application:
    """Raises NotFound `application.unknown`."""
    return _one(connection, select(applications).where(applications.c.reference == reference))


def find_by_reference(connection: Connection, reference: str) -> Application | None:
    return _find(connection, applications.c.reference == reference)


def find_by_access(connection: Connection, reference: str, access_hash: str) -> Application | None:
    """The application, when reference and access code belong together."""
    return _find(
        connection,
        applications.c.reference == reference,
        applications.c.access_hash == access_hash,
    )


def live_for(connection: Connection, uscc: str) -> Application | None:
    """The application that keeps a second one for the same enterprise out."""
    return _find(connection, applications.c.live_uscc == uscc)


def live_among(connection: Connection, usccs: Collection[str]) -> set[str]:
    """Those of these for which `live_for` finds one."""
    query = select(applications.c.live_uscc).where(applications.c.live_uscc.in_(list(usccs)))
    return set(connection.execute(query).scalars())


def _find(connection: Connection, *conditions: ColumnElement[bool]) -> Application | None:
    row = connection.execute(select(applications).where(*conditions)).one_or_none()
    return from_row(row._mapping) if row else None


def _one(connection: Connection, query: Select[Any]) -> Application:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("application.unknown", "there is no such application")
    return from_row(row._mapping)


def _row(application: Application) -> dict[str, object]:
    own = {name: getattr(application, name) for name in _OWN}
    own["state"] = str(application.state)
    live = application.details.uscc if application.is_live else None
    papers = application.papers
    return {
        **own,
        **asdict(application.details),
        **people_rows.identity_columns(papers.identity),
        "licence_id": papers.licence_id,
        "attorney_id": papers.attorney_id,
        "contact_cipher": papers.contact,
        "remarks": _written(application.remarks),
        "previous": _written(application.previous),
        "live_uscc": live,
    }


def from_row(row: Mapping[Any, Any]) -> Application:
    """The application in a row of `tables.applications`."""
    own = {name: row[name] for name in _OWN}
    own["state"] = ApplicationState(row["state"])
    return Application(
        details=ApplicationDetails(**{name: row[name] for name in _DETAILS}),
        papers=Papers(
            row["licence_id"],
            row["attorney_id"],
            people_rows.sealed_identity(row),
            row["contact_cipher"],
        ),
        remarks=json.loads(row["remarks"] or "{}"),
        previous=json.loads(row["previous"] or "{}"),
        **own,
    )


def _written(values: Mapping[str, str | None]) -> str | None:
    return json.dumps(dict(values), ensure_ascii=False) if values else None


def _exists() -> Conflict:
    return Conflict(
        "application.exists", "an application for this enterprise is already on its way"
    )
