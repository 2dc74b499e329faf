"""Cryptographic Message Syntax (RFC 5652) and ESS (RFC 5035), declared for strict DER.

Sets are declared as lists or left undecoded: what arrives in another order than DER's is read
in the order in which it stands, because that is what was signed. AlgorithmIdentifiers are lists
of their parts, compared octet for octet.
"""

from typing import Annotated, Final

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from kernel.asn1 import der
from kernel.refusals import Malformed

ID_DATA: Final = "1.2.840.113549.1.7.1"
ID_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
ID_GM_SIGNED_DATA: Final = "1.2.156.10197.6.1.4.2.2"
"""GM/T 0010's own; its structure is RFC 5652's."""
ID_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
ID_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
ID_SIGNING_TIME: Final = "1.2.840.113549.1.9.5"
ID_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
ID_SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
ID_SIGNATURE_TIMESTAMP: Final = "1.2.840.113549.1.9.16.2.14"
ID_SIGNATURE_POLICY: Final = "1.2.840.113549.1.9.16.2.15"
ID_COMMITMENT_TYPE: Final = "1.2.840.113549.1.9.16.2.16"
ID_CONTENT_TIMESTAMP: Final = "1.2.840.113549.1.9.16.2.20"
ID_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
ID_COUNTER_SIGNATURE: Final = "1.2.840.113549.1.9.6"
ID_CERTIFICATE_VALUES: Final = "1.2.840.113549.1.9.16.2.23"
ID_REVOCATION_VALUES: Final = "1.2.840.113549.1.9.16.2.24"
ID_ARCHIVE_TIMESTAMP_V2: Final = "1.2.840.113549.1.9.16.2.48"
ID_MIME_TYPE: Final = "0.4.0.1733.2.1"
ID_ARCHIVE_TIMESTAMP_V3: Final = "0.4.0.1733.2.4"
ID_SIGNER_ATTRIBUTES_V2: Final = "0.4.0.19122.1.1"
ID_ATS_HASH_INDEX_V3: Final = "0.4.0.19122.1.5"
ID_AT_NAME: Final = "2.5.4.41"
ID_RI_OCSP_RESPONSE: Final = "1.3.6.1.5.5.7.16.2"
ID_PKIX_OCSP_BASIC: Final = "1.3.6.1.5.5.7.48.1.1"


@asn1.sequence
class ContentInfo:
    """RFC 5652, 3."""

    content_type: ObjectIdentifier
    content: Annotated[asn1.TLV, asn1.Explicit(0)]


@asn1.sequence
class EncapsulatedContentInfo:
    """RFC 5652, 5.2."""

    content_type: ObjectIdentifier
    content: Annotated[bytes | None, asn1.Explicit(0)]


@asn1.sequence
class SignedData:
    """RFC 5652, 5.1."""

    version: int
    digest_algorithms: asn1.TLV
    content_info: EncapsulatedContentInfo
    certificates: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]
    crls: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]
    signer_infos: asn1.TLV


@asn1.sequence
class UsualSignedData:
    """SignedData as most have it: with certificates and without CRLs. The certificates are left
    together, so that a set seen before need not be taken apart."""

    version: int
    digest_algorithms: asn1.TLV
    content_info: EncapsulatedContentInfo
    certificates: asn1.TLV
    signer_infos: asn1.TLV


@asn1.sequence
class IssuerAndSerialNumber:
    """RFC 5652, 10.2.4."""

    issuer: asn1.TLV
    serial: int


@asn1.sequence
class Attribute:
    """RFC 5652, 5.3."""

    type: ObjectIdentifier
    values: asn1.TLV


@asn1.sequence
class SignerInfo:
    """RFC 5652, 5.3, with signed attributes: those without are no signature for us."""

    version: int
    sid: IssuerAndSerialNumber | Annotated[bytes, asn1.Implicit(0)]
    digest_algorithm: asn1.TLV
    signed_attributes: asn1.TLV
    signature_algorithm: asn1.TLV
    signature: bytes
    unsigned_attributes: Annotated[list[Attribute] | None, asn1.Implicit(1)]


@asn1.sequence
class _Attributes:
    items: list[Attribute]


@asn1.sequence
class OtherRevocationInfo:
    """RFC 5652, 10.2.1, without its implicit tag."""

    format: ObjectIdentifier
    info: asn1.TLV


@asn1.sequence
class EssCertId:
    """RFC 5035, 5.4.1.1: ESSCertID, whose hash is SHA-1."""

    hash: bytes
    issuer_serial: list[asn1.TLV] | None


@asn1.sequence
class SigningCertificate:
    """RFC 5035, 5.4.1."""

    certificates: list[EssCertId]
    policies: list[asn1.TLV] | None


