"""XAdES elements as text in canonical form, so that what is signed is written but once."""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from xml.sax.saxutils import escape

from kernel.algorithms import XML_DIGESTS, AlgorithmSuite
from kernel.asn1.certificate import Certificate
from signing_service.formats.claims import COMMITMENT_URIS, Claims, PolicyReference
from signing_service.formats.xml_names import DS, SIGNED_PROPERTIES, XADES
from signing_service.formats.xml_security import C14N


class Scope:
    """What an element inherits from where it will stand, in inclusive canonical form."""

    def __init__(self, namespaces: Mapping[str, str], attributes: Mapping[str, str]) -> None:
        """Namespaces by prefix (the default one by an empty prefix) and `xml:` attributes."""
        self._namespaces = dict(namespaces)
        inherited = sorted(attributes.items())
        self._attributes = "".join(f' {name}="{attribute(value)}"' for name, value in inherited)

    def signed_info(self, content: str) -> bytes:
        start = f"<ds:SignedInfo{self._declare(ds=DS)}{self._attributes}>"
        return f"{start}{content}</ds:SignedInfo>".encode()

    def signed_properties(self, name: str, content: str) -> bytes:
        declared = self._declare(ds=DS, xades=XADES)
        start = f'<xades:SignedProperties{declared} Id="{name}-properties"{self._attributes}>'
        return f"{start}{content}</xades:SignedProperties>".encode()

    def _declare(self, **own: str) -> str:
        """Namespace declarations in canonical order: the default first, then by prefix."""
        return "".join(
            f' xmlns{":" if prefix else ""}{prefix}="{attribute(uri)}"'
            for prefix, uri in sorted((self._namespaces | own).items())
        )


def signed_info(
    name: str, suite: AlgorithmSuite, document_references: str, properties_digest: bytes
) -> str:
    """The content of ds:SignedInfo."""
    return (
        f'<ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{suite.xml_signature}"></ds:SignatureMethod>'
        f"{document_references}"
        f'<ds:Reference Type="{SIGNED_PROPERTIES}" URI="#{name}-properties"><ds:Transforms>'
        f'<ds:Transform Algorithm="{C14N}"></ds:Transform></ds:Transforms>'
        f"{digest(suite.digest, properties_digest)}</ds:Reference>"
    )


def reference(identifier: str, uri: str, attributes: str, transforms: str, digested: str) -> str:
    """One ds:Reference; `digested` is its method and value."""
    inside = f"<ds:Transforms>{transforms}</ds:Transforms>" if transforms else ""
    return (
        f'<ds:Reference Id="{identifier}"{attributes} URI="{attribute(uri)}">'
        f"{inside}{digested}</ds:Reference>"
    )


def transform(algorithm: str, content: str = "") -> str:
    return f'<ds:Transform Algorithm="{algorithm}">{content}</ds:Transform>'


def digest(name: str, value: bytes) -> str:
    """DigestMethod and DigestValue."""
    return (
        f'<ds:DigestMethod Algorithm="{XML_DIGESTS[name]}"></ds:DigestMethod>'
        f"<ds:DigestValue>{base64.b64encode(value).decode()}</ds:DigestValue>"
    )


def signed_properties(
    certificate: Certificate,
    suite: AlgorithmSuite,
    signing_time: datetime,
    formats: Sequence[tuple[str, str]],
    claims: Claims,
    stamp: bytes | None = None,
) -> str:
    """The content of SignedProperties (EN 319 132-1, 5.2).

    `formats` are the reference identifiers with their MIME types, `stamp` a token over all
    data objects.
    """
    time = signing_time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    described = "".join(
        f'<xades:DataObjectFormat ObjectReference="#{identifier}">'
        f"<xades:MimeType>{escape(mime_type)}</xades:MimeType></xades:DataObjectFormat>"
        for identifier, mime_type in formats
    )
    data_objects = f"{described}{_commitment(claims)}{_all_data_objects_timestamp(stamp)}"
    if data_objects:
        data_objects = (
            f"<xades:SignedDataObjectProperties>{data_objects}</xades:SignedDataObjectProperties>"
        )
    return (
        f"<xades:SignedSignatureProperties><xades:SigningTime>{time}</xades:SigningTime>"
        "<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
        f"{digest(suite.digest, certificate.digest(suite.digest))}"
        "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2>"
        f"{_policy(claims.policy)}{_roles(claims)}"
        f"</xades:SignedSignatureProperties>{data_objects}"
    )


