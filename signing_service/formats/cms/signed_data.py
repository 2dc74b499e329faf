"""CMS SignedData taken apart (RFC 5652, 5), for CAdES signatures and timestamp tokens alike."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from kernel.algorithms import DIGEST_OIDS
from kernel.asn1 import ber, cms, der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal, TooLarge
from signing_service.formats.document import Digestible
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES, MAX_SIGNATURE_BYTES
from signing_service.formats.remembering import remembered

MAX_SIGNERS = 64
MAX_CERTIFICATES = 128
MAX_REVOCATION_INFOS = 64
MAX_ATTRIBUTES = 64

_SIGNED_DATA = ObjectIdentifier(cms.ID_SIGNED_DATA)
_GM_SIGNED_DATA = ObjectIdentifier(cms.ID_GM_SIGNED_DATA)
_OCSP_INFOS = frozenset(map(ObjectIdentifier, (cms.ID_RI_OCSP_RESPONSE, cms.ID_PKIX_OCSP_BASIC)))
_CONTENT_TYPE = der.oid(cms.ID_CONTENT_TYPE)
_MESSAGE_DIGEST = der.oid(cms.ID_MESSAGE_DIGEST)
_SINGLE_VALUED = frozenset(
    der.oid(dotted)
    for dotted in (
        cms.ID_CONTENT_TYPE,
        cms.ID_MESSAGE_DIGEST,
        cms.ID_SIGNING_TIME,
        cms.ID_SIGNING_CERTIFICATE,
        cms.ID_SIGNING_CERTIFICATE_V2,
        cms.ID_SIGNATURE_POLICY,
        cms.ID_COMMITMENT_TYPE,
        cms.ID_MIME_TYPE,
        cms.ID_SIGNER_ATTRIBUTES_V2,
    )
)
_CERTIFICATE_VALUES = der.oid(cms.ID_CERTIFICATE_VALUES)
_REVOCATION_VALUES = der.oid(cms.ID_REVOCATION_VALUES)
_CONTENT_ATTRIBUTES = frozenset((_CONTENT_TYPE, _MESSAGE_DIGEST))
_COUNTER_SIGNATURE_ATTRIBUTES = frozenset((_MESSAGE_DIGEST,))
_CONSTRUCTORS = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
DIGEST_ALGORITHMS = {
    der.sequence(der.oid(dotted), parameters): name
    for name, dotted in DIGEST_OIDS.items()
    for parameters in (b"", der.NULL)
}
"""hashlib's name by AlgorithmIdentifier, whose parameters may be absent or NULL (RFC 5754, 2)."""


class Signer(NamedTuple):
    """One SignerInfo."""

    sid: cms.IssuerAndSerialNumber | bytes
    digest: str
    """hashlib's name, or the algorithm's dotted identifier where it is unknown."""
    signed_bytes: bytes
    """The signed attributes as the SET that was signed (RFC 5652, 5.4)."""
    signed: dict[bytes, list[bytes]]
    """Encoded values of the signed attributes, by type (DER)."""
    message_digest: bytes
    signature_algorithm: bytes
    """AlgorithmIdentifier, DER."""
    signature: bytes
    unsigned: list[cms.Attribute]

    def value(self, kind: bytes) -> bytes | None:
        """The encoded value of a signed attribute that occurs once; `kind` is an OID, DER."""
        found = self.signed.get(kind)
        return found[0] if found else None

    def is_by(self, certificate: Certificate) -> bool:
        """Whether the signer identifier names this certificate (RFC 5652, 5.3 sid)."""
        sid = self.sid
        if isinstance(sid, bytes):
            return sid == certificate.subject_key_identifier
        return sid.serial == certificate.serial and (
            der.encoded(sid.issuer) == certificate.issuer_der
        )


class SignedMessage(NamedTuple):
    """One SignedData."""

    content_type: str
    content: bytes | None
    certificates: tuple[Certificate, ...]
    crls: tuple[bytes, ...]
    ocsp: tuple[bytes, ...]
    signers: tuple[Signer, ...]
    observations: tuple[str, ...]


