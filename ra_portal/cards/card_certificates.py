"""The certificates of a card: the one it was made with, what that was re-issued as, and those for
encryption beside them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from ca import inventory
from ca.inventory import CertificateRecord, CertificateState, RevocationReason
from ca.issuing.companions import companions_of
from kernel.identifiers import parse_serial, serial_text
from kernel.refusals import Malformed
from ra_portal.cards.card import Card


class Use(StrEnum):
    SIGNING = "signing"
    ENCRYPTION = "encryption"


@dataclass(frozen=True)
class CardCertificate:
    use: Use
    serial: str
    """Hexadecimal, upper case."""
    fingerprint: str
    """SHA-256, hexadecimal."""
    issuer: str
    """The authority's name, RFC 4514."""
    not_before: datetime
    not_after: datetime
    state: str
    """`good`, `on-hold`, `revoked` or `expired`."""
    current: bool
    """The newest of its use."""


def of_card(connection: Connection, card: Card, at: datetime) -> list[CardCertificate]:
    """Newest first, for signing before those for encryption; none of a card yet to be made."""
    if card.serial is None:
        return []
    serials = [card.serial, *companions_of(connection, [card.serial])]
    found = (inventory.find(connection, parse_serial(serial)) for serial in serials)
    issued = [each for each in found if each is not None and each.certificate is not None]
    issued.sort(
        key=lambda each: (each.intended_at, serial_text(each.serial) != card.serial), reverse=True
    )
    key = next(each.key_fingerprint for each in issued if serial_text(each.serial) == card.serial)
    told: list[CardCertificate] = []
    for use in Use:
        mine = [each for each in issued if (each.key_fingerprint == key) is (use is Use.SIGNING)]
        told += [_shown(use, each, at, each is mine[0]) for each in mine]
    return told


def first_of(connection: Connection, serial: str) -> str:
    """The serial number of the certificate that a card was made with, by any of the card's; what
    is no certificate's number comes back as it is."""
    try:
        record = inventory.find(connection, parse_serial(serial))
    except Malformed:
        return serial
    seen: set[int] = set()
    while record is not None and record.companion_of is not None and record.serial not in seen:
        seen.add(record.serial)
        record = inventory.find(connection, record.companion_of)
    return serial if record is None else serial_text(record.serial)


def _shown(use: Use, record: CertificateRecord, at: datetime, current: bool) -> CardCertificate:
    certificate = record.certificate
    assert certificate is not None, "only issued ones are shown"
    return CardCertificate(
        use,
        serial_text(record.serial),
        certificate.fingerprint,
        certificate.issuer_text(),
        record.not_before,
        record.not_after,
        _state(record, at),
        current,
    )


def _state(record: CertificateRecord, at: datetime) -> str:
    if record.reason is RevocationReason.CERTIFICATE_HOLD:
        return "on-hold"
    if record.state is not CertificateState.ISSUED:
        return "revoked"
    return "good" if at < record.not_after else "expired"
