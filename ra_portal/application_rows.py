"""Applications and their documents in the database."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from kernel.refusals import Conflict, NotFound
from ra_portal.application import Application, ApplicationDetails, ApplicationState
from ra_portal.documents import Licence
from ra_portal.tables import applications, documents
from records.database import new_id

_DETAILS = tuple(ApplicationDetails.__dataclass_fields__)
_OWN = tuple(name for name in Application.__dataclass_fields__ if name != "details")


@dataclass(frozen=True)
class StoredLicence:
    """A licence as kept."""

    id: str
    media_type: str
    file_name: str
    sha256: str
    size: int
    """Bytes."""
    uploaded_at: datetime


def add(connection: Connection, application: Application) -> None:
    """Raises Conflict `application.exists`."""
    try:
        connection.execute(insert(applications), _row(application))
    except IntegrityError as error:
        raise _exists() from error


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


def by_id(connection: Connection, identifier: str) -> Application:
    """Raises NotFound `application.unknown`."""
    return _one(connection, select(applications).where(applications.c.id == identifier))


def find_by_access(connection: Connection, reference: str, access_hash: str) -> Application | None:
    """The application, when reference and access code belong together."""
    query = select(applications).where(
        applications.c.reference == reference, applications.c.access_hash == access_hash
    )
    row = connection.execute(query).one_or_none()
    return _application(row._mapping) if row else None


def live_for(connection: Connection, uscc: str) -> Application | None:
    """The application that keeps a second one for the same enterprise out."""
    query = select(applications).where(applications.c.live_uscc == uscc)
    row = connection.execute(query).one_or_none()
    return _application(row._mapping) if row else None


def search(
    connection: Connection,
    states: tuple[ApplicationState, ...],
    text: str,
    offset: int,
    limit: int,
) -> tuple[list[Application], int]:
    """One page of the queue, longest waiting first, and how many there are in all."""
    query = select(applications)
    if states:
        query = query.where(applications.c.state.in_([str(state) for state in states]))
    if text:
        query = query.where(
            or_(
                applications.c.name.contains(text, autoescape=True),
                applications.c.uscc.startswith(text.upper(), autoescape=True),
                applications.c.reference == text.upper(),
            )
        )
    total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    page = query.order_by(applications.c.changed_at, applications.c.id).offset(offset).limit(limit)
    return [_application(row._mapping) for row in connection.execute(page)], total


def counts(connection: Connection) -> dict[ApplicationState, int]:
    """How many applications are in each state."""
    query = select(applications.c.state, func.count()).group_by(applications.c.state)
    return {ApplicationState(state): count for state, count in connection.execute(query)}


def add_licence(connection: Connection, application_id: str, licence: Licence, at: datetime) -> str:
    """Keep the bytes; the document's id. Older ones of the application stay as evidence."""
    identifier = new_id()
    connection.execute(
        insert(documents),
        {
            "id": identifier,
            "application_id": application_id,
            "media_type": licence.media_type,
            "file_name": licence.file_name,
            "sha256": licence.sha256,
            "size": len(licence.content),
            "content": licence.content,
            "uploaded_at": at,
        },
    )
    return identifier


def licence_facts(connection: Connection, identifier: str) -> StoredLicence:
    """Raises NotFound `licence.unknown`."""
    columns = [documents.c[name] for name in StoredLicence.__dataclass_fields__]
    row = connection.execute(select(*columns).where(documents.c.id == identifier)).one_or_none()
    if row is None:
        raise NotFound("licence.unknown", "there is no such document")
    return StoredLicence(**row._mapping)


def licence_content(connection: Connection, identifier: str) -> bytes:
    """Raises NotFound `licence.unknown`."""
    query = select(documents.c.content).where(documents.c.id == identifier)
    content = connection.execute(query).scalar_one_or_none()
    if content is None:
        raise NotFound("licence.unknown", "there is no such document")
    return bytes(content)


def _one(connection: Connection, query: Select[Any]) -> Application:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("application.unknown", "there is no such application")
    return _application(row._mapping)


def _row(application: Application) -> dict[str, object]:
    own = {name: getattr(application, name) for name in _OWN}
    own["state"] = str(application.state)
    live = application.details.uscc if application.is_live else None
    return {**own, **asdict(application.details), "live_uscc": live}


def _application(row: Mapping[Any, Any]) -> Application:
    own = {name: row[name] for name in _OWN}
    own["state"] = ApplicationState(row["state"])
    return Application(details=ApplicationDetails(**{n: row[n] for n in _DETAILS}), **own)


def _exists() -> Conflict:
    return Conflict(
        "application.exists", "an application for this enterprise is already on its way"
    )
