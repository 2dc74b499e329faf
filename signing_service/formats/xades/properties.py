"""XAdES qualifying properties and ds:KeyInfo (EN 319 132-1, 5; XML-DSig, 4.5)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from lxml import etree

from kernel.algorithms import (
    DIGESTS_BY_XML,
    SUITES_BY_XML,
    AlgorithmSuite,
    KeyKind,
)
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal
from signing_service.formats import xml_security
from signing_service.formats.claims import COMMITMENTS_BY_URI
from signing_service.formats.cms.signed_data import MAX_CERTIFICATES, MAX_REVOCATION_INFOS
from signing_service.formats.remembering import remembered
from signing_service.formats.xml_names import ds, xades, xades141
from signing_service.validation.evidence import CertificateReference

MAX_ROLES = 16

_CONTENT_TIMESTAMPS = frozenset(
    map(xades, ("AllDataObjectsTimeStamp", "IndividualDataObjectsTimeStamp"))
)
_XSD_DATE_TIME = re.compile(r"-?\d{4,9}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?")


@dataclass(frozen=True, slots=True)
class Properties:
    """What the properties say; empty for plain XML-DSig."""

    signing_time: datetime | None = None
    references: tuple[tuple[str, bytes], ...] = ()
    """(hashlib's name, hash) of the signing certificate and any others named."""
    mime_type: str | None = None
    commitment: str | None = None
    policy: str | None = None
    policy_digest: tuple[str, bytes] | None = None
    """(hashlib's name, hash) of the policy's document."""
    roles: tuple[str, ...] = ()
    content_timestamps: tuple[etree._Element, ...] = ()
    """AllDataObjectsTimeStamp and IndividualDataObjectsTimeStamp."""
    certificates: tuple[Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()


def read_properties(
    qualifying: etree._Element | None,
    document_id: str | None,
    unsigned: Sequence[etree._Element],
) -> Properties:
    """Read QualifyingProperties; `document_id` is the Id of the document's ds:Reference and
    `unsigned` what `unsigned_properties` told.

    Raises Malformed `xades.signed-properties`, `xml.structure`, `xml.base64`.
    """
    if qualifying is None:
        return Properties()
    signed = qualifying[0]
    signature_properties = _one(signed, "SignedSignatureProperties")
    data_properties = _one(signed, "SignedDataObjectProperties")
    values = _Values(unsigned)
    time = _text(signature_properties, "SigningTime")
    return Properties(
        signing_time=None if time is None else _date_time(time),
        references=_certificate_references(signature_properties),
        mime_type=_mime_type(data_properties, document_id),
        commitment=_commitment(data_properties),
        policy=_identifier(
            signature_properties,
            "SignaturePolicyIdentifier/SignaturePolicyId/SigPolicyId/Identifier",
        ),
        policy_digest=_policy_digest(signature_properties),
        roles=_roles(signature_properties),
        content_timestamps=tuple(
            element
            for element in (() if data_properties is None else data_properties)
            if element.tag in _CONTENT_TIMESTAMPS
        ),
        certificates=values.certificates(),
        crls=values.octets("CRLValues/EncapsulatedCRLValue"),
        ocsp=values.octets("OCSPValues/EncapsulatedOCSPValue"),
    )


def unsigned_properties(qualifying: etree._Element | None) -> list[etree._Element]:
    """The unsigned signature properties, in order. Raises Malformed `xades.structure`."""
    if qualifying is None:
        return []
    parents = qualifying.findall(_path("UnsignedProperties/UnsignedSignatureProperties"))
    if len(parents) > 1:
        raise Malformed("xades.structure", "unsigned signature properties stand together")
    return list(parents[0]) if parents else []


class _Values:
    """Certificates and revocation values among the unsigned properties, those for timestamps
    included (EN 319 132-1, 5.4 and 5.5.1)."""

    def __init__(self, unsigned: Sequence[etree._Element]) -> None:
        self._holders = [
            element
            for top in unsigned
            for element in (top if top.tag == xades141("TimeStampValidationData") else (top,))
        ]

    def certificates(self) -> tuple[Certificate, ...]:
        elements = [
            value
            for holder in self._named("CertificateValues")
            for value in _all(holder, "EncapsulatedX509Certificate")
        ]
        return tuple(_parse_certificates(elements))

    def octets(self, path: str) -> tuple[bytes, ...]:
        holders = self._named("RevocationValues")
        elements = [value for holder in holders for value in _all(holder, path)]
        if len(elements) > MAX_REVOCATION_INFOS:
            raise Malformed(
                "xades.too-many", "at most {most} revocation values", most=MAX_REVOCATION_INFOS
            )
        return tuple(map(xml_security.base64_of, elements))

    def _named(self, name: str) -> list[etree._Element]:
        return [holder for holder in self._holders if holder.tag == xades(name)]


def certificates_in(key_info: etree._Element | None) -> tuple[Certificate, ...]:
    """The X.509 certificates of a ds:KeyInfo, in order. Raises Malformed `xades.too-many`."""
    if key_info is None:
        return ()
    elements = key_info.findall(f"{ds('X509Data')}/{ds('X509Certificate')}")
    return tuple(_parse_certificates(elements))


def choose_certificate(
    candidates: Sequence[Certificate], references: Sequence[tuple[str, bytes]]
) -> tuple[Certificate | None, CertificateReference | None]:
    """The certificate that the signed reference names; without one, the first of KeyInfo."""
    if not references:
        return (candidates[0] if candidates else None), None
    name, value = references[0]
    for certificate in candidates:
        if _hashes_to(certificate, name, value):
            return certificate, CertificateReference(name, value, matches=True)
    first = candidates[0] if candidates else None
    return first, CertificateReference(name, value, matches=False)


def digest_name(uri: str) -> str:
    """hashlib's name, or the URI where the digest is unknown."""
    return DIGESTS_BY_XML.get(uri, uri)


def signature_suite(uri: str, certificate: Certificate | None) -> tuple[AlgorithmSuite | None, str]:
    """The suite that a SignatureMethod means for the signer's key, and the name to show."""
    suite = SUITES_BY_XML.get(uri)
    if suite is None:
        return None, uri
    if suite.kind is KeyKind.EC and certificate is not None:
        # One name serves every curve, but a suite is a curve with a digest.
        try:
            curve = certificate.public_key.curve
        except Refusal:
            curve = None
        if curve != suite.curve:
            return None, f"ecdsa-with-{suite.digest} on {curve or 'another key'}"
    return suite, suite.name


def _certificate_references(parent: etree._Element | None) -> tuple[tuple[str, bytes], ...]:
    """SigningCertificateV2, or its predecessor (EN 319 132-1, 5.2.2)."""
    for kind in ("SigningCertificateV2", "SigningCertificate"):
        element = _one(parent, kind)
        if element is not None:
            digests = element.findall(f"{xades('Cert')}/{xades('CertDigest')}")
            if not 1 <= len(digests) <= MAX_CERTIFICATES:
                raise Malformed("xades.signed-properties", "no certificate is named")
            return tuple(map(_digest, digests))
    return ()


def _digest(element: etree._Element) -> tuple[str, bytes]:
    method, value = element.find(ds("DigestMethod")), element.find(ds("DigestValue"))
    if method is None or value is None:
        raise Malformed("xades.signed-properties", "a certificate digest without a value")
    return digest_name(str(method.get("Algorithm", ""))), xml_security.base64_of(value)


def _hashes_to(certificate: Certificate, name: str, value: bytes) -> bool:
    try:
        return certificate.digest(name) == value
    except ValueError:
        return False


def _mime_type(parent: etree._Element | None, document_id: str | None) -> str | None:
    for element in _all(parent, "DataObjectFormat"):
        if document_id is not None and element.get("ObjectReference") == f"#{document_id}":
            return _text(element, "MimeType")
    return None


def _roles(parent: etree._Element | None) -> tuple[str, ...]:
    elements = _all(parent, "SignerRoleV2/ClaimedRoles/ClaimedRole")
    elements += _all(parent, "SignerRole/ClaimedRoles/ClaimedRole")
    return tuple(xml_security.text_of(element) for element in elements[:MAX_ROLES])


def _parse_certificates(elements: Sequence[etree._Element]) -> Iterable[Certificate]:
    if len(elements) > MAX_CERTIFICATES:
        raise Malformed("xades.too-many", "at most {most} certificates", most=MAX_CERTIFICATES)
    return [_certificate(xml_security.text_of(element)) for element in elements]


@remembered(entries=2048, max_size=8 * 1024)
def _certificate(text: str) -> Certificate:
    """From its base64 text, which recurs with every signature of a holder."""
    return Certificate.parse(xml_security.from_base64(text, "X509Certificate"))


def _date_time(text: str) -> datetime:
    """xsd:dateTime; without a zone it is taken as UTC."""
    text = text.strip()
    if not _XSD_DATE_TIME.fullmatch(text):
        raise Malformed("xades.signed-properties", "not a signing time")
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Malformed("xades.signed-properties", "not a signing time") from None


@lru_cache(maxsize=128)
def _path(path: str) -> str:
    return "/".join(map(xades, path.split("/")))


def _all(parent: etree._Element | None, path: str) -> list[etree._Element]:
    return [] if parent is None else parent.findall(_path(path))


def _one(parent: etree._Element | None, name: str) -> etree._Element | None:
    found = _all(parent, name)
    if len(found) > 1:
        raise Malformed("xades.signed-properties", "more than one {name}", name=name)
    return found[0] if found else None


def _text(parent: etree._Element | None, name: str) -> str | None:
    element = _one(parent, name)
    return None if element is None else xml_security.text_of(element).strip()


def _identifier(parent: etree._Element | None, path: str) -> str | None:
    """An ObjectIdentifierType's identifier; an object identifier is told dotted."""
    found = _all(parent, path)
    if not found:
        return None
    text = xml_security.text_of(found[0]).strip()
    return text.removeprefix("urn:oid:").removeprefix("urn:OID:")


def _commitment(parent: etree._Element | None) -> str | None:
    """Dotted where it is one of the standard's own (EN 319 132-1, 5.2.3)."""
    name = _identifier(parent, "CommitmentTypeIndication/CommitmentTypeId/Identifier")
    return None if name is None else COMMITMENTS_BY_URI.get(name, name)


def _policy_digest(parent: etree._Element | None) -> tuple[str, bytes] | None:
    found = _all(parent, "SignaturePolicyIdentifier/SignaturePolicyId/SigPolicyHash")
    return _digest(found[0]) if found else None
