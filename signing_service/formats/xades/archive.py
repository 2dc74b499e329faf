"""What XAdES timestamps cover: xades141:ArchiveTimeStamp (EN 319 132-1, 5.5.2, not distributed)
and the timestamps over data objects (5.2.8)."""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping, Sequence

from lxml import etree

from kernel.refusals import Malformed, Refusal
from signing_service.formats import xml_security
from signing_service.formats.cms import signed_data
from signing_service.formats.document import Concatenation, Document
from signing_service.formats.validation_material import basic_response
from signing_service.formats.xades.references import Referenced, SignatureParts
from signing_service.formats.xades.transforms import Canonicalisation
from signing_service.formats.xml_names import ds, xades, xades141
from signing_service.validation.evidence import SignatureEvidence

_CERTIFICATE = xades("EncapsulatedX509Certificate")
_OCSP = xades("EncapsulatedOCSPValue")
_CRL = xades("EncapsulatedCRLValue")
_TOKEN = xades("EncapsulatedTimeStamp")


def archive_coverage(
    parts: SignatureParts,
    referenced: Sequence[Referenced],
    before: Sequence[etree._Element],
    method: Canonicalisation,
) -> Concatenation | None:
    """The octets that an archive timestamp covers; None where a document is not presented.

    `before` are the unsigned signature properties that stand before it, in order.
    """
    pieces: list[Document] = []
    for each in referenced:
        if each.content is None:
            return None
        pieces.append(each.content)
    elements = [parts.signed_info, parts.value]
    if parts.key_info is not None:
        elements.append(parts.key_info)
    elements += [*before, *parts.objects]
    pieces += [method.apply(element) for element in elements]
    return Concatenation(pieces)


def archived_objects(
    parts: SignatureParts,
    signature_value: bytes,
    before: Sequence[etree._Element],
    counter_signatures: Mapping[etree._Element, SignatureEvidence],
) -> frozenset[bytes]:
    """SHA-256 of what an archive timestamp proves, as evidence knows it.

    `counter_signatures` are those that could be read, by their xades:CounterSignature.
    """
    things = [signature_value]
    if parts.key_info is not None:
        things += map(_octets, parts.key_info.iter(ds("X509Certificate")))
    for element in before:
        for encapsulated in element.iter(_CERTIFICATE, _OCSP, _CRL, _TOKEN):
            octets = _octets(encapsulated)
            things.append(octets)
            if encapsulated.tag == _OCSP:
                things += _basic(octets)
            elif encapsulated.tag == _TOKEN:
                things += _inside_token(octets)
        counter = counter_signatures.get(element)
        if counter is not None:
            things.append(counter.signature_value)
            things += (certificate.der for certificate in counter.embedded_certificates)
    return frozenset(hashlib.sha256(thing).digest() for thing in things)


def data_objects_coverage(
    element: etree._Element, referenced: Sequence[Referenced]
) -> Concatenation | None:
    """What an AllDataObjectsTimeStamp or IndividualDataObjectsTimeStamp covers (5.2.8)."""
    if element.tag == xades("AllDataObjectsTimeStamp"):
        chosen = [each for each in referenced if each.name != "signed properties"]
    else:
        by_id = {each.reference.identifier: each for each in referenced}
        chosen = []
        for include in element.findall(xades("Include")):
            each = by_id.get(str(include.get("URI", ""))[1:])
            if each is None or include.get("referencedData") != "true":
                raise Malformed("xades.timestamp", "a timestamp over something else")
            chosen.append(each)
    contents = [each.content for each in chosen if each.content is not None]
    if not chosen or len(contents) != len(chosen):
        return None
    return Concatenation(contents)


def is_archive_timestamp(element: etree._Element) -> bool:
    return element.tag == xades141("ArchiveTimeStamp")


def _octets(element: etree._Element) -> bytes:
    try:
        return base64.b64decode("".join(xml_security.text_of(element).split()))
    except (Refusal, binascii.Error, ValueError):
        return b""


def _basic(response: bytes) -> Iterator[bytes]:
    try:
        yield basic_response(response)
    except Refusal:
        return


def _inside_token(token: bytes) -> list[bytes]:
    try:
        message = signed_data.read(token)
    except Refusal:
        return []
    certificates = (certificate.der for certificate in message.certificates)
    return [*certificates, *message.crls, *message.ocsp, message.signers[0].signature]
