"""XML signatures read: XAdES (EN 319 132-1) and the E-Port's plain XML-DSig profile.

Every packaging: enveloped, enveloping, detached and internally detached. Nothing is fetched;
a detached document is what the caller presents. What a signature refers to is told by
`xades.references`, what its timestamps cover by `xades.archive`.
"""

from collections.abc import Mapping, Sequence

from lxml import etree

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal
from signing_service.formats import xml_security
from signing_service.formats.document import Digestible, Document
from signing_service.formats.xades.archive import (
    archive_coverage,
    archived_objects,
    data_objects_coverage,
    is_archive_timestamp,
)
from signing_service.formats.xades.properties import (
    Properties,
    certificates_in,
    choose_certificate,
    read_properties,
    signature_suite,
    unsigned_properties,
)
from signing_service.formats.xades.references import (
    Referenced,
    SignatureParts,
    Source,
    algorithm_of,
    resolve_all,
)
from signing_service.formats.xades.transforms import Canonicalisation, method_of
from signing_service.formats.xml_names import COUNTERSIGNED, ds, xades
from signing_service.formats.xml_security import C14N
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
MAX_TIMESTAMPS = 32
MAX_COUNTER_SIGNATURES = 16
MAX_COUNTER_DEPTH = 3


def read(
    signed: bytes,
    document: Document | Mapping[str, Document] | None = None,
    *,
    known: Sequence[Certificate] = (),
) -> list[SignatureEvidence]:
    """Evidence of every signature in a signed XML document, in document order.

    `document` is the detached one, or several by the URIs that the signature names them with;
    `known` are certificates beside the embedded ones. Raises TooLarge `xml.too-large`;
    Malformed `xml.*`; Malformed `xades.no-signature`, `xades.too-many`, `xades.structure`,
    `xades.references`, `xades.external-reference`, `xades.signed-properties`.
    """
    root = xml_security.parse(signed)
    source = Source(root, document)
    return [_Reader(source, each, known).evidence() for each in signatures_of(root)]


def content(signed: bytes) -> bytes | None:
    """The document in an enveloping signature, or the part of the file that an internally
    detached one covers, as its first reference digests it; None for another packaging. Raises as
    `read`."""
    source = Source(xml_security.parse(signed))
    parts = SignatureParts.of(signatures_of(source.root)[0])
    for each in resolve_all(source, parts):
        inside = each.packaging in (Packaging.ENVELOPING, Packaging.INTERNALLY_DETACHED)
        if inside and isinstance(each.content, bytes):
            return each.content
    return None


def signatures_of(root: etree._Element) -> list[etree._Element]:
    """The document's signatures without those upon other signatures.

    Raises Malformed `xades.no-signature`, `xades.too-many`.
    """
    found = [s for s in root.iter(ds("Signature")) if not _is_nested(s)]
    if not found:
        raise Malformed("xades.no-signature", "there is no signature in the document")
    if len(found) > MAX_SIGNATURES:
        raise Malformed("xades.too-many", "at most {most} signatures", most=MAX_SIGNATURES)
    return found


def _is_nested(signature: etree._Element) -> bool:
    """Inside another signature: a counter-signature, which speaks of that one alone."""
    return next(signature.iterancestors(ds("Signature")), None) is not None


