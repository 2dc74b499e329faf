"""Applicants' papers in the database: the bytes as they came, and the pictures that people see."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from kernel.refusals import NotFound
from ra_portal.applications.application import Papers
from ra_portal.papers.documents import DocumentKind, Licence
from ra_portal.papers.page_pictures import PICTURE_TYPE
from ra_portal.papers.tables import document_pages, documents
from records.database import new_id


@dataclass(frozen=True)
class StoredDocument:
    """A paper as kept."""

    id: str
    kind: DocumentKind
    media_type: str
    file_name: str
    sha256: str
    size: int
    """Bytes."""
    pages: int
    uploaded_at: datetime


def add(
    connection: Connection, application_id: str, kind: DocumentKind, scan: Licence, at: datetime
) -> str:
    """Keep it; the document's id. Older ones of the application stay as evidence."""
    identifier = new_id()
    connection.execute(
        insert(documents),
        {
            "id": identifier,
            "application_id": application_id,
            "kind": str(kind),
            "media_type": scan.media_type,
            "file_name": scan.file_name,
            "sha256": scan.sha256,
            "size": len(scan.content),
            "content": scan.content,
            "uploaded_at": at,
            "pages": len(scan.pages),
        },
    )
    connection.execute(
        insert(document_pages),
        [
            {
                "document_id": identifier,
                "page": number,
                "media_type": PICTURE_TYPE,
                "content": picture.content,
            }
            for number, picture in enumerate(scan.pages, 1)
        ],
    )
    return identifier


def facts(connection: Connection, identifier: str | None) -> StoredDocument | None:
    """None where there is none."""
    columns = [documents.c[name] for name in StoredDocument.__dataclass_fields__]
    row = connection.execute(select(*columns).where(documents.c.id == identifier)).one_or_none()
    if row is None:
        return None
    return StoredDocument(**{**row._mapping, "kind": DocumentKind(row.kind)})


def page(connection: Connection, identifier: str | None, number: int) -> bytes:
    """The picture of a page, from 1; JPEG. Raises NotFound `licence.unknown`."""
    query = select(document_pages.c.content).where(
        document_pages.c.document_id == identifier, document_pages.c.page == number
    )
    content = connection.execute(query).scalar_one_or_none()
    if content is None:
        raise NotFound("licence.unknown", "there is no such document")
    return bytes(content)


def digests(connection: Connection, papers: Papers) -> dict[str, str | None]:
    """For the journal: which bytes were handed in."""
    return {f"{kind}_sha256": each.sha256 for kind, each in of_papers(connection, papers).items()}


def of_papers(connection: Connection, papers: Papers) -> dict[DocumentKind, StoredDocument]:
    """Those that there are."""
    found = {kind: facts(connection, identifier) for kind, identifier in ids(papers).items()}
    return {kind: each for kind, each in found.items() if each is not None}


def remove(connection: Connection, identifiers: list[str]) -> None:
    """Erase documents that no application has."""
    connection.execute(delete(document_pages).where(document_pages.c.document_id.in_(identifiers)))
    connection.execute(delete(documents).where(documents.c.id.in_(identifiers)))


def of_application(connection: Connection, application_id: str) -> list[str]:
    """Ids of every document there ever was, by the application, or the draft, that it is for."""
    query = select(documents.c.id).where(documents.c.application_id == application_id)
    return list(connection.execute(query).scalars())


def ids(papers: Papers) -> dict[DocumentKind, str | None]:
    """The documents' ids."""
    return {DocumentKind.LICENCE: papers.licence_id, DocumentKind.ATTORNEY: papers.attorney_id}