@asn1.sequence
class EssCertIdV2:
    """RFC 5035, 5.4.1.2: the hash algorithm defaults to SHA-256."""

    hash_algorithm: list[asn1.TLV] | None
    hash: bytes
    issuer_serial: list[asn1.TLV] | None


@asn1.sequence
class SigningCertificateV2:
    """RFC 5035, 5.4.1.2."""

    certificates: list[EssCertIdV2]
    policies: list[asn1.TLV] | None


@asn1.sequence
class AtsHashIndexV3:
    """EN 319 122-1, 5.5.2."""

    algorithm: asn1.TLV
    certificates: list[bytes]
    crls: list[bytes]
    unsigned_values: list[bytes]


@asn1.sequence
class RevocationValues:
    """EN 319 122-1, A.1.2.2: CRLs and BasicOCSPResponses."""

    crls: Annotated[list[asn1.TLV] | None, asn1.Explicit(0)]
    ocsp: Annotated[list[asn1.TLV] | None, asn1.Explicit(1)]
    other: Annotated[list[asn1.TLV] | None, asn1.Explicit(2)]


def attributes(content: bytes) -> list[Attribute]:
    """The attributes in the content octets of a SET OF Attribute, in the order they stand.

    Raises ValueError.
    """
    return asn1.decode_der(_Attributes, der.sequence(der.tlv(der.SEQUENCE, content))).items


def attribute_parts(content: bytes) -> list[tuple[bytes, list[bytes]]]:
    """(Type, values) of each Attribute in the content octets of a SET OF Attribute, encoded.

    Raises Malformed `der.malformed`.
    """
    found, offset, size = [], 0, len(content)
    while offset < size:
        short = _short_attribute(content, offset, size)
        if short is None:
            outer = der.read(content, offset)
            end = outer.end
            try:
                kind, values_ = der.children(content, outer)
            except ValueError:
                raise Malformed("der.malformed", "an attribute is a type with values") from None
            if (outer.tag, kind.tag, values_.tag) != (der.SEQUENCE, 0x06, der.SET):
                raise Malformed("der.malformed", "an attribute is a type with values")
            type_end, values_at = kind.end, values_.content
            type_at = kind.start
        else:
            end, type_at, type_end, values_at = short
        found.append((content[type_at:type_end], der.elements(content[values_at:end])))
        offset = end
    return found


def _short_attribute(content: bytes, offset: int, size: int) -> tuple[int, int, int, int] | None:
    """End of an attribute, start and end of its type, start of its values, where all lengths are
    of the short form, as most are; None leaves it to the general reader."""
    if offset + 6 > size or content[offset] != der.SEQUENCE or content[offset + 2] != 0x06:
        return None
    end = offset + 2 + content[offset + 1]
    type_end = offset + 4 + content[offset + 3]
    if (
        content[offset + 1] < 0x80
        and type_end + 2 <= end <= size
        and content[type_end] == der.SET
        and type_end + 2 + content[type_end + 1] == end
    ):
        return end, offset + 2, type_end, type_end + 2
    return None


def values(attribute: Attribute) -> list[bytes]:
    """The encoded values of an attribute. Raises Malformed `der.malformed`."""
    if attribute.values.tag_bytes != b"\x31":
        raise Malformed("der.malformed", "an attribute's values are a SET")
    return der.elements(bytes(attribute.values.data))


def attribute(kind: str, *encoded_values: bytes) -> bytes:
    """One Attribute, DER."""
    return der.sequence(der.oid(kind), der.set_of(encoded_values))


def signing_certificate_v2(certificate_hash: bytes, digest_algorithm: bytes | None) -> bytes:
    """SigningCertificateV2 for one certificate, DER (EN 319 122-1, 5.2.2.3).

    `digest_algorithm` is None for SHA-256, whose identifier DER leaves out as the default.
    issuerSerial is left out: it is a hint that the hash makes superfluous.
    """
    reference = der.sequence(digest_algorithm or b"", der.octet_string(certificate_hash))
    return der.sequence(der.sequence(reference))


def signed_data(
    *,
    version: int,
    digest_algorithm: bytes,
    content_info: bytes,
    certificates: bytes,
    signer_info: bytes,
) -> bytes:
    """A ContentInfo with SignedData by one signer, from encoded parts.

    `certificates` is the whole `[0]` element, or empty.
    """
    return content_info_of(
        der.integer(version),
        der.tlv(der.SET, digest_algorithm),
        content_info,
        certificates,
        der.tlv(der.SET, signer_info),
    )


def content_info_of(*fields: bytes) -> bytes:
    """A ContentInfo around the encoded fields of a SignedData."""
    return der.sequence(_SIGNED_DATA_OID, der.explicit(0, der.sequence(*fields)))


_SIGNED_DATA_OID = der.oid(ID_SIGNED_DATA)
