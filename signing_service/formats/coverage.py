"""What a signature would cover, told from the octets that a card is asked to sign.

For the holder's side: the service prepares, but the card signs only what covers the holder's
own document, with a digest made on the holder's machine, and says no more than the holder wants.
"""

import binascii
import hmac
from collections.abc import Mapping
from typing import Any

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal
from signing_service.formats import xml_security
from signing_service.formats.asic.container import Container, uri_of
from signing_service.formats.asic.manifest import Manifest
from signing_service.formats.asic.writing import UNKNOWN_TYPE
from signing_service.formats.cades import whole as cades
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.coverage_counter import is_upon
from signing_service.formats.coverage_xml import Expected, signed_info_covers
from signing_service.formats.document import Document
from signing_service.formats.jades import jose_json as json
from signing_service.formats.jades import whole as jades
from signing_service.formats.jades.content import signed_objects
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.pades.pdf.changes import Permissions, judge
from signing_service.formats.pades.pdf.document import PdfFile
from signing_service.formats.pades.pdf.locks import field_shown, lock_as_shown
from signing_service.formats.pades.pdf.signature import added_after, certifies
from signing_service.formats.pades.reading import Octets
from signing_service.formats.pades.said import said_in_pdf
from signing_service.formats.statement import Statement
from signing_service.formats.xades.references import Source
from signing_service.formats.xades.writing import MIME_TYPE
from signing_service.formats.xml_names import (
    BASE64,
    ENVELOPED_SIGNATURE,
    XPATH,
    ds,
)
from signing_service.formats.xml_security import C14N
from signing_service.validation.evidence import Packaging, SignatureFormat

_CONTAINERS = frozenset({SignatureFormat.ASIC_S, SignatureFormat.ASIC_E})
_PLACE = 4


def covers(
    manner: Manner,
    subject: Subject,
    to_be_signed: bytes,
    suite: AlgorithmSuite,
    certificate: Certificate,
    context: bytes = b"",
) -> bool:
    """Whether a value over `to_be_signed` is what the holder wants to make: a signature of this
    manner over the subject, whole, in the name of the certificate, with the manner's claims, and
    over nothing else. `context` is the service's word for
    what lies in between (see `making.context_of`), and is not believed either."""
    try:
        by = Statement(certificate, suite, manner.claims)
        if manner.act is Act.COUNTER:
            return is_upon(
                manner.format, subject.joined(), manner.signer, to_be_signed, by, context
            )
        return _COVERS[manner.format](manner, subject, to_be_signed, by, context)
    except (Refusal, ValueError, KeyError, binascii.Error):
        return False


def _cades(
    manner: Manner, subject: Subject, to_be_signed: bytes, by: Statement, context: bytes
) -> bool:
    content = None if subject.signed is None else cades.content(subject.signed)
    document = subject.any() if content is None else content
    return by.is_in_attributes(to_be_signed, _digest(by.suite, document))


def _jades(
    manner: Manner, subject: Subject, to_be_signed: bytes, by: Statement, context: bytes
) -> bool:
    """A JWS signing input (RFC 7515, 5.1): the document as its payload, or named by `sigD`."""
    content = None if subject.signed is None else jades.content(subject.signed)
    protected, dot, payload = to_be_signed.partition(b".")
    header = json.parse_object(json.decode(protected.decode("ascii")))
    detached = manner.packaging is Packaging.DETACHED if subject.signed is None else not content
    more: Mapping[str, Any] = {}
    whole = b""
    if detached:
        more = signed_objects(subject.documents, by.suite.digest, by.claims.mime_type)
    else:
        whole = json.encode(subject.whole() if content is None else content).encode()
    return bool(dot) and hmac.compare_digest(payload, whole) and by.is_in_header(header, more)


def _xades(
    manner: Manner, subject: Subject, to_be_signed: bytes, by: Statement, context: bytes
) -> bool:
    return signed_info_covers(
        to_be_signed, by, _expected(manner, subject, by.suite), context, MIME_TYPE
    )


