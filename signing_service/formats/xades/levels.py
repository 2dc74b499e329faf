"""XAdES from level to level (EN 319 132-1, 6): our own signatures and strangers' alike."""

import base64
from collections.abc import Mapping, Sequence

from lxml import etree

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.formats import xml_security
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.document import Document
from signing_service.formats.prepared import MAX_SIGNATURE_BYTES
from signing_service.formats.validation_material import ValidationMaterial, whole_response
from signing_service.formats.xades.archive import archive_coverage, is_archive_timestamp
from signing_service.formats.xades.properties import (
    certificates_in,
    read_properties,
    unsigned_properties,
)
from signing_service.formats.xades.reading import signatures_of
from signing_service.formats.xades.references import (
    SignatureParts,
    Source,
    resolve_all,
)
from signing_service.formats.xades.transforms import Canonicalisation
from signing_service.formats.xml_names import DS, XADES, XADES_141, ds, xades, xades141
from signing_service.formats.xml_security import C14N
from signing_service.timestamping.client import Timestamper

_SIGNED_END = b"</xades:SignedProperties>"
_QUALIFYING_END = b"</xades:QualifyingProperties>"
_NAMES = {"xades": XADES, "xades141": XADES_141, "ds": DS}


def add_signature_timestamp(
    signed: bytes,
    timestamper: Timestamper,
    *,
    signer: int = 0,
    digest: str = "sha256",
    counter: bytes | None = None,
) -> bytes:
    """B-B to B-T: a timestamp over the canonical ds:SignatureValue (EN 319 132-1, 5.3).

    `signer` counts the signatures as `read` tells them, from zero; -1 is the last. With `counter`
    it is the counter-signature upon it whose value has these octets. Raises
    Malformed `xml.*`, `xades.*`; Unprocessable `algorithm.unknown`; and as `Timestamper.stamp`.
    """
    root, parts = chosen(signed, signer, counter)
    imprint = digest_of(digest, xml_security.canonicalise(parts.value))
    if imprint is None:
        raise Unprocessable("algorithm.unknown", "no such digest", name=digest)
    token = timestamper.stamp(imprint, digest)
    spliced = None if counter else _spliced(signed, base64.b64encode(token).decode())
    if spliced is not None:
        return spliced
    stamp = _new(parts, xades("SignatureTimeStamp"))
    _fill_timestamp(stamp, token)
    return serialised(root)


def add_validation_material(
    signed: bytes,
    material: ValidationMaterial,
    *,
    signer: int = 0,
    counter: bytes | None = None,
) -> bytes:
    """B-T to B-LT: CertificateValues and RevocationValues (5.4); once these are there, what is
    new goes into a TimeStampValidationData of its own (5.5.1), because an archive timestamp may
    cover the old ones.

    Raises Malformed `xml.*`, `xades.*`, `ocsp.malformed`; TooLarge `xades.too-large`.
    """
    root, parts = chosen(signed, signer, counter)
    unsigned = unsigned_properties(parts.qualifying)
    read = read_properties(parts.qualifying, None, unsigned)
    present = (*certificates_in(parts.key_info), *read.certificates)
    new = material.without((certificate.der for certificate in present), read.ocsp, read.crls)
    if not new:
        return signed
    tags = {element.tag for element in unsigned}
    parent = container(parts)
    taken = {xades("CertificateValues"), xades("RevocationValues"), xades141("ArchiveTimeStamp")}
    if tags & taken:
        parent = etree.SubElement(parent, xades141("TimeStampValidationData"), nsmap=_NAMES)
    for certificate in new.certificates:
        Certificate.parse(certificate)
    _values(parent, "CertificateValues", "EncapsulatedX509Certificate", new.certificates)
    if new.crls or new.ocsp:
        revocation = etree.SubElement(parent, xades("RevocationValues"), nsmap=_NAMES)
        ocsp = tuple(map(whole_response, new.ocsp))
        _values(revocation, "CRLValues", "EncapsulatedCRLValue", new.crls)
        _values(revocation, "OCSPValues", "EncapsulatedOCSPValue", ocsp)
    return _checked(signed, serialised(root))


