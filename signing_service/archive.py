"""Accepted signatures, kept with their document and the report of the day (article 24)."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select

from signing_service.ports import Holder
from signing_service.tables import accepted_signatures


@dataclass(frozen=True)
class AcceptedSignature:
    """One signature that the service accepted."""

    id: str
    accepted_at: datetime
    format: str
    level: str
    kind: str
    card: str
    subject: str
    enterprise: str | None
    rights: tuple[str, ...]
    """The signer's rights at the time of signing."""
    certificate_fingerprint: str
    document: bytes
    signature: bytes
    """Detached: the CMS; enveloped: the signed document."""
    report: str
    """The validation report at acceptance, JSON."""

    @property
    def document_sha256(self) -> str:
        return hashlib.sha256(self.document).hexdigest()


def keep(connection: Connection, accepted: AcceptedSignature) -> None:
    """Store it in the caller's transaction."""
    values = {column.name: getattr(accepted, column.name) for column in accepted_signatures.c}
    values["rights"] = json.dumps(accepted.rights)
    connection.execute(insert(accepted_signatures), values)


def find(connection: Connection, signature_id: str) -> AcceptedSignature | None:
    """By identifier."""
    query = select(accepted_signatures).where(accepted_signatures.c.id == signature_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _of(row)


def of_holder(connection: Connection, holder: Holder, limit: int = 100) -> list[AcceptedSignature]:
    """The newest signatures of one card, newest first."""
    query = (
        select(accepted_signatures)
        .where(accepted_signatures.c.card == holder.card)
        .order_by(accepted_signatures.c.accepted_at.desc())
        .limit(limit)
    )
    return [_of(row) for row in connection.execute(query)]


def _of(row: Row[tuple[object, ...]]) -> AcceptedSignature:
    values = dict(row._mapping)
    values.pop("document_sha256")
    values["rights"] = tuple(json.loads(values["rights"]))
    return AcceptedSignature(**values)
