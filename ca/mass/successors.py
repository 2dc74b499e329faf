"""Certificates that a re-issue made (`ca.mass.reissue`): the same key under another authority."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from ca import inventory
from ca.inventory import CertificateRecord, CertificateState
from kernel.asn1.certificate import Certificate

_MOST_RE_ISSUES = 8


def predecessors(connection: Connection, certificate: Certificate) -> Iterator[Certificate]:
    """Those that this certificate was made from, the last first; of a stranger's there are none.

    Its companions for encryption have keys of their own and are no successors.
    """
    record = inventory.find(connection, certificate.serial)
    if record is None or record.der != certificate.der:
        return
    for _ in range(_MOST_RE_ISSUES):
        if record.companion_of is None:
            return
        before = inventory.find(connection, record.companion_of)
        if before is None or before.key_fingerprint != record.key_fingerprint:
            return
        if before.certificate is None:
            return
        yield before.certificate
        record = before


def live_of_key(connection: Connection, key: str, at: datetime) -> list[Certificate]:
    """The certificates of a key (`PublicKey.fingerprint`) that may be used, the newest first."""
    found = inventory.of_key(connection, key)
    return [each.certificate for each in found if _is_live(each, at) and each.certificate]


def _is_live(record: CertificateRecord, at: datetime) -> bool:
    return record.state is CertificateState.ISSUED and record.not_before <= at < record.not_after
