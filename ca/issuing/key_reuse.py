"""One key, one live certificate: whose key a public key was before."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection

from ca import inventory, transitions
from ca.inventory import CertificateState, RevocationReason
from kernel.identifiers import parse_serial
from kernel.refusals import Unprocessable


def require_free_keys(
    connection: Connection,
    wanted: Mapping[str, str],
    now: datetime,
    succeeded: Collection[int] = (),
) -> None:
    """Refuse a key that lives in a certificate, was somebody else's, or was compromised.

    `wanted`: digest of the subject by the key's fingerprint. `succeeded`: serial numbers of
    certificates that give up their key to a new one. Raises Conflict
    `public-key.already-certified`, Unprocessable `public-key.compromised`.
    """
    expired = []
    for row in inventory.holders_of_keys(connection, list(wanted)):
        if row.subject_digest != wanted[row.key_fingerprint]:
            raise transitions.already_certified()
        if row.reason == RevocationReason.KEY_COMPROMISE:
            raise Unprocessable("public-key.compromised", "the key was reported as compromised")
        ended = row.state in (CertificateState.REVOKED, CertificateState.ABANDONED)
        if row.not_after < now or parse_serial(row.serial) in succeeded:
            expired.append(row.serial)
        elif not ended or row.reason == RevocationReason.CERTIFICATE_HOLD:
            raise transitions.already_certified()
    if expired:
        transitions.release_key(connection, expired)