def around_value(
    name: str,
    content: str,
    properties: str,
    certificate: Certificate,
    chain: tuple[Certificate, ...],
    objects: str = "",
) -> tuple[bytes, bytes]:
    """The ds:Signature element before and after the signature value's text."""
    start = (
        f'<ds:Signature xmlns:ds="{DS}" Id="{name}"><ds:SignedInfo>{content}</ds:SignedInfo>'
        f'<ds:SignatureValue Id="{name}-value">'
    )
    end = (
        f"</ds:SignatureValue>{_key_info(certificate, chain)}"
        f'<ds:Object><xades:QualifyingProperties xmlns:xades="{XADES}" Target="#{name}">'
        f'<xades:SignedProperties Id="{name}-properties">{properties}</xades:SignedProperties>'
        f"</xades:QualifyingProperties></ds:Object>{objects}</ds:Signature>"
    )
    return start.encode(), end.encode()


def attribute(value: str) -> str:
    """An attribute's value in canonical form (Canonical XML 1.0, 2.3)."""
    return value.translate(_ATTRIBUTE_REFERENCES)


_ATTRIBUTE_REFERENCES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        '"': "&quot;",
        "\t": "&#x9;",
        "\n": "&#xA;",
        "\r": "&#xD;",
    }
)


@lru_cache(maxsize=512)
def _key_info(certificate: Certificate, chain: tuple[Certificate, ...]) -> str:
    certificates = "".join(
        f"<ds:X509Certificate>{base64.b64encode(c.der).decode()}</ds:X509Certificate>"
        for c in dict.fromkeys((certificate, *chain))
    )
    return f"<ds:KeyInfo><ds:X509Data>{certificates}</ds:X509Data></ds:KeyInfo>"


def _identifier(dotted: str) -> str:
    return f'<xades:Identifier Qualifier="OIDAsURN">urn:oid:{dotted}</xades:Identifier>'


def _policy(policy: PolicyReference | None) -> str:
    if policy is None:
        return ""
    return (
        "<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId>"
        f"<xades:SigPolicyId>{_identifier(policy.identifier)}</xades:SigPolicyId>"
        f"<xades:SigPolicyHash>{digest(policy.digest, policy.value)}</xades:SigPolicyHash>"
        "</xades:SignaturePolicyId></xades:SignaturePolicyIdentifier>"
    )


def _roles(claims: Claims) -> str:
    if not claims.roles:
        return ""
    roles = "".join(
        f"<xades:ClaimedRole>{escape(role)}</xades:ClaimedRole>" for role in claims.roles
    )
    return (
        f"<xades:SignerRoleV2><xades:ClaimedRoles>{roles}</xades:ClaimedRoles></xades:SignerRoleV2>"
    )


def _commitment(claims: Claims) -> str:
    if claims.commitment is None:
        return ""
    uri = COMMITMENT_URIS.get(claims.commitment)
    identifier = (
        _identifier(claims.commitment)
        if uri is None
        else f"<xades:Identifier>{uri}</xades:Identifier>"
    )
    return (
        "<xades:CommitmentTypeIndication>"
        f"<xades:CommitmentTypeId>{identifier}</xades:CommitmentTypeId>"
        "<xades:AllSignedDataObjects></xades:AllSignedDataObjects>"
        "</xades:CommitmentTypeIndication>"
    )


def _all_data_objects_timestamp(token: bytes | None) -> str:
    if token is None:
        return ""
    return (
        "<xades:AllDataObjectsTimeStamp>"
        f'<ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
        "<xades:EncapsulatedTimeStamp>"
        f"{base64.b64encode(token).decode()}"
        "</xades:EncapsulatedTimeStamp></xades:AllDataObjectsTimeStamp>"
    )