def read(data: bytes) -> SignedMessage:
    """Read a ContentInfo with SignedData, DER or BER.

    Raises TooLarge `cms.too-large`; Malformed `cms.malformed`, `cms.attributes`,
    `cms.too-many`, `cms.no-signature`, `cms.content-type`.
    """
    if len(data) > MAX_DOCUMENT_BYTES + MAX_SIGNATURE_BYTES:
        raise TooLarge("cms.too-large", "the signature is too large", limit=MAX_SIGNATURE_BYTES)
    fields, observations = _decode(data)
    if fields.is_gm:
        observations += ("the CMS structure is named as GM/T 0010 does",)
    content = fields.content_info.content
    if len(data) - len(content or b"") > MAX_SIGNATURE_BYTES:
        raise TooLarge("cms.too-large", "the signature is too large", limit=MAX_SIGNATURE_BYTES)
    content_type = fields.content_info.content_type
    certificates, left_aside = _certificates(fields.certificates)
    crls, ocsp = _revocation_infos(fields.crls)
    try:
        signers = tuple(_signers(fields.signer_infos))
    except ValueError:
        raise Malformed("cms.malformed", "a signer info cannot be read") from None
    dotted = content_type.dotted_string
    encoded_type = der.oid(dotted)
    for signer in signers:
        if signer.value(_CONTENT_TYPE) != encoded_type:
            raise Malformed(
                "cms.content-type", "the signed content type is not the content's (RFC 5652, 11.1)"
            )
    return SignedMessage(
        dotted, content, certificates, crls, ocsp, signers, observations + left_aside
    )


def digest_of(name: str, data: bytes | Digestible) -> bytes | None:
    """None where the digest is not known here."""
    if not isinstance(data, bytes):
        return data.digest(name) if name in DIGEST_OIDS else None
    constructor = _CONSTRUCTORS.get(name)
    if constructor is not None:
        return constructor(data).digest()
    if name not in DIGEST_OIDS:
        return None
    try:
        return hashlib.new(name, data).digest()
    except ValueError:
        return None


def to_der(data: bytes) -> bytes:
    """The same ContentInfo with definite lengths. Raises Malformed `cms.malformed`."""
    try:
        _decode_strictly(data)
    except ValueError:
        try:
            return ber.to_definite(data)
        except Malformed:
            raise Malformed("cms.malformed", "neither DER nor BER") from None
    return data


def read_time(encoded: bytes) -> datetime:
    """Time (RFC 5652, 11.3). Raises ValueError."""
    if encoded[:2] == b"\x17\x0d" and encoded[2:14].isdigit() and encoded[14:] == b"Z":
        century = "20" if encoded[2:3] < b"5" else "19"
        return datetime.fromisoformat(f"{century}{encoded[2:8].decode()}T{encoded[8:].decode()}")
    if encoded[:1] == b"\x17":
        return asn1.decode_der(asn1.UTCTime, encoded).as_datetime().replace(tzinfo=UTC)
    return asn1.decode_der(asn1.GeneralizedTime, encoded).as_datetime().replace(tzinfo=UTC)


class _Fields(NamedTuple):
    """What a SignedData holds, as far as it is taken apart at once."""

    content_info: cms.EncapsulatedContentInfo
    certificates: bytes
    """The content octets of the set; empty where there is none."""
    crls: Sequence[asn1.TLV]
    signer_infos: asn1.TLV
    is_gm: bool
    """Whether the content type is GM/T 0010's, not RFC 5652's."""


def _decode(data: bytes) -> tuple[_Fields, tuple[str, ...]]:
    try:
        return _decode_strictly(data), ()
    except ValueError:
        pass
    try:
        return _decode_strictly(ber.to_definite(data)), ("the CMS structure is BER, not DER",)
    except (ValueError, Malformed):
        raise Malformed("cms.malformed", "not a CMS SignedData") from None


def _decode_strictly(data: bytes) -> _Fields:
    info = asn1.decode_der(cms.ContentInfo, data)
    is_gm = info.content_type == _GM_SIGNED_DATA
    if not is_gm and info.content_type != _SIGNED_DATA:
        raise ValueError("another content type")
    signed: cms.UsualSignedData | cms.SignedData
    crls: Sequence[asn1.TLV] = ()
    try:
        signed = usual = info.content.parse(cms.UsualSignedData)
        if usual.certificates.tag_bytes != b"\xa0":
            raise ValueError("no certificates")
        certificates = bytes(usual.certificates.data)
    except ValueError:
        signed = general = info.content.parse(cms.SignedData)
        certificates = b"".join(map(der.encoded, general.certificates or ()))
        crls = general.crls or ()
    if not 1 <= signed.version <= 5 or signed.digest_algorithms.tag_bytes != b"\x31":
        raise ValueError("no version of SignedData")
    return _Fields(signed.content_info, certificates, crls, signed.signer_infos, is_gm)


