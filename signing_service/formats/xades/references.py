"""ds:Reference elements: what they refer to, through transforms on an allow-list.

A signature's structure is held to exactly what can be judged: one reference to the document (or
one to each detached document), one to its own properties, nothing unsigned beside them. What is
moved, doubled or smuggled is refused, or the evidence says that the document is not covered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from lxml import etree

from kernel.refusals import Malformed
from signing_service.formats import xml_security
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.document import Document
from signing_service.formats.xades.properties import digest_name
from signing_service.formats.xades.transforms import Transforms, read_transforms
from signing_service.formats.xml_names import SIGNED_PROPERTIES, ds, xades
from signing_service.validation.evidence import DigestReference, Packaging

MAX_REFERENCES = 4
MAX_DETACHED_REFERENCES = 256


@dataclass(frozen=True, slots=True)
class Reference:
    """A ds:Reference as it stands."""

    identifier: str | None
    uri: str
    type: str | None
    transforms: Transforms
    digest: str
    expected: bytes


class Referenced(NamedTuple):
    """What a reference leads to."""

    reference: Reference
    name: str
    """In words of a report."""
    content: Document | None
    """The octets that the digest is over; None where they were not presented."""
    packaging: Packaging | None
    """None for what is not the document (properties, KeyInfo)."""
    whole: bool = False
    """Whether it is all of the document."""

    def digest_reference(self) -> DigestReference:
        actual = None if self.content is None else digest_of(self.reference.digest, self.content)
        return DigestReference(self.name, self.reference.digest, self.reference.expected, actual)


@dataclass(frozen=True)
class Source:
    """A signed XML document, and the detached documents presented with it."""

    root: etree._Element
    detached: Document | Mapping[str, Document] | None = None
    """By URI; one without a name goes with the only external reference."""

    @cached_property
    def by_id(self) -> dict[str, list[etree._Element]]:
        return xml_security.elements_by_id(self.root)

    @cached_property
    def holds_only_signatures(self) -> bool:
        """The document is a signature, or a container of nothing else (EN 319 162-1, A.5)."""
        if self.root.tag == ds("Signature"):
            return True
        return len(self.root) > 0 and all(child.tag == ds("Signature") for child in self.root)

    @property
    def is_alone(self) -> bool:
        """No document was presented beside it, of which the reader could think it was signed."""
        return self.detached is None

    def resolve(self, uri: str) -> etree._Element:
        """The element that `#id` names. Raises Malformed."""
        if not uri[1:] or uri.startswith("#xpointer("):
            raise Malformed("xades.external-reference", "a reference out of the document")
        found = self.by_id.get(uri[1:], [])
        if len(found) > 1:
            raise Malformed("xml.duplicate-id", "two elements bear the referenced identifier")
        if not found:
            raise Malformed("xades.references", "a reference to nothing")
        return found[0]

    def document(self, uri: str) -> Document | None:
        if isinstance(self.detached, Mapping):
            return self.detached.get(uri)
        return self.detached


@dataclass(frozen=True, slots=True)
class SignatureParts:
    """A ds:Signature taken apart; nothing else is let in.

    A ds:Object beside the properties and the enveloped document would be unsigned content that
    transforms hide.
    """

    element: etree._Element
    signed_info: etree._Element
    value: etree._Element
    key_info: etree._Element | None
    qualifying: etree._Element | None
    objects: tuple[etree._Element, ...]
    """Every ds:Object but the one with the properties."""

    @classmethod
    def of(cls, signature: etree._Element) -> "SignatureParts":
        """Raises Malformed `xades.structure`, `xades.signed-properties`."""
        children = list(signature)
        if [c.tag for c in children[:2]] != [ds("SignedInfo"), ds("SignatureValue")]:
            raise Malformed("xades.structure", "SignedInfo and SignatureValue come first")
        rest = children[2:]
        key_info = rest.pop(0) if rest and rest[0].tag == ds("KeyInfo") else None
        if any(child.tag != ds("Object") for child in rest):
            raise Malformed("xades.structure", "unsigned content inside the signature")
        with_properties = [o for o in rest if o.find(xades("QualifyingProperties")) is not None]
        objects = tuple(child for child in rest if child not in with_properties)
        if len(with_properties) > 1 or any(len(o) != 1 for o in with_properties):
            raise Malformed("xades.structure", "unsigned content inside the signature")
        qualifying = with_properties[0][0] if with_properties else None
        identifier = signature.get("Id")
        if qualifying is not None and (
            identifier is None or qualifying.get("Target") != f"#{identifier}"
        ):
            raise Malformed("xades.signed-properties", "properties of another signature")
        return cls(signature, children[0], children[1], key_info, qualifying, objects)

    def properties(self) -> etree._Element | None:
        """The xades:SignedProperties. Raises Malformed `xades.signed-properties`."""
        if self.qualifying is None:
            return None
        tags = [child.tag for child in self.qualifying]
        if tags not in (
            [xades("SignedProperties")],
            [xades("SignedProperties"), xades("UnsignedProperties")],
        ):
            raise Malformed("xades.signed-properties", "signed properties come first, once")
        return self.qualifying[0]

    def references(self, source: Source) -> list[Reference]:
        """Raises Malformed `xades.references`, `xml.transform`, `xades.structure`."""
        elements = self.signed_info.findall(ds("Reference"))
        limit = MAX_DETACHED_REFERENCES if source.holds_only_signatures else MAX_REFERENCES
        if not 1 <= len(elements) <= limit:
            raise Malformed("xades.references", "a signature has one reference to its document")
        return [_reference(element) for element in elements]


def resolve_all(source: Source, parts: SignatureParts) -> list[Referenced]:
    """What every reference leads to, in order, with the rules about their number and kind.

    Raises Malformed `xades.*`, `xml.*`.
    """
    properties = parts.properties()
    found = [_resolve(source, parts, properties, r) for r in parts.references(source)]
    documents = [each for each in found if each.packaging is not None]
    detached = [each for each in documents if each.packaging is Packaging.DETACHED]
    if not documents or (len(documents) > 1 and len(detached) < len(documents)):
        raise Malformed("xades.references", "a signature has one reference to its document")
    if len({each.reference.uri for each in documents}) != len(documents):
        raise Malformed("xades.references", "a document is referred to once")
    signed_properties = [each for each in found if each.name == "signed properties"]
    if len(signed_properties) != (properties is not None):
        raise Malformed("xades.signed-properties", "the properties are not signed, once")
    referenced = {id(o) for o in parts.objects if _is_referenced(o, documents)}
    if len(referenced) != len(parts.objects):
        raise Malformed("xades.structure", "unsigned content inside the signature")
    return found


def canonical_properties(root: etree._Element, signed_info: bytes) -> bytes:
    """The signed properties in a document that a canonical SignedInfo refers to. Raises Malformed
    `xades.*`, `xml.*`."""
    for each in xml_security.parse(signed_info).iter(ds("Reference")):
        if each.get("Type") == SIGNED_PROPERTIES:
            return xml_security.canonicalise(Source(root).resolve(each.get("URI") or "#"))
    raise Malformed("xades.signed-properties", "a signature without properties")


def algorithm_of(parent: etree._Element, name: str) -> str:
    """The algorithm that a method element names. Raises Malformed `xades.structure`."""
    elements = parent.findall(ds(name))
    if len(elements) != 1 or len(elements[0]):
        # HMACOutputLength and PSS parameters would change what the name means.
        raise Malformed("xades.structure", "one {name} without parameters is needed", name=name)
    return str(elements[0].get("Algorithm", ""))


def _reference(element: etree._Element) -> Reference:
    uri = element.get("URI")
    if uri is None:
        raise Malformed("xades.references", "a reference without a URI")
    value = element.find(ds("DigestValue"))
    if value is None:
        raise Malformed("xades.structure", "a reference without a digest")
    return Reference(
        identifier=element.get("Id"),
        uri=uri,
        type=element.get("Type"),
        transforms=read_transforms(element.find(ds("Transforms"))),
        digest=digest_name(algorithm_of(element, "DigestMethod")),
        expected=xml_security.base64_of(value),
    )


def _resolve(
    source: Source,
    parts: SignatureParts,
    properties: etree._Element | None,
    reference: Reference,
) -> Referenced:
    uri, method = reference.uri, reference.transforms.method
    if uri and not uri.startswith("#"):
        return _detached(source, reference)
    target = source.resolve(uri) if uri else source.root
    if target is properties:
        return Referenced(reference, "signed properties", method.apply(target), None)
    if reference.type == SIGNED_PROPERTIES:
        raise Malformed("xades.signed-properties", "properties of another signature")
    if target is parts.key_info:
        return Referenced(reference, "key info", method.apply(target), None)
    if target in parts.objects or target.getparent() in parts.objects:
        return _enveloping(source, parts, reference, target)
    if target is source.root:
        return _enveloped(source, parts, reference)
    return _internally_detached(source, reference, target)


def _detached(source: Source, reference: Reference) -> Referenced:
    """A document that is presented beside the signature. Nothing is ever fetched."""
    if not source.holds_only_signatures:
        raise Malformed("xades.external-reference", "a reference out of the document")
    transforms = reference.transforms
    if transforms.enveloped or transforms.without_signatures or transforms.base64:
        raise Malformed("xml.transform", "these transforms are not accepted")
    content = source.document(reference.uri)
    if content is not None and transforms.canonicalisation is not None:
        if not isinstance(content, bytes):
            raise Malformed("xml.transform", "a streamed document is not canonicalised")
        content = transforms.method.apply(xml_security.parse(content))
    return Referenced(reference, "document", content, Packaging.DETACHED, content is not None)


def _enveloped(source: Source, parts: SignatureParts, reference: Reference) -> Referenced:
    transforms = reference.transforms
    method = transforms.method
    if transforms.without_signatures and not reference.uri:
        content = xml_security.canonical_without_all(
            source.root, ds("Signature"), method.algorithm, method.prefixes
        )
        whole = source.is_alone and _only_signatures_are_left_out(source.root)
        return Referenced(reference, "document", content, Packaging.ENVELOPED, whole)
    if not transforms.enveloped or transforms.without_signatures or transforms.base64:
        raise Malformed("xades.references", "the signature would cover itself")
    content = xml_security.canonical_without(
        source.root,
        parts.element,
        method.algorithm,
        method.prefixes,
        with_surroundings=not reference.uri,
    )
    return Referenced(reference, "document", content, Packaging.ENVELOPED, source.is_alone)


def _enveloping(
    source: Source, parts: SignatureParts, reference: Reference, target: etree._Element
) -> Referenced:
    transforms = reference.transforms
    if transforms.enveloped or transforms.without_signatures:
        raise Malformed("xml.transform", "these transforms are not accepted")
    if transforms.base64:
        content = xml_security.base64_of(target)
    else:
        content = transforms.method.apply(target)
    inside = target in parts.objects or len(target.getparent()) == 1  # type: ignore[arg-type]
    whole = source.root is parts.element and inside
    if not source.is_alone:
        whole = whole and transforms.base64 and source.detached == content
    return Referenced(reference, "document", content, Packaging.ENVELOPING, whole)


def _internally_detached(
    source: Source, reference: Reference, target: etree._Element
) -> Referenced:
    transforms = reference.transforms
    # A part of the document: its digest is told; it is the document only where all the rest is
    # a bare frame with signatures.
    if transforms.enveloped or transforms.without_signatures:
        raise Malformed("xades.references", "an enveloped signature covers its whole document")
    if transforms.base64:
        raise Malformed("xml.transform", "these transforms are not accepted")
    root = source.root
    others = [child for child in root if child is not target and isinstance(child.tag, str)]
    whole = (
        source.is_alone
        and target.getparent() is root
        and not root.attrib
        and not "".join([root.text or "", *(child.tail or "" for child in root)]).strip()
        and all(_is_bare_signature(child) for child in others)
    )
    content = transforms.method.apply(target)
    return Referenced(reference, "document", content, Packaging.INTERNALLY_DETACHED, whole)


def _only_signatures_are_left_out(root: etree._Element) -> bool:
    """Every signature stands right below the root and hides nothing."""
    return all(
        _is_bare_signature(each)
        if each.getparent() is root
        else next(each.iterancestors(ds("Signature")), None) is not None
        for each in root.iter(ds("Signature"))
    )


def _is_bare_signature(element: etree._Element) -> bool:
    """A signature with nothing in it but what belongs to it."""
    if element.tag != ds("Signature"):
        return False
    try:
        parts = SignatureParts.of(element)
        parts.properties()
    except Malformed:
        return False
    return not parts.objects


def _is_referenced(element: etree._Element, documents: list[Referenced]) -> bool:
    identifiers = {element.get("Id")} | {child.get("Id") for child in element}
    return any(
        each.reference.uri == f"#{name}" for name in identifiers if name for each in documents
    )
