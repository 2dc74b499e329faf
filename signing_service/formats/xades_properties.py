"""XAdES qualifying properties and ds:KeyInfo (EN 319 132-1, 5; XML-DSig, 4.5)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

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
from signing_service.formats.signed_data import MAX_CERTIFICATES, MAX_REVOCATION_INFOS
from signing_service.formats.xml_names import XADES, XADES_141, ds, xades
from signing_service.validation.evidence import CertificateReference

MAX_TIMESTAMPS = 16
MAX_ROLES = 16

# The E-Port's own name for SM3; the digest itself is the standard one.
_SM3 = "http://www.chinaport.gov.cn/2022/04/xmldsig#sm3"
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
    roles: tuple[str, ...] = ()
    signature_timestamps: tuple[etree._Element, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    observations: tuple[str, ...] = ()


def read_properties(qualifying: etree._Element | None, document_id: str | None) -> Properties:
    """Read QualifyingProperties; `document_id` is the Id of the document's ds:Reference.

    Raises Malformed `xades.signed-properties`, `xml.structure`, `xml.base64`.
    """
    if qualifying is None:
        return Properties()
    signed = qualifying[0]
    signature_properties = _one(signed, "SignedSignatureProperties")
    unsigned = qualifying.find(_path("UnsignedProperties/UnsignedSignatureProperties"))
    time = _text(signature_properties, "SigningTime")
    timestamps = _all(unsigned, "SignatureTimeStamp")
    if len(timestamps) > MAX_TIMESTAMPS:
        raise Malformed("xades.too-many", f"at most {MAX_TIMESTAMPS} timestamps")
    return Properties(
        signing_time=None if time is None else _date_time(time),
        references=_certificate_references(signature_properties),
        mime_type=_mime_type(_one(signed, "SignedDataObjectProperties"), document_id),
        commitment=_deep_text(
            signed,
            "SignedDataObjectProperties/CommitmentTypeIndication/CommitmentTypeId/Identifier",
        ),
        policy=_deep_text(
            signature_properties,
            "SignaturePolicyIdentifier/SignaturePolicyId/SigPolicyId/Identifier",
        ),
        roles=_roles(signature_properties),
        signature_timestamps=tuple(timestamps),
        certificates=tuple(
            _parse_certificates(_all(unsigned, "CertificateValues/EncapsulatedX509Certificate"))
        ),
        crls=_values(unsigned, "RevocationValues/CRLValues/EncapsulatedCRLValue"),
        ocsp=_values(unsigned, "RevocationValues/OCSPValues/EncapsulatedOCSPValue"),
        observations=_observations(unsigned),
    )


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
    return "sm3" if uri == _SM3 else DIGESTS_BY_XML.get(uri, uri)


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


def _observations(unsigned: etree._Element | None) -> tuple[str, ...]:
    if unsigned is None:
        return ()
    seen = []
    if any(unsigned.findall(f"{{{name}}}ArchiveTimeStamp") for name in (XADES, XADES_141)):
        seen.append("an archive timestamp was not evaluated")
    if unsigned.find(xades("CounterSignature")) is not None:
        seen.append("a counter-signature was not evaluated")
    return tuple(seen)


def _parse_certificates(elements: Sequence[etree._Element]) -> Iterable[Certificate]:
    if len(elements) > MAX_CERTIFICATES:
        raise Malformed("xades.too-many", f"at most {MAX_CERTIFICATES} certificates")
    return [Certificate.parse(xml_security.base64_of(element)) for element in elements]


def _values(parent: etree._Element | None, path: str) -> tuple[bytes, ...]:
    elements = _all(parent, path)
    if len(elements) > MAX_REVOCATION_INFOS:
        raise Malformed("xades.too-many", f"at most {MAX_REVOCATION_INFOS} revocation values")
    return tuple(map(xml_security.base64_of, elements))


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


def _path(path: str) -> str:
    return "/".join(map(xades, path.split("/")))


def _all(parent: etree._Element | None, path: str) -> list[etree._Element]:
    return [] if parent is None else parent.findall(_path(path))


def _one(parent: etree._Element | None, name: str) -> etree._Element | None:
    found = _all(parent, name)
    if len(found) > 1:
        raise Malformed("xades.signed-properties", f"more than one {name}")
    return found[0] if found else None


def _text(parent: etree._Element | None, name: str) -> str | None:
    element = _one(parent, name)
    return None if element is None else xml_security.text_of(element).strip()


def _deep_text(parent: etree._Element | None, path: str) -> str | None:
    found = _all(parent, path)
    return xml_security.text_of(found[0]).strip() if found else None
