"""Whether what a service asks the card to sign is a signature over the document that was shown.

The card signs octets; whoever chooses them freely has an oracle. So the agent takes the draft of
the finished signature, reads it with the readers that verify signatures, and signs only when all
that is under the value is the document, the certificate, and claims that it can show.
"""

import hashlib
import hmac
from collections.abc import Sequence

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import cms, der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Forbidden, Refusal, Unprocessable
from signing_service.formats import jades_reading, xml_security
from signing_service.formats.asic_container import Container, is_zip
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    TimestampKind,
)

FORMATS = (
    SignatureFormat.CADES,
    SignatureFormat.XADES,
    SignatureFormat.PADES,
    SignatureFormat.JADES,
    SignatureFormat.ASIC_S,
)
_KNOWN_REFERENCES = frozenset({"document", "signed properties", "key info"})
_INSIDE = {
    SignatureFormat.ASIC_S: SignatureFormat.CADES,
}
"""Containers: the format of the signature that they hold."""
_OVER_ATTRIBUTES = frozenset({SignatureFormat.CADES, SignatureFormat.PADES, SignatureFormat.ASIC_S})
_KNOWN_ATTRIBUTES = frozenset(
    {
        cms.ID_CONTENT_TYPE,
        cms.ID_MESSAGE_DIGEST,
        cms.ID_SIGNING_TIME,
        cms.ID_SIGNING_CERTIFICATE_V2,
        cms.ID_SIGNATURE_POLICY,
        cms.ID_COMMITMENT_TYPE,
        cms.ID_CONTENT_TIMESTAMP,
        cms.ID_MIME_TYPE,
        cms.ID_SIGNER_ATTRIBUTES_V2,
    }
)
"""Signed attributes whose meaning the agent shows, or that mean nothing beyond the document."""


def check_draft(
    format_: SignatureFormat,
    document: bytes,
    to_be_signed: bytes,
    draft: bytes,
    certificate: Certificate,
    suite: AlgorithmSuite,
) -> SignatureEvidence:
    """What the signature will say, once the value stands in it.

    Raises Unprocessable `document.format`; Forbidden `draft.unreadable`, `draft.other-octets`,
    `draft.other-document`, `draft.more-than-the-document`, `draft.other-certificate`,
    `draft.timestamp`.
    """
    if format_ not in FORMATS:
        raise Unprocessable("document.format", f"the key agent signs as {', '.join(FORMATS)}")
    beside = document if format_ is SignatureFormat.CADES else None
    try:
        if beside is None:
            signatures = read_signatures(draft, None)
        else:
            signatures = read_signatures(beside, draft)
    except Refusal as refusal:
        raise Forbidden(
            "draft.unreadable", "the service's draft cannot be read", reason=refusal.code
        ) from None
    evidence = _unvalued(signatures, to_be_signed, suite)
    if evidence.format is not _INSIDE.get(format_, format_):
        raise Forbidden("draft.unreadable", "the draft has another format", format=evidence.format)
    _require_whole(document, draft, evidence)
    _require_nothing_else(evidence)
    _require_certificate(evidence, certificate)
    if format_ in _OVER_ATTRIBUTES:
        _require_known_attributes(to_be_signed)
    return evidence


def _unvalued(
    signatures: Sequence[SignatureEvidence], to_be_signed: bytes, suite: AlgorithmSuite
) -> SignatureEvidence:
    """The one signature that has no value yet; it is over exactly the octets to be signed."""
    found = [s for s in signatures if s.suite == suite and _is_unvalued(s, suite)]
    if len(found) != 1 or not hmac.compare_digest(found[0].signed_bytes, to_be_signed):
        raise Forbidden(
            "draft.other-octets", "the draft is not over the octets that the card is asked to sign"
        )
    return found[0]


def _is_unvalued(signature: SignatureEvidence, suite: AlgorithmSuite) -> bool:
    return not any(suite.to_raw(signature.signature_value))


def _require_whole(document: bytes, draft: bytes, evidence: SignatureEvidence) -> None:
    """What the signature covers is the document, told from the agent's own copy of it."""
    intact = bool(evidence.references) and all(each.intact for each in evidence.references)
    if not (intact and evidence.covers_document and _holds(document, draft, evidence)):
        raise Forbidden(
            "draft.other-document",
            "the service asks the card to sign something else than the document",
        )


def _holds(document: bytes, draft: bytes, evidence: SignatureEvidence) -> bool:
    """Whether the document in the draft is the one that is shown."""
    if is_zip(draft):
        return list(Container.read(draft).data_objects.values()) == [document]
    if evidence.format is SignatureFormat.JADES:
        return jades_reading.content(draft) == document
    if evidence.format is SignatureFormat.PADES:
        # That nothing but the signature was added to it is the reader's judgment.
        return draft.startswith(document)
    if evidence.format is SignatureFormat.XADES:
        return _is_digested(document, evidence) or _is_inserted(document, draft, evidence)
    return True  # detached: it was read beside the document


def _is_digested(document: bytes, evidence: SignatureEvidence) -> bool:
    """Whether the signature's digest is that of the document in canonical form."""
    canonical = xml_security.canonicalise(xml_security.parse(document))
    return evidence.packaging is Packaging.ENVELOPED and all(
        each.expected == hashlib.new(each.digest, canonical).digest()
        for each in evidence.references
        if each.name == "document"
    )


def _is_inserted(document: bytes, draft: bytes, evidence: SignatureEvidence) -> bool:
    """Whether an enveloped signature stands in the document's own octets, beside others."""
    if evidence.packaging is not Packaging.ENVELOPED:
        return False
    added = len(draft) - len(document)
    same = next((n for n, (a, b) in enumerate(zip(document, draft, strict=False)) if a != b), None)
    if added <= 0 or same is None:
        return False
    # The first octet that differs may lie inside the insertion; look back for where it began.
    start = draft.rfind(b"<ds:Signature ", 0, same + len(b"<ds:Signature "))
    return start >= 0 and draft[:start] + draft[start + added :] == document


def _require_nothing_else(evidence: SignatureEvidence) -> None:
    names = [each.name for each in evidence.references]
    if len(names) != len(set(names)) or not set(names) <= _KNOWN_REFERENCES:
        raise Forbidden(
            "draft.more-than-the-document",
            "the service asks the card to sign something beside the document",
        )
    if any(stamp.kind is not TimestampKind.CONTENT for stamp in evidence.timestamps):
        raise Forbidden("draft.timestamp", "a draft is not timestamped yet")


def _require_known_attributes(to_be_signed: bytes) -> None:
    known = {der.oid(each) for each in _KNOWN_ATTRIBUTES}
    whole = der.read_only(to_be_signed, der.SET)
    for attribute in der.children(to_be_signed, whole):
        kind = next(iter(der.children(to_be_signed, attribute)))
        if to_be_signed[kind.start : kind.end] not in known:
            raise Forbidden(
                "draft.more-than-the-document", "the draft has a signed attribute of unknown kind"
            )


def _require_certificate(evidence: SignatureEvidence, certificate: Certificate) -> None:
    reference, named = evidence.certificate_reference, evidence.signing_certificate
    if reference is None or not reference.matches or named is None or named.der != certificate.der:
        raise Forbidden(
            "draft.other-certificate", "the draft names another certificate than the card's"
        )
