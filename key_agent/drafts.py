"""Whether what a service asks the card to sign is a signature over the document that was shown.

The card signs octets; whoever chooses them freely has an oracle. So the agent takes the draft of
the finished signature, reads it with the readers that verify signatures, and signs only when all
that is under the value is the document, the certificate, and claims that it can show. What it read
is then written anew and compared (`statement`): what the readers pass over is not signed.
"""

import hashlib
import hmac
from collections.abc import Sequence

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Forbidden, Refusal, Unprocessable
from signing_service.formats import jades_json as json
from signing_service.formats import jades_reading, xml_security
from signing_service.formats.asic_container import Container, is_zip
from signing_service.formats.claims import Claims, PolicyReference
from signing_service.formats.coverage_xml import Expected, signed_info_covers
from signing_service.formats.pdf.changes import Permissions, judge
from signing_service.formats.pdf.document import PdfFile
from signing_service.formats.recognition import read_signatures
from signing_service.formats.statement import Statement
from signing_service.formats.xades_references import canonical_properties
from signing_service.formats.xml_names import ENVELOPED_SIGNATURE, XPATH, ds
from signing_service.formats.xml_security import C14N
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
)

FORMATS = (
    SignatureFormat.CADES,
    SignatureFormat.XADES,
    SignatureFormat.PADES,
    SignatureFormat.JADES,
    SignatureFormat.ASIC_S,
)
_KNOWN_REFERENCES = frozenset({"document", "signed properties"})
_INSIDE = {
    SignatureFormat.ASIC_S: SignatureFormat.CADES,
}
"""Containers: the format of the signature that they hold."""


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
    _require_no_more(document, to_be_signed, draft, certificate, suite, evidence)
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
        # That nothing but the signature was added to it is judged in `_is_said`.
        return draft.startswith(document)
    if evidence.format is SignatureFormat.XADES:
        return _is_digested(document, evidence)
    return True  # detached: it was read beside the document


def _is_digested(document: bytes, evidence: SignatureEvidence) -> bool:
    """Whether the signature's digest is that of the document in canonical form, as it is or
    without the signatures in it."""
    if evidence.packaging is not Packaging.ENVELOPED:
        return False
    root = xml_security.parse(document)
    forms = [xml_security.canonicalise(root)]
    if root.tag != ds("Signature"):
        forms.append(xml_security.canonical_without_all(root, ds("Signature")))
    return all(
        each.expected in {hashlib.new(each.digest, form).digest() for form in forms}
        for each in evidence.references
        if each.name == "document"
    )


def _require_nothing_else(evidence: SignatureEvidence) -> None:
    names = [each.name for each in evidence.references]
    if len(names) != len(set(names)) or not set(names) <= _KNOWN_REFERENCES:
        raise Forbidden(
            "draft.more-than-the-document",
            "the service asks the card to sign something beside the document",
        )
    if evidence.timestamps:
        raise Forbidden("draft.timestamp", "a draft is not timestamped yet")


def _require_no_more(
    document: bytes,
    to_be_signed: bytes,
    draft: bytes,
    certificate: Certificate,
    suite: AlgorithmSuite,
    evidence: SignatureEvidence,
) -> None:
    """What is under the value is what our own writers would put there for the document and the
    claims that are shown."""
    try:
        by = Statement(certificate, suite, _claims(evidence))
        found = _is_said(by, document, to_be_signed, draft, evidence)
    except (Refusal, ValueError, KeyError):
        found = False
    if not found:
        raise Forbidden(
            "draft.more-than-the-document",
            "the service asks the card to sign more than the document and what is shown beside it",
        )


def _is_said(
    by: Statement, document: bytes, to_be_signed: bytes, draft: bytes, evidence: SignatureEvidence
) -> bool:
    digest = evidence.references[0].expected
    if evidence.format is SignatureFormat.XADES:
        properties = canonical_properties(xml_security.parse(draft), to_be_signed)
        kind = evidence.content_type or ""
        return any(
            signed_info_covers(
                to_be_signed, by, [Expected("", transforms, digest)], properties, kind
            )
            for transforms in ((ENVELOPED_SIGNATURE, C14N), (XPATH, C14N))
        )
    if evidence.format is SignatureFormat.JADES:
        protected = to_be_signed.partition(b".")[0].decode("ascii")
        return by.is_in_header(json.parse_object(json.decode(protected)), {})
    if not by.is_in_attributes(to_be_signed, digest):
        return False
    if evidence.format is SignatureFormat.PADES:
        # The reader judges what came after the signature; this is what came with it.
        return not judge(PdfFile(draft).revision(len(document)), Permissions()).refused
    return True


def _claims(evidence: SignatureEvidence) -> Claims:
    """Raises ValueError for a policy without its digest; Unprocessable `claims.*`."""
    policy = None
    if evidence.policy is not None:
        if evidence.policy_digest is None:
            raise ValueError("a policy that may be any")
        policy = PolicyReference(evidence.policy, *evidence.policy_digest)
    return Claims(evidence.commitment, evidence.roles, policy, evidence.content_type)


def _require_certificate(evidence: SignatureEvidence, certificate: Certificate) -> None:
    reference, named = evidence.certificate_reference, evidence.signing_certificate
    if reference is None or not reference.matches or named is None or named.der != certificate.der:
        raise Forbidden(
            "draft.other-certificate", "the draft names another certificate than the card's"
        )