def _expected(manner: Manner, subject: Subject, suite: AlgorithmSuite) -> list[Expected]:
    packaging = manner.packaging or Packaging.ENVELOPED
    if subject.signed is not None and subject.documents:
        packaging = Packaging.DETACHED
    if packaging is Packaging.DETACHED:
        return _detached(dict(subject.documents.items()), suite)
    if packaging is Packaging.ENVELOPING:
        return [Expected(None, (BASE64,), suite.hash(subject.whole()))]
    document = subject.whole() if subject.signed is None else subject.signed
    root = xml_security.parse(document)
    if packaging is Packaging.INTERNALLY_DETACHED:
        uri = f"#{manner.target}"
        canonical = xml_security.canonicalise(Source(root).resolve(uri))
        return [Expected(uri, (C14N,), suite.hash(canonical))]
    if manner.parallel_later or subject.signed is not None:
        canonical = xml_security.canonical_without_all(root, ds("Signature"))
        return [Expected("", (XPATH, C14N), suite.hash(canonical))]
    canonical = xml_security.canonicalise(root)
    return [Expected("", (ENVELOPED_SIGNATURE, C14N), suite.hash(canonical))]


def _pades(
    manner: Manner, subject: Subject, to_be_signed: bytes, by: Statement, context: bytes
) -> bool:
    """The document's own octets come first, and the update adds nothing but a signature, in the
    field that was wanted, which locks what the document says there, and says what was wanted."""
    document = subject.whole() if subject.signed is None else subject.signed
    start = int.from_bytes(context[:_PLACE], "big")
    end = int.from_bytes(context[_PLACE : 2 * _PLACE], "big")
    pdf = document + context[2 * _PLACE :]
    if not len(document) <= start < end < len(pdf):
        return False
    digest = Octets(pdf, (start, end), len(pdf)).digest(by.suite.digest)
    file = PdfFile(pdf)
    signature = added_after(file, len(document))
    certified = signature.field.value if certifies(file, signature) else None
    shown = file.revision(len(document))
    lock_as_shown(signature, shown)
    field = field_shown(signature, shown)
    return (
        digest is not None
        and by.is_in_attributes(to_be_signed, digest)
        and said_in_pdf(document, pdf, by.certificate).is_as(
            manner.placement, None if field is None else field.name
        )
        and not judge(shown, Permissions(certifies=certified)).refused
    )


def _asic(
    manner: Manner, subject: Subject, to_be_signed: bytes, by: Statement, context: bytes
) -> bool:
    objects: dict[str, Document] = dict(subject.documents)
    if subject.signed is not None:
        objects = dict(Container.read(subject.signed).data_objects)
    if manner.inner is SignatureFormat.XADES:
        named = {uri_of(name): each for name, each in objects.items()}
        expected = _detached(named, by.suite)
        return signed_info_covers(to_be_signed, by, expected, context, UNKNOWN_TYPE)
    if manner.format is SignatureFormat.ASIC_S:
        (only,) = objects.values()
        return by.is_in_attributes(to_be_signed, _digest(by.suite, only))
    listed = {each.name: (each.digest, each.value) for each in Manifest.read(context).files}
    wanted = {name: (by.suite.digest, _digest(by.suite, each)) for name, each in objects.items()}
    return listed == wanted and by.is_in_attributes(to_be_signed, by.suite.hash(context))


_COVERS = {
    SignatureFormat.CADES: _cades,
    SignatureFormat.XADES: _xades,
    SignatureFormat.PADES: _pades,
    SignatureFormat.JADES: _jades,
    SignatureFormat.ASIC_S: _asic,
    SignatureFormat.ASIC_E: _asic,
}


def _detached(documents: Mapping[str, Document], suite: AlgorithmSuite) -> list[Expected]:
    return [Expected(uri, (), _digest(suite, each)) for uri, each in documents.items()]


def _digest(suite: AlgorithmSuite, document: Document) -> bytes:
    """Raises ValueError where it cannot be made."""
    digest = digest_of(suite.digest, document)
    if digest is None:
        raise ValueError("no digest")
    return digest
