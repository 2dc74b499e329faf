"""Time-Stamp Protocol (RFC 3161, updated by RFC 5816), declared for strict DER."""

from typing import Annotated

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from kernel.asn1.cms import ContentInfo

GRANTED = 0
GRANTED_WITH_MODS = 1
REJECTION = 2


@asn1.sequence
class MessageImprint:
    """RFC 3161, 2.4.1; the algorithm identifier as a list of its parts."""

    hash_algorithm: list[asn1.TLV]
    hashed_message: bytes


@asn1.sequence
class TimeStampReq:
    """RFC 3161, 2.4.1."""

    version: int
    message_imprint: asn1.TLV
    """A MessageImprint, which the answer repeats octet for octet."""
    policy: ObjectIdentifier | None
    nonce: int | None
    cert_req: Annotated[bool, asn1.Default(False)]
    extensions: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]


@asn1.sequence
class PkiStatusInfo:
    """RFC 3161, 2.4.2."""

    status: int
    status_string: list[str] | None
    fail_info: asn1.BitString | None


@asn1.sequence
class TimeStampResp:
    """RFC 3161, 2.4.2."""

    status: PkiStatusInfo
    token: ContentInfo | None


@asn1.sequence
class Accuracy:
    """RFC 3161, 2.4.2."""

    seconds: int | None
    millis: Annotated[int | None, asn1.Implicit(0)]
    micros: Annotated[int | None, asn1.Implicit(1)]

    def total_seconds(self) -> float:
        return (self.seconds or 0) + (self.millis or 0) / 1e3 + (self.micros or 0) / 1e6


@asn1.sequence
class TstInfo:
    """RFC 3161, 2.4.2."""

    version: int
    policy: ObjectIdentifier
    message_imprint: MessageImprint
    serial: int
    generated_at: asn1.GeneralizedTime
    accuracy: Accuracy | None
    ordering: Annotated[bool, asn1.Default(False)]
    nonce: int | None
    tsa: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]
    extensions: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]
