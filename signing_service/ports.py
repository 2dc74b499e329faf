"""What the signing service needs from the rest of the house, as protocols.

The service can run alone: the front hall (`portseal.wiring`) fulfils these from the
registration portal's records and the authority's own status.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from kernel.asn1.certificate import Certificate
from signing_service.formats.validation_material import ValidationMaterial


class HolderKind(StrEnum):
    LEGAL_PERSON = "legal-person"
    OPERATOR = "operator"
    OFFICER = "officer"


@dataclass(frozen=True)
class RightPeriod:
    """From when until when a right is granted."""

    right: str
    """A code of `policies/rights.toml`."""
    valid_from: datetime
    valid_until: datetime | None
    """None: until withdrawn. The moment itself lies outside."""


@dataclass(frozen=True)
class Holder:
    """Who holds a card, as the registration portal knows it."""

    kind: HolderKind
    subject: str
    """A stable identifier of the person or enterprise: the `sub` of ID tokens."""
    name: str
    card: str
    """The card's identifier."""
    card_state: str
    """`active`, or why it cannot be used: `frozen`, `lost`, `revoked`, `expired`, `replaced`,
    `enterprise-closed`, `officer-retired`."""
    enterprise_name: str | None = None
    enterprise_uscc: str | None = None
    customs_code: str | None = None
    rights: tuple[str, ...] = ()
    """Codes from `policies/rights.toml`, in force at the asked time."""
    right_periods: tuple[RightPeriod, ...] = ()
    """The grants that `rights` come from, by code."""
    employee_number: str | None = None
    """An operator's, as the enterprise counts its people."""
    roles: tuple[str, ...] = ()
    """An officer's roles, as the registration portal names them."""
    key_witness: str | None = None
    """In words: who saw, when, that the key was made on which token; None: nobody did."""
    is_seal: bool = False
    """Whether `card` is an enterprise's seal, whose key the authority holds: it seals documents
    when the legal person agrees, and files no declaration."""
    card_state_since: datetime | None = None
    """Since when a card is frozen or lost."""


class Holders(Protocol):
    """Finds the holder of a certificate."""

    def by_certificate(self, certificate: Certificate, at: datetime) -> Holder | None:
        """The holder, with the rights in force at `at`; None for a stranger's certificate."""
        ...


class CertificateStatus(StrEnum):
    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class StatusAnswer:
    """What is known of one certificate's revocation, and from where."""

    status: CertificateStatus
    this_update: datetime
    revoked_at: datetime | None = None
    reason: str | None = None
    """CRLReason in RFC 5280's spelling."""
    source: str = ""
    """In words: `the authority's own records`, `OCSP http://...`, `embedded CRL 17`."""
    evidence: bytes | None = None
    """The OCSP response or CRL, DER, where there is one."""
    next_update: datetime | None = None
    """After this time newer information exists; None: not told."""
    suite: str | None = None
    """Name of the algorithm suite that the evidence was signed with."""
    further_evidence: tuple[bytes, ...] = ()
    """More CRLs that the answer needs: a delta's base, those of other reasons."""


class MaterialSource(Protocol):
    """Gives what a stranger validates certificates with, later and offline."""

    def of(self, certificates: Sequence[Certificate]) -> ValidationMaterial:
        """Fresh OCSP responses and CRLs for those of our own authority; others are left out."""
        ...


class StatusSource(Protocol):
    """Answers for the certificates of the authorities that it knows."""

    def status(self, certificate: Certificate, issuer: Certificate) -> StatusAnswer | None:
        """None: this source does not speak for that issuer."""
        ...