class _Reader:
    """Collects one signature's evidence."""

    def __init__(
        self,
        source: Source,
        signature: etree._Element,
        known: Sequence[Certificate],
        inherited: tuple[Certificate, ...] = (),
        countersigned: etree._Element | None = None,
        depth: int = 0,
    ) -> None:
        """`inherited` are certificates of the signature that this one is upon, and
        `countersigned` that one's ds:SignatureValue."""
        self._source = source
        self._known = known
        self._inherited = inherited
        self._depth = depth
        self._countersigned = countersigned
        self._parts = SignatureParts.of(signature)
        self._unsigned = unsigned_properties(self._parts.qualifying)
        self._observations: list[str] = []

    def evidence(self) -> SignatureEvidence:
        parts = self._parts
        referenced = self._referenced()
        documents = [each for each in referenced if each.packaging is not None]
        first = documents[0]
        read = read_properties(parts.qualifying, first.reference.identifier, self._unsigned)
        embedded = tuple(dict.fromkeys((*certificates_in(parts.key_info), *read.certificates)))
        candidates = (*embedded, *self._inherited, *self._known)
        certificate, reference = choose_certificate(candidates, read.references)
        method_name = algorithm_of(parts.signed_info, "SignatureMethod")
        suite, algorithm_name = signature_suite(method_name, certificate)
        if suite is not None and method_name in suite.further_xml:
            self._observations.append(f"the signature method is named {method_name}")
        raw_value = xml_security.base64_of(parts.value)
        value = raw_value if suite is None else suite.from_raw(raw_value)
        method = method_of(parts.signed_info.find(ds("CanonicalizationMethod")))
        counter_signatures = self._counter_signatures(embedded)
        timestamps = self._timestamps(read, referenced, value, candidates, counter_signatures)
        covers = all(each.whole for each in documents)
        assert first.packaging is not None
        return SignatureEvidence(
            format=SignatureFormat.XADES if reference else SignatureFormat.XMLDSIG,
            packaging=first.packaging,
            suite=suite,
            algorithm_name=algorithm_name,
            signed_bytes=method.apply(parts.signed_info),
            signature_value=value,
            references=_digests(referenced),
            covers_document=covers,
            signing_certificate=certificate,
            certificate_reference=reference,
            embedded_certificates=embedded,
            embedded_crls=read.crls,
            embedded_ocsp=read.ocsp,
            claimed_signing_time=read.signing_time,
            content_type=read.mime_type,
            timestamps=timestamps,
            counter_signatures=tuple(counter_signatures.values()),
            commitment=read.commitment,
            roles=read.roles,
            policy=read.policy,
            policy_digest=read.policy_digest,
            observations=tuple(self._observations),
        )

    def _referenced(self) -> list[Referenced]:
        referenced = resolve_all(self._source, self._parts)
        if self._countersigned is None:
            return referenced
        found = []
        for each in referenced:
            if each.packaging is not None:
                target = self._source.resolve(each.reference.uri or "#")
                if target is not self._countersigned or each.reference.type != COUNTERSIGNED:
                    raise Malformed("xades.references", "not upon the signature it stands in")
                each = each._replace(
                    name="countersigned signature", packaging=Packaging.DETACHED, whole=True
                )
            found.append(each)
        return found

    def _timestamps(
        self,
        read: Properties,
        referenced: list[Referenced],
        value: bytes,
        known: Sequence[Certificate],
        counter_signatures: dict[etree._Element, SignatureEvidence],
    ) -> tuple[TimestampEvidence, ...]:
        """Every timestamp; those that cannot be read become observations."""
        unsigned = self._unsigned
        found: list[tuple[TimestampKind, etree._Element, list[etree._Element]]] = [
            (TimestampKind.CONTENT, element, []) for element in read.content_timestamps
        ]
        for position, element in enumerate(unsigned):
            if element.tag == xades("SignatureTimeStamp"):
                found.append((TimestampKind.SIGNATURE, element, []))
            elif is_archive_timestamp(element):
                found.append((TimestampKind.ARCHIVE, element, unsigned[:position]))
            elif element.tag == xades("ArchiveTimeStamp"):
                self._observations.append("an archive timestamp of version 1.3.2 was not evaluated")
        if len(found) > MAX_TIMESTAMPS:
            raise Malformed("xades.too-many", "at most {most} timestamps", most=MAX_TIMESTAMPS)
        timestamps: list[TimestampEvidence] = []
        for kind, element, before in found:
            try:
                covers: frozenset[bytes] = frozenset()
                if kind is TimestampKind.ARCHIVE:
                    covers = archived_objects(self._parts, value, before, counter_signatures)
                covered = self._covered(kind, element, referenced, before)
                timestamps += _tokens(element, kind, covered, known, covers)
            except Refusal as refusal:
                self._observations.append(f"a {kind} cannot be read ({refusal.code})")
        order = list(TimestampKind)
        timestamps.sort(key=lambda each: order.index(each.kind))
        return tuple(timestamps)

    def _covered(
        self,
        kind: TimestampKind,
        element: etree._Element,
        referenced: list[Referenced],
        before: list[etree._Element],
    ) -> bytes | Digestible | None:
        if kind is TimestampKind.CONTENT:
            return data_objects_coverage(element, referenced)
        method = element.find(ds("CanonicalizationMethod"))
        canonicalisation = Canonicalisation(C14N) if method is None else method_of(method)
        if kind is TimestampKind.SIGNATURE:
            return canonicalisation.apply(self._parts.value)
        return archive_coverage(self._parts, referenced, before, canonicalisation)

    def _counter_signatures(
        self, embedded: tuple[Certificate, ...]
    ) -> dict[etree._Element, SignatureEvidence]:
        """Those that can be read, by the element that holds each."""
        elements = [
            element for element in self._unsigned if element.tag == xades("CounterSignature")
        ]
        if len(elements) > MAX_COUNTER_SIGNATURES or (
            elements and self._depth >= MAX_COUNTER_DEPTH
        ):
            raise Malformed("xades.too-many", "too many or too deep counter-signatures")
        found = {}
        for element in elements:
            try:
                if [child.tag for child in element] != [ds("Signature")]:
                    raise Malformed("xades.structure", "one signature is needed")
                reader = _Reader(
                    self._source, element[0], self._known, (*embedded, *self._inherited),
                    self._parts.value, self._depth + 1,
                )  # fmt: skip
                found[element] = reader.evidence()
            except Refusal as refusal:
                self._observations.append(f"a counter-signature cannot be read ({refusal.code})")
        return found


def _digests(referenced: list[Referenced]) -> tuple[DigestReference, ...]:
    """The document's digest first."""
    ordered = sorted(referenced, key=lambda each: each.packaging is None)
    return tuple(each.digest_reference() for each in ordered)


def _tokens(
    element: etree._Element,
    kind: TimestampKind,
    covered: bytes | Digestible | None,
    known: Sequence[Certificate],
    covers: frozenset[bytes],
) -> list[TimestampEvidence]:
    tokens = element.findall(xades("EncapsulatedTimeStamp"))[:MAX_TIMESTAMPS]
    return [
        read_timestamp(xml_security.base64_of(token), kind, covered, known=known, covers=covers)
        for token in tokens
    ]
