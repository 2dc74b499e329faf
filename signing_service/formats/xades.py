"""Enveloped XAdES signatures (EN 319 132-1), levels B-B and B-T: the writing half.

The canonicalisation is Canonical XML 1.0, inclusive, because that is what the E-Port's own
signature profile has, so that its verifiers find nothing new but the ds:Object. Everything that
is signed beside the document is written in canonical form straight away: a signature costs one
parse and one canonicalisation of the document. `xades_reading` is the other half.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from xml.sax.saxutils import escape

from cryptography.hazmat import asn1
from lxml import etree

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.formats import xml_security
from signing_service.formats.prepared import (
    MAX_DOCUMENT_BYTES,
    PreparedSignature,
    check_chain,
    choose_suite,
)
from signing_service.formats.signed_data import digest_of
from signing_service.formats.xades_reading import read
from signing_service.formats.xml_names import DS, SIGNED_PROPERTIES, XADES, ds, xades
from signing_service.formats.xml_security import C14N
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import Packaging, SignatureFormat

__all__ = ["add_signature_timestamp", "assemble", "prepare", "read", "sign"]

MIME_TYPE = "text/xml"
_SIGNED_END = b"</xades:SignedProperties>"
_QUALIFYING_END = b"</xades:QualifyingProperties>"


@asn1.sequence
class _Body:
    """The document around its signature, and the signature around its value."""

    head: bytes
    signature_head: bytes
    signature_tail: bytes
    tail: bytes


def prepare(
    document: bytes,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    suite: AlgorithmSuite | None = None,
    mime_type: str = MIME_TYPE,
) -> PreparedSignature:
    """First step: the canonical ds:SignedInfo over the whole document and the properties.

    The signature becomes the last child of the root. Raises TooLarge `document.too-large`;
    Malformed `xml.*`; Unprocessable `xades.already-signed`, `algorithm.unfit`,
    `chain.too-long`.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise TooLarge("document.too-large", "the document is too large")
    suite = choose_suite(certificate, suite)
    if suite.xml_signature is None:
        raise Unprocessable("algorithm.unfit", "no XML name", suite=suite.name)
    root = xml_security.parse(document)
    if root.find(ds("Signature")) is not None:
        # The first signature covers all but itself: a second one would break it.
        raise Unprocessable("xades.already-signed", "the document is signed already")
    canonical = xml_security.canonicalise(root)
    head, tail = _around_signature(document, root)
    scope = _Scope(root)
    digest = suite.hash(canonical)
    name = _identifier(document, digest, certificate, signing_time)
    properties = _signed_properties(name, certificate, suite, signing_time, mime_type)
    properties_digest = suite.hash(scope.canonical_properties(name, properties))
    signed_info = _signed_info(name, suite, digest, properties_digest)
    start, end = _around_value(name, signed_info, properties, certificate, check_chain(chain))
    return PreparedSignature(
        SignatureFormat.XADES,
        Packaging.ENVELOPED,
        suite,
        certificate,
        tuple(chain),
        scope.canonical_signed_info(signed_info),
        der.sequence(*map(der.octet_string, (head, start, end, tail))),
    )


