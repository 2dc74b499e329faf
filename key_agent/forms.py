"""For each form of signature: whether the draft holds the shown document, and whether what is under
the value is what our own writers would put there for it and the claims that are shown."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from kernel.refusals import Refusal
from signing_service.formats import xml_security
from signing_service.formats.asic.container import Container, ContainerType, is_zip, uri_of
from signing_service.formats.asic.manifest import CADES_TYPE, Manifest, write_manifest
from signing_service.formats.cades import reading as cades_reading
from signing_service.formats.coverage_xml import Expected, signed_info_covers
from signing_service.formats.jades import jose_json as json
from signing_service.formats.jades import reading as jades_reading
from signing_service.formats.jades.content import signed_objects
from signing_service.formats.pades.pdf.changes import Permissions, judge
from signing_service.formats.pades.pdf.document import PdfFile
from signing_service.formats.pades.pdf.signature import added_after, certifies
from signing_service.formats.statement import Statement
from signing_service.formats.xades.references import Source, canonical_properties
from signing_service.formats.xml_names import (
    BASE64,
    ENVELOPED_SIGNATURE,
    SIGNED_PROPERTIES,
    XPATH,
    ds,
)
from signing_service.formats.xml_security import C14N
from signing_service.validation.evidence import Packaging, SignatureEvidence, SignatureFormat

FORMATS = (
    SignatureFormat.CADES,
    SignatureFormat.XADES,
    SignatureFormat.PADES,
    SignatureFormat.JADES,
    SignatureFormat.ASIC_S,
    SignatureFormat.ASIC_E,
)
CONTAINERS = {
    SignatureFormat.ASIC_S: ContainerType.ASIC_S,
    SignatureFormat.ASIC_E: ContainerType.ASIC_E,
}
_INSIDE = (SignatureFormat.CADES, SignatureFormat.XADES)


def is_of(format_: SignatureFormat, draft: bytes, evidence: SignatureEvidence) -> bool:
    """Whether the draft has the format that was said. Raises as `Container.read`."""
    kind = CONTAINERS.get(format_)
    if kind is None:
        return evidence.format is format_ and not is_zip(draft)
    return (
        is_zip(draft) and Container.read(draft).type is kind and evidence.format in _INSIDE
    )  # fmt: skip


def holds(documents: Sequence[bytes], draft: bytes, evidence: SignatureEvidence) -> bool:
    """Whether the documents in the draft, or beside it, are those that are shown, in order."""
    if is_zip(draft):
        return list(Container.read(draft).data_objects.values()) == [*documents]
    if len(documents) != 1:
        return False
    (document,) = documents
    if evidence.packaging is Packaging.DETACHED:
        return True  # it was read beside the document
    if evidence.format is SignatureFormat.CADES:
        return cades_reading.content(draft) == document
    if evidence.format is SignatureFormat.JADES:
        return jades_reading.content(draft) == document
    if evidence.format is SignatureFormat.PADES:
        # That nothing but the signature was added to it is judged in `is_said`.
        return draft.startswith(document)
    if evidence.packaging is Packaging.ENVELOPING:
        return _is_digested([document], evidence)
    if evidence.packaging is Packaging.INTERNALLY_DETACHED:
        part = part_of(document, evidence.signed_bytes)
        return _frame(draft) == _frame(document) and _is_digested([part], evidence)
    return _is_digested(_forms(document), evidence)  # enveloped: there is no other packaging


def is_part(evidence: SignatureEvidence) -> bool:
    """Whether the signature is over a part of the file that it stands in."""
    return evidence.packaging is Packaging.INTERNALLY_DETACHED


def part_of(document: bytes, signed_info: bytes) -> bytes:
    """The element of the document that an internally detached signature names, canonical. Raises
    ValueError; and as `Source.resolve`."""
    uri = _uri(signed_info)
    if not uri.startswith("#"):
        raise ValueError("no element is named")
    return xml_security.canonicalise(Source(xml_security.parse(document)).resolve(uri))


def is_said(
    by: Statement,
    documents: Sequence[bytes],
    to_be_signed: bytes,
    draft: bytes,
    evidence: SignatureEvidence,
) -> bool:
    """Raises as the readers, ValueError and KeyError for what cannot be read."""
    if is_zip(draft):
        return _in_container(by, documents, to_be_signed, draft, evidence)
    (document,) = documents
    if evidence.format is SignatureFormat.XADES:
        return _in_xml(by, document, to_be_signed, draft, evidence)
    if evidence.format is SignatureFormat.JADES:
        return _in_json(by, document, to_be_signed, evidence)
    digest = evidence.references[0].expected
    if not by.is_in_attributes(to_be_signed, digest):
        return False
    if evidence.format is SignatureFormat.PADES:
        # The reader judges what came after the signature; this is what came with it.
        file = PdfFile(draft)
        signature = added_after(file, len(document))
        certified = signature.field.value if certifies(file, signature) else None
        changes = judge(file.revision(len(document)), Permissions(certifies=certified))
        return not changes.refused
    return True


def names_in(draft: bytes, to_be_signed: bytes, evidence: SignatureEvidence) -> tuple[str, ...]:
    """The names that the signature gives the documents, where it gives any: they are signed, too.

    Raises as the readers.
    """
    if is_zip(draft):
        return tuple(Container.read(draft).data_objects)
    if evidence.format is SignatureFormat.XADES:
        named = evidence.packaging is Packaging.DETACHED or is_part(evidence)
        return (_uri(to_be_signed),) if named else ()
    if evidence.format is SignatureFormat.JADES and evidence.packaging is Packaging.DETACHED:
        (name,) = _header(to_be_signed)["sigD"]["pars"]
        return (str(name),)
    return ()


def _in_container(
    by: Statement,
    documents: Sequence[bytes],
    to_be_signed: bytes,
    draft: bytes,
    evidence: SignatureEvidence,
) -> bool:
    container = Container.read(draft)
    named = dict(zip(container.data_objects, documents, strict=True))
    if evidence.format is SignatureFormat.XADES:
        wanted = [Expected(uri_of(name), (), by.suite.hash(each)) for name, each in named.items()]
        files = (container.files[each] for each in container.xades)
        return any(_covers(by, to_be_signed, each, evidence, wanted) for each in files)
    if container.type is ContainerType.ASIC_S:
        (document,) = documents
        return by.is_in_attributes(to_be_signed, by.suite.hash(document))
    for each in container.manifests:
        place = Manifest.read(container.files[each]).signed_by
        ours = write_manifest(place, named, digest=by.suite.digest, signature_type=CADES_TYPE)
        if by.is_in_attributes(to_be_signed, by.suite.hash(ours)):
            return True
    return False


def _in_xml(
    by: Statement, document: bytes, to_be_signed: bytes, draft: bytes, evidence: SignatureEvidence
) -> bool:
    digest = evidence.references[0].expected
    if evidence.packaging is Packaging.ENVELOPED:
        ways = ((ENVELOPED_SIGNATURE, C14N), (XPATH, C14N))
        return any(
            _covers(by, to_be_signed, draft, evidence, [Expected("", transforms, digest)])
            for transforms in ways
        )
    if is_part(evidence):
        part = Expected(_uri(to_be_signed), (C14N,), by.suite.hash(part_of(document, to_be_signed)))
        return _covers(by, to_be_signed, draft, evidence, [part])
    whole = by.suite.hash(document)
    if evidence.packaging is Packaging.ENVELOPING:
        return _covers(by, to_be_signed, draft, evidence, [Expected(None, (BASE64,), whole)])
    uri = _uri(to_be_signed)
    outside = not uri.startswith("#") and uri != ""
    return outside and _covers(by, to_be_signed, draft, evidence, [Expected(uri, (), whole)])


def _in_json(
    by: Statement, document: bytes, to_be_signed: bytes, evidence: SignatureEvidence
) -> bool:
    header, payload = _header(to_be_signed), to_be_signed.partition(b".")[2]
    if evidence.packaging is not Packaging.DETACHED:
        return payload == json.encode(document).encode() and by.is_in_header(header, {})
    (name,) = header["sigD"]["pars"]
    more = signed_objects({name: document}, by.suite.digest, by.claims.mime_type)
    return payload == b"" and by.is_in_header(header, more)


def _covers(
    by: Statement,
    to_be_signed: bytes,
    signature: bytes,
    evidence: SignatureEvidence,
    expected: Iterable[Expected],
) -> bool:
    try:
        properties = canonical_properties(xml_security.parse(signature), to_be_signed)
    except Refusal:
        return False  # of several signature files, another one
    kind = evidence.content_type or ""
    return signed_info_covers(to_be_signed, by, expected, properties, kind)


def _uri(signed_info: bytes) -> str:
    """Of the one reference beside that to the properties. Raises ValueError for several."""
    references = xml_security.parse(signed_info).findall(ds("Reference"))
    (uri,) = (e.get("URI") for e in references if e.get("Type") != SIGNED_PROPERTIES)
    return uri or ""


def _header(to_be_signed: bytes) -> dict[str, Any]:
    protected = to_be_signed.partition(b".")[0].decode("ascii")
    return json.parse_object(json.decode(protected))


def _forms(document: bytes) -> list[bytes]:
    """The document in canonical form, as it is or without the signatures in it."""
    root = xml_security.parse(document)
    found = [xml_security.canonicalise(root)]
    if root.tag != ds("Signature"):
        found.append(xml_security.canonical_without_all(root, ds("Signature")))
    return found


def _frame(document: bytes) -> bytes:
    """The document without the signatures in it, canonical."""
    return xml_security.canonical_without_all(xml_security.parse(document), ds("Signature"))


def _is_digested(forms: list[bytes], evidence: SignatureEvidence) -> bool:
    return all(
        each.expected in {hashlib.new(each.digest, form).digest() for form in forms}
        for each in evidence.references
        if each.name == "document"
    )