@remembered(entries=1024, max_size=16 * 1024)
def _certificates(content: bytes) -> tuple[tuple[Certificate, ...], tuple[str, ...]]:
    """The X.509 certificates of a set, which is the same in all signatures of a holder, and
    what was left aside."""
    try:
        elements = der.elements(content)
    except Malformed:
        raise Malformed("cms.malformed", "the certificates cannot be read") from None
    if len(elements) > MAX_CERTIFICATES:
        raise Malformed("cms.too-many", "at most {most} certificates", most=MAX_CERTIFICATES)
    certificates, left_aside = [], []
    for element in elements:
        if element[:1] != b"\x30":
            left_aside.append("a certificate of another kind than X.509 was left aside")
            continue
        try:
            certificates.append(Certificate.parse(element))
        except Refusal:
            left_aside.append("an embedded certificate cannot be read")
    return tuple(certificates), tuple(left_aside)


def _revocation_infos(
    elements: Sequence[asn1.TLV],
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """CRLs and OCSP responses (RFC 5652, 10.2.1; RFC 5940)."""
    if len(elements) > MAX_REVOCATION_INFOS:
        raise Malformed(
            "cms.too-many", "at most {most} revocation infos", most=MAX_REVOCATION_INFOS
        )
    crls, ocsp = [], []
    for element in elements:
        if element.tag_bytes == b"\x30":
            crls.append(der.encoded(element))
        elif element.tag_bytes == b"\xa1":
            try:
                other = asn1.decode_der(
                    cms.OtherRevocationInfo, der.tlv(der.SEQUENCE, bytes(element.data))
                )
            except ValueError:
                raise Malformed("cms.malformed", "a revocation info cannot be read") from None
            if other.format in _OCSP_INFOS:
                ocsp.append(der.encoded(other.info))
    return tuple(crls), tuple(ocsp)


def values_in_attribute(
    kind: bytes, value: bytes
) -> tuple[tuple[Certificate, ...], tuple[bytes, ...], tuple[bytes, ...]]:
    """Certificates, OCSP responses and CRLs of a certificate-values or revocation-values
    attribute (EN 319 122-1, A.1.1.2 and A.1.2.2); nothing for another kind.

    Raises Malformed `cms.malformed`, `cms.too-many`.
    """
    try:
        if kind == _CERTIFICATE_VALUES:
            outer = der.read_only(value, der.SEQUENCE)
            elements = der.elements(value[outer.content : outer.end])
            if len(elements) > MAX_CERTIFICATES:
                raise Malformed(
                    "cms.too-many", "at most {most} certificates", most=MAX_CERTIFICATES
                )
            return tuple(map(Certificate.parse, elements)), (), ()
        if kind == _REVOCATION_VALUES:
            values = asn1.decode_der(cms.RevocationValues, value)
            crls, ocsp = values.crls or [], values.ocsp or []
            if len(crls) + len(ocsp) > MAX_REVOCATION_INFOS:
                raise Malformed("cms.too-many", "at most {most} infos", most=MAX_REVOCATION_INFOS)
            return (), tuple(map(der.encoded, ocsp)), tuple(map(der.encoded, crls))
    except ValueError:
        raise Malformed("cms.malformed", "validation values cannot be read") from None
    return (), (), ()


def _signers(signer_infos: asn1.TLV) -> list[Signer]:
    if signer_infos.tag_bytes != b"\x31":
        raise ValueError("signer infos are a SET")
    infos = der.elements(bytes(signer_infos.data))
    if not infos:
        raise Malformed("cms.no-signature", "nobody signed this")
    if len(infos) > MAX_SIGNERS:
        raise Malformed("cms.too-many", "at most {most} signers", most=MAX_SIGNERS)
    return [_signer(info, _CONTENT_ATTRIBUTES) for info in infos]


def read_counter_signer(encoded: bytes) -> Signer:
    """The SignerInfo of a counter-signature, which has no content type (RFC 5652, 11.4).

    Raises Malformed `cms.malformed`, `cms.attributes`, `cms.too-many`.
    """
    try:
        return _signer(encoded, _COUNTER_SIGNATURE_ATTRIBUTES)
    except ValueError:
        raise Malformed("cms.malformed", "a counter-signature cannot be read") from None


def _signer(encoded: bytes, required: frozenset[bytes]) -> Signer:
    try:
        info = asn1.decode_der(cms.SignerInfo, encoded)
    except ValueError:
        if _has_no_signed_attributes(encoded):
            raise _no_signed_attributes() from None
        raise
    if info.signed_attributes.tag_bytes != b"\xa0":
        raise _no_signed_attributes()
    content = bytes(info.signed_attributes.data)
    signed = _signed_attributes(content, required)
    unsigned = info.unsigned_attributes or []
    if len(unsigned) > MAX_ATTRIBUTES:
        raise Malformed("cms.too-many", "at most {most} attributes", most=MAX_ATTRIBUTES)
    return Signer(
        info.sid,
        _digest_name(info.digest_algorithm.tag_bytes, bytes(info.digest_algorithm.data)),
        der.tlv(der.SET, content),
        signed,
        _octets(signed[_MESSAGE_DIGEST][0]),
        _encoded(info.signature_algorithm.tag_bytes, bytes(info.signature_algorithm.data)),
        info.signature,
        unsigned,
    )


def _has_no_signed_attributes(encoded: bytes) -> bool:
    """After version, signer and digest algorithm the signature algorithm and the value follow."""
    try:
        outer = der.read_only(encoded, der.SEQUENCE)
        return [e.tag for e in der.children(encoded, outer)][2:5] == [0x30, 0x30, 0x04]
    except Malformed:
        return False


def _no_signed_attributes() -> Malformed:
    """Signed attributes could be passed off as a document that was signed without any."""
    return Malformed("cms.attributes", "a signature without signed attributes")


@remembered(entries=256, max_size=256)
def _encoded(tag: bytes, content: bytes) -> bytes:
    """A small element that recurs, such as an AlgorithmIdentifier."""
    return tag + der.tlv(0, content)[1:]


@remembered(entries=256, max_size=256)
def _digest_name(tag: bytes, content: bytes) -> str:
    algorithm = _encoded(tag, content)
    return DIGEST_ALGORITHMS.get(algorithm) or algorithm_oid(algorithm)


def _octets(encoded: bytes) -> bytes:
    """The content of a short OCTET STRING. Raises ValueError."""
    if encoded[:1] == b"\x04" and encoded[1] == len(encoded) - 2 < 0x80:
        return encoded[2:]
    return asn1.decode_der(bytes, encoded)


def _signed_attributes(content: bytes, required: frozenset[bytes]) -> dict[bytes, list[bytes]]:
    signed: dict[bytes, list[bytes]] = {}
    try:
        attributes = cms.attribute_parts(content)
    except Malformed:
        raise Malformed("cms.malformed", "signed attributes cannot be read") from None
    if len(attributes) > MAX_ATTRIBUTES:
        raise Malformed("cms.too-many", "at most {most} attributes", most=MAX_ATTRIBUTES)
    for kind, values in attributes:
        once = kind in _SINGLE_VALUED
        if not values or (once and (len(values) > 1 or kind in signed)):
            raise Malformed("cms.attributes", "an attribute without or with too many values")
        if kind in signed:
            signed[kind].extend(values)
        else:
            signed[kind] = values
    if not required <= signed.keys():
        raise Malformed("cms.attributes", "content-type and message-digest must be signed")
    return signed


def algorithm_oid(algorithm: bytes) -> str:
    """The dotted identifier in an AlgorithmIdentifier. Raises Malformed."""
    outer = der.read_only(algorithm, der.SEQUENCE)
    inner = next(der.children(algorithm, outer), None)
    if inner is None or inner.tag != 0x06:
        raise Malformed("cms.malformed", "an algorithm without an identifier")
    try:
        return asn1.decode_der(ObjectIdentifier, algorithm[inner.start : inner.end]).dotted_string
    except ValueError:
        raise Malformed("cms.malformed", "an algorithm without an identifier") from None
