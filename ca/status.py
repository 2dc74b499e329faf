"""The authority's own knowledge of a certificate's status, without a message in between."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import bindparam, select

from ca.inventory import CertificateState
from ca.tables import certificates
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import serial_text
from records.database import Database
from records.prepared import Prepared

_FIND = select(
    certificates.c.authority,
    certificates.c.state,
    certificates.c.revoked_at,
    certificates.c.reason,
    certificates.c.certificate,
).where(certificates.c.serial == bindparam("serial"))


class CertificateStatus(StrEnum):
    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class StatusAnswer:
    status: CertificateStatus
    this_update: datetime
    revoked_at: datetime | None = None
    reason: str | None = None
    """CRLReason in RFC 5280's spelling."""
    source: str = "the authority's own records"
    evidence: bytes | None = None


class OwnStatus:
    """Answers for certificates of the authorities it is given, by name."""

    def __init__(
        self, authorities: Mapping[str, Certificate], database: Database, clock: Clock
    ) -> None:
        self._names = {
            (certificate.subject_der, certificate.spki): name
            for name, certificate in authorities.items()
        }
        self._find = Prepared(database, _FIND)
        self._clock = clock

    def status(self, certificate: Certificate, issuer: Certificate) -> StatusAnswer | None:
        """None: `issuer` is none of these authorities. `unknown`: never issued, or other bytes.

        Raises Unavailable `database.unavailable`.
        """
        name = self._names.get((issuer.subject_der, issuer.spki))
        if name is None:
            return None
        now = self._clock.now()
        row = self._find.first(serial=serial_text(certificate.serial))
        if row is None or row.authority != name:
            return StatusAnswer(CertificateStatus.UNKNOWN, now)
        if row.state == CertificateState.ISSUED and row.certificate == certificate.der:
            return StatusAnswer(CertificateStatus.GOOD, now)
        if row.revoked_at is not None:
            return StatusAnswer(CertificateStatus.REVOKED, now, row.revoked_at, row.reason)
        return StatusAnswer(CertificateStatus.UNKNOWN, now)