def assemble(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    """Last step: the signed document. The value has the X.509 shape.

    Raises Unprocessable `signature.mismatch`; Malformed `prepared.malformed`.
    """
    prepared.check(signature_value)
    return _assemble(prepared, signature_value)


def sign(
    document: bytes,
    key: KeyHandle,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    timestamper: Timestamper | None = None,
) -> bytes:
    """All three steps with a key at hand: B-B, or B-T with a `timestamper`.

    Raises as `prepare`, `KeyHandle.sign` and `Timestamper.stamp`; Unprocessable
    `signature.mismatch` when the key is not the certificate's.
    """
    if key.public_key.spki != certificate.spki:
        raise Unprocessable("signature.mismatch", "the key is not the certificate's")
    prepared = prepare(document, certificate, signing_time, chain=chain, suite=key.suite)
    signed = _assemble(prepared, key.sign(prepared.to_be_signed))
    return signed if timestamper is None else add_signature_timestamp(signed, timestamper)


def add_signature_timestamp(
    signed: bytes, timestamper: Timestamper, *, signer: int = 0, digest: str = "sha256"
) -> bytes:
    """B-B to B-T: a timestamp over the canonical ds:SignatureValue (EN 319 132-1, 5.3).

    `signer` counts the ds:Signature elements from zero. Raises Malformed `xml.*`, `xades.*`,
    and as `Timestamper.stamp`.
    """
    root = xml_security.parse(signed)
    signatures = list(root.iter(ds("Signature")))
    if not 0 <= signer < len(signatures):
        raise Malformed("xades.no-signature", "there is no such signature")
    signature = signatures[signer]
    value = signature.find(ds("SignatureValue"))
    qualifying = signature.find(f"{ds('Object')}/{xades('QualifyingProperties')}")
    if value is None or qualifying is None:
        raise Malformed("xades.structure", "not a XAdES signature")
    imprint = digest_of(digest, xml_security.canonicalise(value))
    if imprint is None:
        raise Unprocessable("algorithm.unknown", "no such digest", name=digest)
    token = base64.b64encode(timestamper.stamp(imprint, digest)).decode()
    return _spliced(signed, token) or _appended(root, qualifying, token)


class _Scope:
    """What a child of the root inherits in inclusive canonical form."""

    def __init__(self, root: etree._Element) -> None:
        self._namespaces = {prefix or "": uri for prefix, uri in root.nsmap.items()}
        inherited = sorted(
            (f"xml:{etree.QName(str(name)).localname}", str(value))
            for name, value in root.items()
            if str(name).startswith("{http://www.w3.org/XML/1998/namespace}")
        )
        self._attributes = "".join(f' {name}="{_attribute(value)}"' for name, value in inherited)

    def canonical_signed_info(self, content: str) -> bytes:
        start = f"<ds:SignedInfo{self._declare(ds=DS)}{self._attributes}>"
        return f"{start}{content}</ds:SignedInfo>".encode()

    def canonical_properties(self, name: str, content: str) -> bytes:
        declared = self._declare(ds=DS, xades=XADES)
        start = f'<xades:SignedProperties{declared} Id="{name}-properties"{self._attributes}>'
        return f"{start}{content}</xades:SignedProperties>".encode()

    def _declare(self, **own: str) -> str:
        """Namespace declarations in canonical order: the default first, then by prefix."""
        return "".join(
            f' xmlns{":" if prefix else ""}{prefix}="{_attribute(uri)}"'
            for prefix, uri in sorted((self._namespaces | own).items())
        )


def _signed_info(name: str, suite: AlgorithmSuite, document: bytes, properties: bytes) -> str:
    return (
        f'<ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{suite.xml_signature}"></ds:SignatureMethod>'
        f'<ds:Reference Id="{name}-document" URI=""><ds:Transforms>'
        f'<ds:Transform Algorithm="{DS}enveloped-signature"></ds:Transform>'
        f'<ds:Transform Algorithm="{C14N}"></ds:Transform></ds:Transforms>'
        f"{_digest(suite, document)}</ds:Reference>"
        f'<ds:Reference Type="{SIGNED_PROPERTIES}" URI="#{name}-properties"><ds:Transforms>'
        f'<ds:Transform Algorithm="{C14N}"></ds:Transform></ds:Transforms>'
        f"{_digest(suite, properties)}</ds:Reference>"
    )


def _digest(suite: AlgorithmSuite, value: bytes) -> str:
    return (
        f'<ds:DigestMethod Algorithm="{suite.xml_digest}"></ds:DigestMethod>'
        f"<ds:DigestValue>{base64.b64encode(value).decode()}</ds:DigestValue>"
    )


def _signed_properties(
    name: str,
    certificate: Certificate,
    suite: AlgorithmSuite,
    signing_time: datetime,
    mime_type: str,
) -> str:
    time = signing_time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"<xades:SignedSignatureProperties><xades:SigningTime>{time}</xades:SigningTime>"
        "<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>"
        f"{_digest(suite, certificate.digest(suite.digest))}"
        "</xades:CertDigest></xades:Cert></xades:SigningCertificateV2>"
        "</xades:SignedSignatureProperties><xades:SignedDataObjectProperties>"
        f'<xades:DataObjectFormat ObjectReference="#{name}-document">'
        f"<xades:MimeType>{escape(mime_type)}</xades:MimeType></xades:DataObjectFormat>"
        "</xades:SignedDataObjectProperties>"
    )


def _around_value(
    name: str,
    signed_info: str,
    properties: str,
    certificate: Certificate,
    chain: tuple[Certificate, ...],
) -> tuple[bytes, bytes]:
    """The ds:Signature element before and after the signature value's text."""
    start = (
        f'<ds:Signature xmlns:ds="{DS}" Id="{name}"><ds:SignedInfo>{signed_info}</ds:SignedInfo>'
        f'<ds:SignatureValue Id="{name}-value">'
    )
    end = (
        f"</ds:SignatureValue>{_key_info(certificate, chain)}"
        f'<ds:Object><xades:QualifyingProperties xmlns:xades="{XADES}" Target="#{name}">'
        f'<xades:SignedProperties Id="{name}-properties">{properties}</xades:SignedProperties>'
        "</xades:QualifyingProperties></ds:Object></ds:Signature>"
    )
    return start.encode(), end.encode()