def add_archive_timestamp(
    signed: bytes,
    timestamper: Timestamper,
    *,
    document: Document | Mapping[str, Document] | None = None,
    signer: int = 0,
    digest: str = "sha256",
    counter: bytes | None = None,
) -> bytes:
    """B-LT to B-LTA, or its renewal: xades141:ArchiveTimeStamp over all that is there (5.5.2).

    `document` is needed for detached signatures. Raises Unprocessable `document.missing`,
    `document.other`, `algorithm.unknown`; Malformed `xml.*`, `xades.*`; and as
    `Timestamper.stamp`.
    """
    root, parts = chosen(signed, signer, counter)
    referenced = resolve_all(Source(root, document), parts)
    if not all(each.digest_reference().intact for each in referenced if each.content is not None):
        # An archive timestamp over another document would only ever show as broken.
        raise Unprocessable("document.other", "this is not the document that was signed")
    before = unsigned_properties(parts.qualifying)
    covered = archive_coverage(parts, referenced, before, Canonicalisation(C14N))
    if covered is None:
        raise Unprocessable("document.missing", "the detached document is needed")
    imprint = covered.digest(digest)
    if imprint is None:
        raise Unprocessable("algorithm.unknown", "no such digest", name=digest)
    token = timestamper.stamp(imprint, digest)
    _fill_timestamp(_new(parts, xades141("ArchiveTimeStamp")), token)
    return _checked(signed, serialised(root))


def serialised(root: etree._Element) -> bytes:
    """The whole document, UTF-8."""
    return etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)


def is_archived(parts: SignatureParts) -> bool:
    return any(map(is_archive_timestamp, unsigned_properties(parts.qualifying)))


def chosen(
    signed: bytes, signer: int, counter: bytes | None = None
) -> tuple[etree._Element, SignatureParts]:
    """The document's root and one of its signatures, or the counter-signature of that value upon
    it. Raises Malformed `xml.*`, `xades.*`."""
    root = xml_security.parse(signed)
    signatures = signatures_of(root)
    if not -1 <= signer < len(signatures):
        raise Malformed("xades.no-signature", "there is no such signature")
    parts = SignatureParts.of(signatures[signer])
    if counter is not None:
        parts = _counter_signature(parts, counter)
    if parts.qualifying is None:
        raise Malformed("xades.structure", "not a XAdES signature")
    parts.properties()
    return root, parts


def _counter_signature(upon: SignatureParts, value: bytes) -> SignatureParts:
    for element in unsigned_properties(upon.qualifying):
        if element.tag == xades("CounterSignature"):
            for each in map(SignatureParts.of, element.findall(ds("Signature"))):
                if xml_security.base64_of(each.value) == value:
                    return each
    raise Malformed("xades.no-signature", "there is no such counter-signature")


def container(parts: SignatureParts) -> etree._Element:
    """The UnsignedSignatureProperties, made where there are none."""
    qualifying = parts.qualifying
    assert qualifying is not None  # see chosen
    unsigned_properties(qualifying)
    unsigned = qualifying.find(xades("UnsignedProperties"))
    if unsigned is None:
        unsigned = etree.SubElement(qualifying, xades("UnsignedProperties"), nsmap=_NAMES)
    properties = unsigned.find(xades("UnsignedSignatureProperties"))
    if properties is None:
        properties = etree.SubElement(unsigned, xades("UnsignedSignatureProperties"))
        unsigned.insert(0, properties)
    return properties


def _new(parts: SignatureParts, tag: str) -> etree._Element:
    return etree.SubElement(container(parts), tag, nsmap=_NAMES)


def _fill_timestamp(element: etree._Element, token: bytes) -> None:
    etree.SubElement(element, ds("CanonicalizationMethod"), Algorithm=C14N)
    encapsulated = etree.SubElement(element, xades("EncapsulatedTimeStamp"))
    encapsulated.text = base64.b64encode(token).decode()


def _values(parent: etree._Element, name: str, each: str, values: Sequence[bytes]) -> None:
    if values:
        holder = etree.SubElement(parent, xades(name), nsmap=_NAMES)
        for value in values:
            etree.SubElement(holder, xades(each)).text = base64.b64encode(value).decode()


def _checked(before: bytes, after: bytes) -> bytes:
    if len(after) - len(before) > MAX_SIGNATURE_BYTES:
        raise TooLarge("xades.too-large", "the signature would become too large")
    return after


_UNSIGNED_TEMPLATE = (
    "<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>"
    f'<ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
    "<xades:EncapsulatedTimeStamp>{token}</xades:EncapsulatedTimeStamp>"
    "</xades:SignatureTimeStamp></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
)


def _spliced(signed: bytes, token: str) -> bytes | None:
    """The timestamp put into a lone signature of our own writing, every other octet kept."""
    head, found, tail = signed.partition(_SIGNED_END + _QUALIFYING_END)
    if not found or _SIGNED_END in head:
        return None
    # Followed by the end of a comment, CDATA section or instruction it may be no markup at all.
    if any(end in tail for end in (_SIGNED_END, b"-->", b"]]>", b"?>")):
        return None
    unsigned = _UNSIGNED_TEMPLATE.format(token=token).encode()
    return b"".join((head, _SIGNED_END, unsigned, _QUALIFYING_END, tail))
