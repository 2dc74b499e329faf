"""What a XAdES signature is over, and where in the document it will stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from kernel.algorithms import AlgorithmSuite
from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.formats import plain_xml, xml_security
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.document import Document
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.formats.xades import text as xades_text
from signing_service.formats.xades.levels import serialised
from signing_service.formats.xades.references import SignatureParts, Source
from signing_service.formats.xml_names import (
    BASE64,
    DS,
    ENVELOPED_SIGNATURE,
    WITHOUT_SIGNATURES,
    XPATH,
    ds,
)
from signing_service.formats.xml_security import C14N
from signing_service.validation.evidence import Packaging

MAX_ENVELOPED_BYTES = 7 * 1024 * 1024
"""In an enveloping signature: as base64 it must be one text that XML parsers accept."""
MAX_URI = 1024
_XML = "{http://www.w3.org/XML/1998/namespace}"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is signed, and where the signature will stand."""

    digests: tuple[tuple[str, bytes], ...]
    """(URI, digest) of each document."""
    transforms: str
    """Those of each reference."""
    head: bytes = b""
    tail: bytes = b""
    scope: xades_text.Scope = field(default_factory=lambda: xades_text.Scope({}, {}))
    reserved: bytes = b""
    """Octets in which the signature's name must not occur."""
    enveloped: bytes | None = None
    """The document that the signature envelops."""


def subject_of(
    document: Document | Mapping[str, Document],
    suite: AlgorithmSuite,
    packaging: Packaging,
    target: str | None,
    *,
    parallel: bool,
) -> Subject:
    """Of every packaging but DETACHED. Raises as `writing.prepare`."""
    if not isinstance(document, bytes):
        raise Unprocessable("packaging.unfit", "a document in memory is needed")
    if len(document) > MAX_DOCUMENT_BYTES:
        raise TooLarge("document.too-large", "the document is too large")
    if packaging is Packaging.ENVELOPING:
        if len(document) > MAX_ENVELOPED_BYTES:
            raise TooLarge("document.too-large", "the document is too large to be enveloped")
        digests = (("", suite.hash(document)),)
        return Subject(digests, xades_text.transform(BASE64), enveloped=document)
    if packaging is Packaging.ENVELOPED:
        plain = _plain(document, suite, parallel=parallel)
        if plain is not None:
            return plain
    root = xml_security.parse(document)
    if packaging is Packaging.INTERNALLY_DETACHED:
        if target is None or not target.isprintable():
            raise Unprocessable("packaging.unfit", "the identifier of what is signed is needed")
        uri, transforms = f"#{target}", xades_text.transform(C14N)
        element = Source(root).resolve(uri)
        if element is root:
            raise Unprocessable("packaging.unfit", "the root would hold its own signature")
        canonical = xml_security.canonicalise(element)
    else:
        uri = ""
        parallel = _beside_others(root, parallel=parallel)
        canonical, transforms = _enveloped(root, parallel=parallel), _transforms(parallel=parallel)
    head, tail = _around_signature(document, root)
    digests = ((uri, suite.hash(canonical)),)
    return Subject(digests, transforms, head, tail, _scope(root), document)


def _plain(document: bytes, suite: AlgorithmSuite, *, parallel: bool) -> Subject | None:
    """What the general way makes of a plain document, if it holds no signature."""
    plain = plain_xml.read(document)
    if plain is None or DS in plain.namespaces.values():
        # Without that namespace in its root a plain document has no element of it.
        return None
    return Subject(
        (("", suite.hash(plain.canonical)),),
        _transforms(parallel=parallel),
        plain.head,
        plain.tail,
        xades_text.Scope(plain.namespaces, {}),
        document,
    )


def _scope(root: etree._Element) -> xades_text.Scope:
    return xades_text.Scope(
        {prefix or "": uri for prefix, uri in root.nsmap.items()},
        {
            f"xml:{etree.QName(str(name)).localname}": str(value)
            for name, value in root.items()
            if str(name).startswith(_XML)
        },
    )


def detached_subject(
    document: Document | Mapping[str, Document], suite: AlgorithmSuite, container: bytes | None
) -> Subject:
    """Raises as `writing.prepare`."""
    if not isinstance(document, Mapping) or not document:
        raise Unprocessable("packaging.unfit", "detached documents need their URIs")
    digests = tuple(_detached(uri, each, suite) for uri, each in document.items())
    if container is None:
        return Subject(digests, "")
    root = xml_security.parse(container)
    if any(child.tag != ds("Signature") for child in root):
        raise Unprocessable("packaging.unfit", "the container holds more than signatures")
    head, tail = _around_signature(container, root)
    return Subject(digests, "", head, tail, _scope(root), container)


def _detached(uri: str, document: Document, suite: AlgorithmSuite) -> tuple[str, bytes]:
    if not 1 <= len(uri) <= MAX_URI or uri.startswith("#") or not uri.isprintable():
        raise Unprocessable("document.uri", "a URI that names a document is needed")
    if isinstance(document, bytes) and len(document) > MAX_DOCUMENT_BYTES:
        raise TooLarge("document.too-large", "the document is too large")
    digest = digest_of(suite.digest, document)
    if digest is None:
        raise Unprocessable("document.digest", "the document's digest cannot be made")
    return uri, digest


def _beside_others(root: etree._Element, *, parallel: bool) -> bool:
    """Whether to leave out other signatures too.

    Raises Unprocessable `xades.already-signed` where one that is there would break.
    """
    signatures = root.findall(ds("Signature"))
    source = Source(root)
    for signature in signatures:
        references = SignatureParts.of(signature).references(source)
        if any(r.uri == "" and not r.transforms.without_signatures for r in references):
            # It covers all but itself: another signature would break it.
            raise Unprocessable("xades.already-signed", "the document is signed already")
    return parallel or bool(signatures)


def _enveloped(root: etree._Element, *, parallel: bool) -> bytes:
    if parallel:
        return xml_security.canonical_without_all(root, ds("Signature"))
    return xml_security.canonicalise(root)


def _transforms(*, parallel: bool) -> str:
    if parallel:
        expression = f"<ds:XPath>{WITHOUT_SIGNATURES}</ds:XPath>"
        return xades_text.transform(XPATH, expression) + xades_text.transform(C14N)
    return xades_text.transform(ENVELOPED_SIGNATURE) + xades_text.transform(C14N)


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
    text = serialised(root)
    root.remove(placeholder)
    for empty in (b"<placeholder/>", b'<placeholder xmlns=""/>'):
        head, found, tail = text.rpartition(empty)
        if found:
            return head, tail
    raise Malformed("xml.structure", "no place for a signature")