@lru_cache(maxsize=512)
def _key_info(certificate: Certificate, chain: tuple[Certificate, ...]) -> str:
    certificates = "".join(
        f"<ds:X509Certificate>{base64.b64encode(c.der).decode()}</ds:X509Certificate>"
        for c in dict.fromkeys((certificate, *chain))
    )
    return f"<ds:KeyInfo><ds:X509Data>{certificates}</ds:X509Data></ds:KeyInfo>"


def _around_signature(document: bytes, root: etree._Element) -> tuple[bytes, bytes]:
    """The document's own octets before and after the place of its signature."""
    name = etree.QName(root).localname
    qualified = f"{root.prefix}:{name}" if root.prefix else name
    end_tag = f"</{qualified}>".encode()
    text = document.rstrip()
    if text.endswith(end_tag) and root.getroottree().docinfo.encoding in {"UTF-8", "utf-8", None}:
        split = len(text) - len(end_tag)
        return document[:split], document[split:]
    # An empty-element tag, something after the root, or another encoding: write it anew.
    placeholder = etree.SubElement(root, "placeholder")
    text = _serialise(root)
    root.remove(placeholder)
    for empty in (b"<placeholder/>", b'<placeholder xmlns=""/>'):
        head, found, tail = text.rpartition(empty)
        if found:
            return head, tail
    raise Malformed("xml.structure", "no place for a signature")


def _serialise(root: etree._Element) -> bytes:
    return etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True)


def _identifier(
    document: bytes, digest: bytes, certificate: Certificate, signing_time: datetime
) -> str:
    """A name for this signature that nothing in the document bears."""
    seed = digest + certificate.digest("sha256") + signing_time.isoformat().encode()
    while True:
        seed = hashlib.sha256(seed).digest()
        name = f"sig-{seed[:12].hex()}"
        if name.encode() not in document:
            return name


def _assemble(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    if prepared.format is not SignatureFormat.XADES:
        raise Malformed("prepared.malformed", "prepared for another format")
    try:
        body = asn1.decode_der(_Body, prepared.body)
    except ValueError:
        raise Malformed("prepared.malformed", "not an enveloped document") from None
    value = base64.b64encode(prepared.suite.to_raw(signature_value))
    return b"".join((body.head, body.signature_head, value, body.signature_tail, body.tail))


_TIMESTAMP_TEMPLATE = (
    "<xades:SignatureTimeStamp>"
    f'<ds:CanonicalizationMethod Algorithm="{C14N}"></ds:CanonicalizationMethod>'
    "<xades:EncapsulatedTimeStamp>{token}</xades:EncapsulatedTimeStamp>"
    "</xades:SignatureTimeStamp>"
)
_UNSIGNED_TEMPLATE = (
    "<xades:UnsignedProperties><xades:UnsignedSignatureProperties>"
    f"{_TIMESTAMP_TEMPLATE}"
    "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
)


def _spliced(signed: bytes, token: str) -> bytes | None:
    """The timestamp put into a signature of our own writing, every other octet kept."""
    head, found, tail = signed.partition(_SIGNED_END + _QUALIFYING_END)
    # Followed by the end of a comment, CDATA section or instruction it may be no markup at all.
    if not found or any(end in tail for end in (_SIGNED_END, b"-->", b"]]>", b"?>")):
        return None
    unsigned = _UNSIGNED_TEMPLATE.format(token=token).encode()
    return b"".join((head, _SIGNED_END, unsigned, _QUALIFYING_END, tail))


def _appended(root: etree._Element, qualifying: etree._Element, token: str) -> bytes:
    unsigned = qualifying.find(xades("UnsignedProperties"))
    if unsigned is None:
        unsigned = etree.SubElement(qualifying, xades("UnsignedProperties"))
    properties = unsigned.find(xades("UnsignedSignatureProperties"))
    if properties is None:
        properties = etree.SubElement(unsigned, xades("UnsignedSignatureProperties"))
        unsigned.insert(0, properties)
    stamp = etree.SubElement(properties, xades("SignatureTimeStamp"))
    etree.SubElement(stamp, ds("CanonicalizationMethod"), Algorithm=C14N)
    etree.SubElement(stamp, xades("EncapsulatedTimeStamp")).text = token
    return _serialise(root)


def _attribute(value: str) -> str:
    """An attribute's value in canonical form (Canonical XML 1.0, 2.3)."""
    for character, reference in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        ('"', "&quot;"),
        ("\t", "&#x9;"),
        ("\n", "&#xA;"),
        ("\r", "&#xD;"),
    ):
        value = value.replace(character, reference)
    return value
