"""What the archive keeps of one signature: facts, and parts with their bytes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from signing_service.archive.objects import address_of

BARE_DIGEST = "digest"
"""The format and kind of a signature value over a digest: whoever asked for it made the file."""


class PartRole(StrEnum):
    """What an object is to the signature that it belongs to."""

    DOCUMENT = "document"
    DIGEST = "digest"
    """Instead of the document, where that was never here: its digest, or the digest that was
    signed; raw, of the algorithm that has this length in SHA-2."""
    SIGNATURE = "signature"
    """Detached: the CMS; enveloped: the signed document; upon a bare digest: the value, in the
    X.509 shape."""
    REPORT = "report"
    """The validation report at acceptance, JSON."""
    CERTIFICATE = "certificate"
    OCSP = "ocsp"
    CRL = "crl"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True)
class Part:
    """One object of the evidence."""

    role: PartRole
    data: bytes

    @property
    def address(self) -> str:
        return address_of(self.data)


@dataclass(frozen=True)
class StoredPart:
    """The same after it was stored."""

    role: PartRole
    sha256: str
    size: int


@dataclass(frozen=True)
class AcceptedSignature:
    """The facts of one signature that the service accepted."""

    id: str
    accepted_at: datetime
    format: str
    """A `SignatureFormat`, or BARE_DIGEST."""
    level: str
    """A `SignatureLevel`; empty upon a bare digest."""
    kind: str
    card: str
    subject: str
    enterprise: str | None
    rights: tuple[str, ...]
    """The signer's rights at the time of signing."""
    certificate_fingerprint: str
    document_sha256: str
    """Hexadecimal; empty where the document was never here and another digest of it is kept."""
    signature_sha256: str
    keep_until: datetime
    """Deleting it before this time is refused."""
