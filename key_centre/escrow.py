"""Escrowed keys: rows and what they hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from hsm.wrapping import WrappedKey
from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.identifiers import Serial, parse_serial, serial_text
from kernel.refusals import NotFound
from key_centre.ports import LiveCard
from key_centre.tables import escrowed_keys
from records.database import new_id

_COLUMNS = escrowed_keys.c


@dataclass(frozen=True)
class EscrowedKey:
    """A private key that only the escrow key opens, and the certificate for it."""

    id: str
    signing_serial: Serial
    card: str
    holder: str
    kind: str
    wrapped: WrappedKey
    escrow_label: str
    """The secret key of the centre's token that wraps it."""
    made_at: datetime
    certificate: Certificate | None
    """None until the authority issued it."""

    @property
    def public_key(self) -> PublicKey:
        return PublicKey.from_spki(self.wrapped.spki)


def new_key(card: LiveCard, wrapped: WrappedKey, escrow_label: str, at: datetime) -> EscrowedKey:
    return EscrowedKey(
        new_id(), card.certificate.serial, card.number, card.holder, card.kind, wrapped,
        escrow_label, at, None,
    )  # fmt: skip


def add(connection: Connection, key: EscrowedKey) -> bool:
    """False: another process made one for the same signing certificate first."""
    values = {
        "id": key.id,
        "signing_serial": serial_text(key.signing_serial),
        "card": key.card,
        "holder": key.holder,
        "kind": key.kind,
        "fingerprint": key.public_key.fingerprint,
        "wrapped": key.wrapped.encode(),
        "escrow_label": key.escrow_label,
        "made_at": key.made_at,
    }
    try:
        with connection.begin_nested():
            connection.execute(insert(escrowed_keys), values)
    except IntegrityError:
        return False
    return True


def note_certificate(connection: Connection, key: EscrowedKey, certificate: Certificate) -> bool:
    """False: it was noted before."""
    done = connection.execute(
        update(escrowed_keys)
        .where(_COLUMNS.id == key.id, _COLUMNS.serial.is_(None))
        .values(serial=serial_text(certificate.serial), certificate=certificate.der)
    )
    return done.rowcount == 1


def of_signing_certificate(connection: Connection, serial: Serial) -> EscrowedKey | None:
    return _one(connection, _COLUMNS.signing_serial == serial_text(serial))


def of_key(connection: Connection, fingerprint: str) -> EscrowedKey:
    """By `PublicKey.fingerprint`. Raises NotFound `escrow.unknown`."""
    return _known(_one(connection, _COLUMNS.fingerprint == fingerprint))


def by_id(connection: Connection, identifier: str) -> EscrowedKey:
    """Raises NotFound `escrow.unknown`."""
    return _known(_one(connection, _COLUMNS.id == identifier))


def by_ids(connection: Connection, identifiers: Iterable[str]) -> dict[str, EscrowedKey]:
    rows = connection.execute(select(escrowed_keys).where(_COLUMNS.id.in_(list(identifiers))))
    return {row.id: _key(row) for row in rows}


def of_holder(connection: Connection, holder: str) -> list[EscrowedKey]:
    """Newest first."""
    query = select(escrowed_keys).where(_COLUMNS.holder == holder)
    rows = connection.execute(query.order_by(_COLUMNS.made_at.desc()))
    return [_key(row) for row in rows]


def _one(connection: Connection, condition: Any) -> EscrowedKey | None:
    row = connection.execute(select(escrowed_keys).where(condition)).one_or_none()
    return None if row is None else _key(row)


def _known(key: EscrowedKey | None) -> EscrowedKey:
    if key is None:
        raise NotFound("escrow.unknown", "no key is escrowed for this certificate")
    return key


def _key(row: Any) -> EscrowedKey:
    return EscrowedKey(
        id=row.id,
        signing_serial=parse_serial(row.signing_serial),
        card=row.card,
        holder=row.holder,
        kind=row.kind,
        wrapped=WrappedKey.decode(bytes(row.wrapped)),
        escrow_label=row.escrow_label,
        made_at=row.made_at,
        certificate=None if row.certificate is None else Certificate.parse(bytes(row.certificate)),
    )
