"""Everything that belongs to a signature, taken together for the archive."""

from collections.abc import Iterable, Sequence

from kernel.asn1.certificate import Certificate
from signing_service.archive.accepted import Part, PartRole, StoredPart
from signing_service.archive.kept import KeptDocument
from signing_service.formats.document import DigestedDocument, Document
from signing_service.ports import MaterialSource
from signing_service.validation.evidence import SignatureEvidence


def collect_parts(
    document: Document,
    signed: Document,
    report: bytes,
    evidence: Sequence[SignatureEvidence],
    path: Sequence[Certificate],
    source: MaterialSource,
) -> list[Part | StoredPart]:
    """Document, signature and report, then what validates them: timestamp tokens, the
    certificates of signer and timestamp authority up to the anchor, OCSP responses, CRLs. Of a
    document that is not here its digest.

    `path`: from the signer's certificate to the anchor.
    """
    certificates = list(dict.fromkeys((*path, *_certificates(evidence))))
    material = source.of(certificates)
    tokens = (each.token for one in evidence for each in one.timestamps)
    ocsp = (*material.ocsp, *(each for one in evidence for each in one.embedded_ocsp))
    crls = (*material.crls, *(each for one in evidence for each in one.embedded_crls))
    return [
        _document(document),
        _part(PartRole.SIGNATURE, signed),
        Part(PartRole.REPORT, report),
        *_parts(PartRole.TIMESTAMP, tokens),
        *_parts(PartRole.CERTIFICATE, (each.der for each in certificates)),
        *_parts(PartRole.OCSP, ocsp),
        *_parts(PartRole.CRL, crls),
    ]


def _document(document: Document) -> Part | StoredPart:
    if isinstance(document, DigestedDocument):
        return Part(PartRole.DIGEST, next(iter(document.known.values())))
    return _part(PartRole.DOCUMENT, document)


def _part(role: PartRole, document: Document) -> Part | StoredPart:
    if isinstance(document, KeptDocument):
        return StoredPart(role, document.address, document.size)
    assert isinstance(document, bytes)  # what is large lies in the store already
    return Part(role, document)


def _certificates(evidence: Iterable[SignatureEvidence]) -> Iterable[Certificate]:
    for one in evidence:
        yield from one.embedded_certificates
        for timestamp in one.timestamps:
            if timestamp.signature.signing_certificate is not None:
                yield timestamp.signature.signing_certificate
            yield from timestamp.signature.embedded_certificates


def _parts(role: PartRole, objects: Iterable[bytes]) -> list[Part]:
    return [Part(role, data) for data in dict.fromkeys(objects)]
