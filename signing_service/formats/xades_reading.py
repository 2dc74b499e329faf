"""XML signatures read: enveloped XAdES (EN 319 132-1) and the E-Port's plain XML-DSig profile.

A signature's structure is held to exactly what can be judged: one reference to the document,
one to its own properties, transforms on an allow-list, nothing unsigned beside them. What is
moved, doubled or smuggled is refused, or the evidence says that the document is not covered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal
from signing_service.formats import xml_security
from signing_service.formats.signed_data import digest_of
from signing_service.formats.xades_properties import (
    MAX_TIMESTAMPS,
    Properties,
    certificates_in,
    choose_certificate,
    digest_name,
    read_properties,
    signature_suite,
)
from signing_service.formats.xml_names import (
    ENVELOPED_SIGNATURE,
    SIGNED_PROPERTIES,
    ds,
    xades,
)
from signing_service.formats.xml_security import C14N, CANONICALISATIONS, EXCLUSIVE_C14N
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import (
    DigestReference,
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    TimestampEvidence,
    TimestampKind,
)

MAX_SIGNATURES = 16
MAX_REFERENCES = 4
_INCLUSIVE_NAMESPACES = f"{{{EXCLUSIVE_C14N}}}InclusiveNamespaces"


@dataclass(frozen=True, slots=True)
class _Canonicalisation:
    algorithm: str
    prefixes: tuple[str, ...] = ()

    def apply(self, element: etree._Element) -> bytes:
        return xml_security.canonicalise(element, self.algorithm, self.prefixes)


@dataclass(frozen=True, slots=True)
class _Reference:
    """A ds:Reference as it stands."""

    identifier: str | None
    uri: str
    type: str | None
    enveloped: bool
    canonicalisation: _Canonicalisation
    digest: str
    expected: bytes


@dataclass(frozen=True, slots=True)
class _Document:
    root: etree._Element
    by_id: dict[str, list[etree._Element]]

    def resolve(self, uri: str) -> etree._Element:
        """The element that `#id` names. Raises Malformed."""
        if not uri.startswith("#") or not uri[1:] or uri.startswith("#xpointer("):
            raise Malformed("xades.external-reference", "a reference out of the document")
        found = self.by_id.get(uri[1:], [])
        if len(found) > 1:
            raise Malformed("xml.duplicate-id", "two elements bear the referenced identifier")
        if not found:
            raise Malformed("xades.references", "a reference to nothing")
        return found[0]


def read(document: bytes, *, known: Sequence[Certificate] = ()) -> list[SignatureEvidence]:
    """Evidence of every signature in a signed XML document, in document order.

    `known` are certificates beside the embedded ones. Raises TooLarge `xml.too-large`;
    Malformed `xml.*`; Malformed `xades.no-signature`, `xades.too-many`, `xades.structure`,
    `xades.references`, `xades.external-reference`, `xades.signed-properties`.
    """
    root = xml_security.parse(document)
    signatures = [s for s in root.iter(ds("Signature")) if not _is_nested(s)]
    if not signatures:
        raise Malformed("xades.no-signature", "there is no signature in the document")
    if len(signatures) > MAX_SIGNATURES:
        raise Malformed("xades.too-many", f"at most {MAX_SIGNATURES} signatures")
    source = _Document(root, xml_security.elements_by_id(root))
    return [_evidence(source, signature, known) for signature in signatures]


def _is_nested(signature: etree._Element) -> bool:
    """Inside another signature: a counter-signature, which speaks of that one alone."""
    return next(signature.iterancestors(ds("Signature")), None) is not None


def _evidence(
    source: _Document, signature: etree._Element, known: Sequence[Certificate]
) -> SignatureEvidence:
    signed_info, value, key_info, qualifying = _parts(signature)
    references = [_reference(e) for e in signed_info.findall(ds("Reference"))]
    if not 1 <= len(references) <= MAX_REFERENCES:
        raise Malformed("xades.references", "a signature has one reference to its document")
    properties = _own_properties(qualifying)
    document_reference, covers, digests = _digests(
        source, signature, key_info, properties, references
    )
    read = read_properties(qualifying, document_reference.identifier)
    embedded = (*certificates_in(key_info), *read.certificates)
    certificate, certificate_reference = choose_certificate((*embedded, *known), read.references)
    algorithm = _algorithm(signed_info, "SignatureMethod")
    suite, algorithm_name = signature_suite(algorithm, certificate)
    raw_value = xml_security.base64_of(value)
    timestamps, observations = _timestamps(read, value, (*embedded, *known))
    return SignatureEvidence(
        format=SignatureFormat.XADES if certificate_reference else SignatureFormat.XMLDSIG,
        packaging=Packaging.ENVELOPED if covers else Packaging.INTERNALLY_DETACHED,
        suite=suite,
        algorithm_name=algorithm_name,
        signed_bytes=_method(signed_info.find(ds("CanonicalizationMethod"))).apply(signed_info),
        signature_value=raw_value if suite is None else suite.from_raw(raw_value),
        references=digests,
        covers_document=covers,
        signing_certificate=certificate,
        certificate_reference=certificate_reference,
        embedded_certificates=tuple(dict.fromkeys(embedded)),
        embedded_crls=read.crls,
        embedded_ocsp=read.ocsp,
        claimed_signing_time=read.signing_time,
        content_type=read.mime_type,
        timestamps=timestamps,
        commitment=read.commitment,
        roles=read.roles,
        policy=read.policy,
        observations=observations,
    )


def _parts(
    signature: etree._Element,
) -> tuple[etree._Element, etree._Element, etree._Element | None, etree._Element | None]:
    """SignedInfo, SignatureValue, KeyInfo and QualifyingProperties; nothing else is let in.

    A ds:Object beside the properties would be unsigned content that the enveloped-signature
    transform hides.
    """
    children = list(signature)
    if [c.tag for c in children[:2]] != [ds("SignedInfo"), ds("SignatureValue")]:
        raise Malformed("xades.structure", "SignedInfo and SignatureValue come first")
    rest = children[2:]
    key_info = rest.pop(0) if rest and rest[0].tag == ds("KeyInfo") else None
    if not rest:
        return children[0], children[1], key_info, None
    if len(rest) > 1 or rest[0].tag != ds("Object") or len(rest[0]) != 1:
        raise Malformed("xades.structure", "unsigned content inside the signature")
    qualifying = rest[0][0]
    if qualifying.tag != xades("QualifyingProperties"):
        raise Malformed("xades.structure", "unsigned content inside the signature")
    identifier = signature.get("Id")
    if identifier is None or qualifying.get("Target") != f"#{identifier}":
        raise Malformed("xades.signed-properties", "properties of another signature")
    return children[0], children[1], key_info, qualifying


def _own_properties(qualifying: etree._Element | None) -> etree._Element | None:
    if qualifying is None:
        return None
    tags = [child.tag for child in qualifying]
    if tags not in (
        [xades("SignedProperties")],
        [xades("SignedProperties"), xades("UnsignedProperties")],
    ):
        raise Malformed("xades.signed-properties", "signed properties come first, once")
    return qualifying[0]


def _reference(element: etree._Element) -> _Reference:
    uri = element.get("URI")
    if uri is None:
        raise Malformed("xades.references", "a reference without a URI")
    enveloped, canonicalisation = _transforms(element.find(ds("Transforms")))
    value = element.find(ds("DigestValue"))
    if value is None:
        raise Malformed("xades.structure", "a reference without a digest")
    return _Reference(
        identifier=element.get("Id"),
        uri=uri,
        type=element.get("Type"),
        enveloped=enveloped,
        canonicalisation=canonicalisation,
        digest=digest_name(_algorithm(element, "DigestMethod")),
        expected=xml_security.base64_of(value),
    )


def _transforms(element: etree._Element | None) -> tuple[bool, _Canonicalisation]:
    """Whether the signature is taken out, and how the rest is canonicalised.

    Accepted: enveloped-signature, a canonicalisation, or the one before the other. XPath, XSLT
    and base64 select or rewrite what is signed, so they are refused.
    """
    transforms = [] if element is None else list(element)
    enveloped = bool(transforms) and transforms[0].get("Algorithm") == ENVELOPED_SIGNATURE
    rest = transforms[1:] if enveloped else transforms
    if not rest:
        return enveloped, _Canonicalisation(C14N)  # XML-DSig, 4.4.3.2: the default
    if len(rest) > 1 or any(t.tag != ds("Transform") for t in transforms):
        raise Malformed("xml.transform", "these transforms are not accepted")
    return enveloped, _method(rest[0])


def _method(element: etree._Element | None) -> _Canonicalisation:
    algorithm = "" if element is None else element.get("Algorithm", "")
    if element is None or algorithm not in CANONICALISATIONS:
        raise Malformed("xml.transform", "this canonicalisation or transform is not accepted")
    prefixes = element.find(_INCLUSIVE_NAMESPACES)
    listed = () if prefixes is None else tuple(prefixes.get("PrefixList", "").split())
    if len(listed) > 64 or len(element) > (prefixes is not None):
        raise Malformed("xml.transform", "these parameters are not accepted")
    return _Canonicalisation(algorithm, listed)


def _digests(
    source: _Document,
    signature: etree._Element,
    key_info: etree._Element | None,
    properties: etree._Element | None,
    references: list[_Reference],
) -> tuple[_Reference, bool, tuple[DigestReference, ...]]:
    """The document's reference, whether it covers all of it, and every digest."""
    found: list[tuple[_Reference, bool]] = []
    digests = []
    signed_properties = 0
    for reference in references:
        target = source.root if reference.uri == "" else source.resolve(reference.uri)
        if target is properties:
            signed_properties += 1
            name, content = "signed properties", reference.canonicalisation.apply(target)
        elif reference.type == SIGNED_PROPERTIES:
            raise Malformed("xades.signed-properties", "properties of another signature")
        elif target is key_info:
            name, content = "key info", reference.canonicalisation.apply(target)
        else:
            content = _document_content(source, signature, reference, target)
            found.append((reference, target is source.root))
            name = "document"
        actual = digest_of(reference.digest, content)
        digests.append(DigestReference(name, reference.digest, reference.expected, actual))
    if len(found) != 1:
        raise Malformed("xades.references", "a signature has one reference to its document")
    if signed_properties != (properties is not None):
        raise Malformed("xades.signed-properties", "the properties are not signed, once")
    digests.sort(key=lambda digest: digest.name != "document")
    return *found[0], tuple(digests)


