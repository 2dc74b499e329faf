"""The format-neutral evidence model: what a signature says, before anybody judges it.

Every format turns a signed document into `SignatureEvidence`; the verdict engine reads nothing
else. So a format knows no verdicts, and the engine no formats (CMS, XML, PDF, JSON, ZIP).
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate


class SignatureFormat(StrEnum):
    CADES = "CAdES"
    XADES = "XAdES"
    PADES = "PAdES"
    CMS = "CMS"
    """A CMS signature without the signed attributes that make it CAdES, such as a timestamp's."""
    XMLDSIG = "XMLDSig"
    JADES = "JAdES"
    JWS = "JWS"
    """A JWS without the certificate reference that makes it JAdES."""
    ASIC_S = "ASiC-S"
    ASIC_E = "ASiC-E"
    """Containers: what is made and raised. Evidence tells the format of the signature inside."""


class Packaging(StrEnum):
    DETACHED = "detached"
    ENVELOPED = "enveloped"
    ENVELOPING = "enveloping"
    INTERNALLY_DETACHED = "internally-detached"


class SignatureLevel(StrEnum):
    BASIC = "not AdES"
    B_B = "B-B"
    B_T = "B-T"
    B_LT = "B-LT"
    B_LTA = "B-LTA"


class TimestampKind(StrEnum):
    CONTENT = "content-timestamp"
    SIGNATURE = "signature-timestamp"
    ARCHIVE = "archive-timestamp"
    EVIDENCE_RECORD = "evidence-record"
    """A timestamp of an evidence record (RFC 4998) over the whole signature file."""


class DigestReference(NamedTuple):
    """One digest under the signature (message-digest attribute, ds:Reference)."""

    name: str
    """What it covers, in words a report can show: `document`, `signed properties`."""
    digest: str
    """hashlib's name."""
    expected: bytes
    """As the signer wrote it."""
    actual: bytes | None
    """As computed now over what was presented; None where the object was not found."""

    @property
    def intact(self) -> bool:
        return self.actual is not None and self.actual == self.expected


class CertificateReference(NamedTuple):
    """A signed reference to the signing certificate (ESSCertIDv2, xades:CertDigest)."""

    digest: str
    value: bytes
    matches: bool
    """Whether it is the digest of `signing_certificate`."""


class TimestampEvidence(NamedTuple):
    """A timestamp token (RFC 3161) and what it should cover."""

    kind: TimestampKind
    token: bytes
    """The ContentInfo, DER."""
    generated_at: datetime
    accuracy_seconds: float
    serial: int
    policy: str
    """TSAPolicyId, dotted."""
    imprint: DigestReference
    """messageImprint: `expected` from the token, `actual` over what it should cover."""
    signature: "SignatureEvidence"
    """The token's own CMS signature, judged by the same engine."""
    covers: frozenset[bytes] = frozenset()
    """SHA-256 of every object that the imprint covers, whole: signature values (as in
    `signature_value`), certificates, CRLs and OCSP responses (DER), earlier `token`s. A
    signature timestamp always covers the signature value, whether it is named here or not."""


class SignatureEvidence(NamedTuple):
    """One signature, taken apart and not yet judged."""

    format: SignatureFormat
    packaging: Packaging
    suite: AlgorithmSuite | None
    """None: an algorithm outside the table; `algorithm_name` says which was seen."""
    algorithm_name: str
    signed_bytes: bytes
    """What the signature value covers: DER of the signed attributes, canonical SignedInfo."""
    signature_value: bytes
    """In the X.509 shape (see kernel.algorithms)."""
    references: tuple[DigestReference, ...]
    """Every digest under the signature. At least one covers the document."""
    covers_document: bool
    """Whether the references cover the whole presented document (no wrapped part left over)."""
    signing_certificate: Certificate | None
    """The certificate that the signature names as its own."""
    certificate_reference: CertificateReference | None
    embedded_certificates: tuple[Certificate, ...] = ()
    embedded_crls: tuple[bytes, ...] = ()
    embedded_ocsp: tuple[bytes, ...] = ()
    """BasicOCSPResponse or OCSPResponse, DER."""
    claimed_signing_time: datetime | None = None
    content_type: str | None = None
    """MIME type where the signature names one."""
    timestamps: tuple[TimestampEvidence, ...] = ()
    """Content, then signature, then archive timestamps, the oldest archive timestamp first."""
    counter_signatures: tuple["SignatureEvidence", ...] = ()
    """Signatures over this signature's value, each judged as a signature of its own."""
    commitment: str | None = None
    roles: tuple[str, ...] = ()
    policy: str | None = None
    """Signature policy identifier; None is the basic (no explicit policy) signature."""
    policy_digest: tuple[str, bytes] | None = None
    """(hashlib's name, digest) of the policy's document, where the signature names it."""
    observations: tuple[str, ...] = ()
    """Facts worth telling that decide nothing by themselves."""

    @property
    def level(self) -> SignatureLevel:
        """The level that the structure claims (EN 319 122-1 and 319 132-1, clause 6)."""
        if self.certificate_reference is None:
            return SignatureLevel.BASIC
        if not self.timestamps:
            return SignatureLevel.B_B
        kinds = {timestamp.kind for timestamp in self.timestamps}
        if TimestampKind.ARCHIVE in kinds:
            return SignatureLevel.B_LTA
        if TimestampKind.SIGNATURE not in kinds:
            return SignatureLevel.B_B
        has_values = bool(self.embedded_crls or self.embedded_ocsp)
        return SignatureLevel.B_LT if has_values else SignatureLevel.B_T
