"""What a signature would cover, told from the octets that a card is asked to sign.

For the holder's side: the service prepares, but the card signs only what covers the holder's
own document, with a digest made on the holder's machine.
"""

import base64
import binascii
import hmac

from lxml import etree

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import cms, der
from kernel.refusals import Refusal
from signing_service.formats import jades_json as json
from signing_service.formats import xml_security
from signing_service.formats.xml_names import DS, ds
from signing_service.formats.xml_security import C14N
from signing_service.validation.evidence import SignatureFormat

_OVER_THE_DOCUMENT = frozenset({SignatureFormat.CADES, SignatureFormat.ASIC_S})
"""Formats whose CMS attributes hold the digest of the document itself."""


def covers(
    format_: SignatureFormat, to_be_signed: bytes, document: bytes, suite: AlgorithmSuite
) -> bool:
    """Whether a value over `to_be_signed` is a signature of this format over `document`, whole.

    False for PAdES: what it covers is a PDF that the service has added to.
    """
    try:
        if format_ in _OVER_THE_DOCUMENT:
            return _attributes_cover(to_be_signed, suite.hash(document))
        if format_ is SignatureFormat.JADES:
            return _payload_is(to_be_signed, document, suite)
        if format_ is not SignatureFormat.XADES:
            return False
        canonical = xml_security.canonicalise(xml_security.parse(document))
        return _signed_info_covers(to_be_signed, suite, suite.hash(canonical))
    except (Refusal, ValueError, binascii.Error):
        return False


def _payload_is(to_be_signed: bytes, document: bytes, suite: AlgorithmSuite) -> bool:
    """A JWS signing input with the document as its whole payload (RFC 7515, 5.1)."""
    protected, _, payload = to_be_signed.partition(b".")
    header = json.parse_object(json.decode(protected.decode("ascii")))
    elsewhere = {"b64", "sigD"} & header.keys()
    return (
        header.get("alg") == suite.jose
        and not elsewhere
        and hmac.compare_digest(payload, json.encode(document).encode())
    )


def _attributes_cover(to_be_signed: bytes, digest: bytes) -> bool:
    """Exactly one message-digest attribute, with this digest (RFC 5652, 11.2)."""
    whole = der.read_only(to_be_signed, der.SET)
    name = der.oid(cms.ID_MESSAGE_DIGEST)
    digests = [
        to_be_signed[attribute.start : attribute.end]
        for attribute in der.children(to_be_signed, whole)
        if name in to_be_signed[attribute.start : attribute.end]
    ]
    wanted = cms.attribute(cms.ID_MESSAGE_DIGEST, der.octet_string(digest))
    return len(digests) == 1 and hmac.compare_digest(digests[0], wanted)


def _signed_info_covers(to_be_signed: bytes, suite: AlgorithmSuite, digest: bytes) -> bool:
    """One reference to the whole document, enveloped, with this digest (XML-DSig, 4.4.3)."""
    root = xml_security.parse(to_be_signed)
    if root.tag != ds("SignedInfo"):
        return False
    whole = [each for each in root.findall(ds("Reference")) if each.get("URI") == ""]
    if len(whole) != 1:
        return False
    transforms = [each.get("Algorithm") for each in whole[0].iter(ds("Transform"))]
    method, value = whole[0].find(ds("DigestMethod")), whole[0].find(ds("DigestValue"))
    return (
        transforms == [f"{DS}enveloped-signature", C14N]
        and method is not None
        and method.get("Algorithm") == suite.xml_digest
        and value is not None
        and hmac.compare_digest(_base64(value), digest)
    )


def _base64(element: etree._Element) -> bytes:
    return base64.b64decode(element.text or "", validate=True)