def _document_content(
    source: _Document, signature: etree._Element, reference: _Reference, target: etree._Element
) -> bytes:
    if target is not source.root:
        # A part of the document: its digest is told, but it does not cover the document.
        if reference.enveloped:
            raise Malformed("xades.references", "an enveloped signature covers its whole document")
        return reference.canonicalisation.apply(target)
    if not reference.enveloped:
        raise Malformed("xades.references", "the signature would cover itself")
    canonicalisation = reference.canonicalisation
    return xml_security.canonical_without(
        source.root,
        signature,
        canonicalisation.algorithm,
        canonicalisation.prefixes,
        with_surroundings=reference.uri == "",
    )


def _algorithm(parent: etree._Element, name: str) -> str:
    elements = parent.findall(ds(name))
    if len(elements) != 1 or len(elements[0]):
        # HMACOutputLength and PSS parameters would change what the name means.
        raise Malformed("xades.structure", f"one {name} without parameters is needed")
    return str(elements[0].get("Algorithm", ""))


def _timestamps(
    read: Properties, value: etree._Element, known: Sequence[Certificate]
) -> tuple[tuple[TimestampEvidence, ...], tuple[str, ...]]:
    timestamps: list[TimestampEvidence] = []
    observations = list(read.observations)
    for element in read.signature_timestamps:
        try:
            timestamps += _tokens(element, value, known)
        except Refusal as refusal:
            observations.append(f"a signature timestamp cannot be read ({refusal.code})")
    return tuple(timestamps), tuple(observations)


def _tokens(
    element: etree._Element, value: etree._Element, known: Sequence[Certificate]
) -> list[TimestampEvidence]:
    """The tokens of one SignatureTimeStamp, over the canonical signature value."""
    method = element.find(ds("CanonicalizationMethod"))
    canonicalisation = _Canonicalisation(C14N) if method is None else _method(method)
    covered = canonicalisation.apply(value)
    return [
        read_timestamp(xml_security.base64_of(token), TimestampKind.SIGNATURE, covered, known=known)
        for token in element.findall(xades("EncapsulatedTimeStamp"))[:MAX_TIMESTAMPS]
    ]
