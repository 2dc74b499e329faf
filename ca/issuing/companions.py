"""Certificates that go with another: linked in life, ended in one moment. For encryption with that
for signing; re-issued under a new authority with the one before.

Whatever ends, holds or releases the signing certificate does the same to its companions, in the
same transaction, so that no other room has to remember them.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from ca import inventory
from ca.inventory import CertificateRecord, CertificateState
from ca.tables import certificates
from kernel.identifiers import Serial
from kernel.refusals import Conflict, Unprocessable
from policies.profile import CertificateProfile

_COLUMNS = certificates.c


def required_end(
    profile: CertificateProfile,
    signing: CertificateRecord | None,
    subject: bytes,
    wanted: datetime | None,
) -> datetime | None:
    """When a certificate ends at the latest: a companion with its signing certificate.

    `signing`: the certificate that it goes with; `subject`: the Name asked for, DER.
    Raises Unprocessable `companion.missing`, `companion.not-allowed`, `companion.other-holder`;
    Conflict `companion.not-live`.
    """
    if (profile.key_location == "key-centre") is not (signing is not None):
        if signing is None:
            raise Unprocessable("companion.missing", "it goes with a signing certificate")
        raise Unprocessable("companion.not-allowed", "the profile stands alone")
    if signing is None:
        return wanted
    certificate = signing.certificate
    if signing.state is not CertificateState.ISSUED or certificate is None:
        raise _not_live()
    if certificate.subject_der != subject:
        raise Unprocessable("companion.other-holder", "the signing certificate is another's")
    return certificate.not_after if wanted is None else min(wanted, certificate.not_after)


def require_live(
    connection: Connection,
    signing: Sequence[Serial],
    at: datetime,
    companions: Sequence[Serial] = (),
) -> None:
    """That nobody ends these signing certificates before this transaction is over.

    Locks their rows, as a revocation does first of all, and with them those of `companions` that
    are there already. Raises Conflict `companion.not-live`.
    """
    if not signing:
        return
    locked = inventory.lock(connection, [*signing, *companions])
    for serial in signing:
        record = locked.get(serial)
        if record is None or record.state is not CertificateState.ISSUED or record.not_after <= at:
            raise _not_live()


def _not_live() -> Conflict:
    return Conflict("companion.not-live", "the signing certificate is not live")


def companions_of(connection: Connection, serials: Sequence[str]) -> list[str]:
    """Serials of every companion of these certificates, and of the companions' own."""
    found: list[str] = []
    latest = list(serials)
    while latest:
        query = select(_COLUMNS.serial).where(_COLUMNS.companion_of.in_(latest))
        known = {*serials, *found}
        latest = [each for each in connection.execute(query).scalars() if each not in known]
        found += latest
    return sorted(found)
