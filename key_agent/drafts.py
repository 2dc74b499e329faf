"""Whether what a service asks the card to sign is a signature over the document that was shown.

The card signs octets; whoever chooses them freely has an oracle. So the agent takes the draft of
the finished signature, reads it with the readers that verify signatures, and signs only when all
that is under the value is the document, the certificate, and claims that it can show. What it read
is then written anew and compared (`statement`, `forms`): what the readers pass over is not signed.
"""

import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Forbidden, Refusal, Unprocessable
from key_agent import forms
from key_agent.forms import FORMATS
from signing_service.formats import xml_security
from signing_service.formats.claims import Claims, PolicyReference
from signing_service.formats.coverage_counter import inside, is_upon
from signing_service.formats.pades.said import SaidInPdf, said_in_pdf
from signing_service.formats.recognition import read_signatures
from signing_service.formats.statement import Statement
from signing_service.formats.xades.references import canonical_properties
from signing_service.validation.evidence import SignatureEvidence, SignatureFormat

_BESIDE = frozenset({"document", "manifest", "signed properties"})
_UPON = frozenset({"countersigned signature", "document", "signed properties"})
"""As the formats call what a counter-signature is upon; that it is that is told by `is_upon`."""


@dataclass(frozen=True)
class Draft:
    """What the signature will say, once the value stands in it."""

    evidence: SignatureEvidence
    names: tuple[str, ...] = ()
    """What it calls the documents, where it does, in their order."""
    part: bytes | None = None
    """The element that is signed of the document, canonical, where it is not all of it."""
    upon: SignatureEvidence | None = None
    """Of a counter-signature: the signature below, over the document and unbroken."""
    pdf: SaidInPdf | None = None
    """What it says in a PDF's own words."""

    @property
    def name(self) -> str | None:
        return next(iter(self.names), None)


def check_draft(
    format_: SignatureFormat,
    document: bytes,
    to_be_signed: bytes,
    draft: bytes,
    certificate: Certificate,
    suite: AlgorithmSuite,
    beside: Sequence[bytes] = (),
) -> Draft:
    """A signature over the document, and over those `beside` it in the same container.

    Raises Unprocessable `document.format`; Forbidden `draft.unreadable`, `draft.other-octets`,
    `draft.other-document`, `draft.more-than-the-document`, `draft.other-certificate`,
    `draft.timestamp`.
    """
    signatures = _read(format_, document, draft)
    evidence = _unvalued(signatures, to_be_signed, suite)
    if not forms.is_of(format_, draft, evidence):
        raise Forbidden("draft.unreadable", "the draft has another format", format=evidence.format)
    documents = (document, *beside)
    _require_whole(documents, draft, evidence)
    _require_nothing_else(evidence, _BESIDE, len(documents))
    _require_certificate(evidence, certificate)

    def said() -> Draft | None:
        by = Statement(certificate, suite, _claims(evidence))
        if not forms.is_said(by, documents, to_be_signed, draft, evidence):
            return None
        in_pdf = None
        if evidence.format is SignatureFormat.PADES:
            in_pdf = said_in_pdf(document, draft, certificate)
        part = forms.part_of(document, to_be_signed) if forms.is_part(evidence) else None
        return Draft(evidence, forms.names_in(draft, to_be_signed, evidence), part, pdf=in_pdf)

    return _require_no_more(said)


def check_counter_draft(
    format_: SignatureFormat,
    document: bytes,
    to_be_signed: bytes,
    draft: bytes,
    certificate: Certificate,
    suite: AlgorithmSuite,
) -> Draft:
    """A signature upon the value of another one, which is over the document.

    Raises as `check_draft`; Forbidden `draft.broken` where the signature below is.
    """
    signatures = _read(format_, document, draft)
    counters = [each for one in signatures for each in one.counter_signatures]
    evidence = _unvalued(counters, to_be_signed, suite)
    index = next(i for i, one in enumerate(signatures) if evidence in one.counter_signatures)
    upon = signatures[index]
    if not forms.is_of(format_, draft, upon):
        raise Forbidden("draft.unreadable", "the draft has another format", format=upon.format)
    _require_whole((document,), draft, upon)
    _require_sound(upon)
    _require_nothing_else(evidence, _UPON)
    _require_certificate(evidence, certificate)

    def said() -> Draft | None:
        by = Statement(certificate, suite, _claims(evidence))
        kind, file = inside(format_, draft, index)
        context = b""
        if kind is SignatureFormat.XADES:
            context = canonical_properties(xml_security.parse(file), to_be_signed)
        if not is_upon(format_, draft, index, to_be_signed, by, context):
            return None
        return Draft(evidence, upon=upon)

    return _require_no_more(said)


def _read(format_: SignatureFormat, document: bytes, draft: bytes) -> list[SignatureEvidence]:
    """The signatures in the draft, alone or beside the document, whichever way they hold."""
    if format_ not in FORMATS:
        raise Unprocessable("document.format", f"the key agent signs as {', '.join(FORMATS)}")
    readings = []
    reason = ""
    for presented in ((draft, None), (document, draft)):
        try:
            found = read_signatures(*presented)
        except Refusal as refusal:
            reason = refusal.code
            continue
        readings.append(found)
        if all(_is_whole(each) for each in found):
            return found
    if not readings:
        raise Forbidden("draft.unreadable", "the service's draft cannot be read", reason=reason)
    return readings[-1]


def _is_whole(evidence: SignatureEvidence) -> bool:
    return _is_intact(evidence) and evidence.covers_document


def _is_intact(evidence: SignatureEvidence) -> bool:
    return bool(evidence.references) and all(each.intact for each in evidence.references)


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


def _require_whole(documents: Sequence[bytes], draft: bytes, evidence: SignatureEvidence) -> None:
    """What the signature covers is the documents, told from the agent's own copies of them."""
    covers = _is_intact(evidence) if forms.is_part(evidence) else _is_whole(evidence)
    try:
        covers = covers and forms.holds(documents, draft, evidence)
    except (Refusal, ValueError):
        covers = False
    if not covers:
        raise Forbidden(
            "draft.other-document",
            "the service asks the card to sign something else than the document",
        )


def _require_sound(upon: SignatureEvidence) -> None:
    """The signature below stands: its certificate's key made its value. Whether that certificate
    can be trusted is for a verdict to say, not for the agent."""
    named, suite = upon.signing_certificate, upon.suite
    if (
        named is None
        or suite is None
        or not named.public_key.verify(suite, upon.signature_value, upon.signed_bytes)
    ):
        raise Forbidden("draft.broken", "the signature to sign upon does not hold")


def _require_nothing_else(
    evidence: SignatureEvidence, known: frozenset[str], documents: int = 1
) -> None:
    kinds = Counter(_kind_of(each.name) for each in evidence.references)
    allowed = {name: documents if name == "document" else 1 for name in known}
    if any(count > allowed.get(kind, 0) for kind, count in kinds.items()):
        raise Forbidden(
            "draft.more-than-the-document",
            "the service asks the card to sign something beside the document",
        )
    if evidence.timestamps or evidence.counter_signatures:
        raise Forbidden("draft.timestamp", "a draft is not timestamped yet")


def _kind_of(name: str) -> str:
    """A container's manifest names the document by its name."""
    return "document" if name.startswith("document ") else name


def _require_no_more(said: Callable[[], Draft | None]) -> Draft:
    """What is under the value is what our own writers would put there for the document and the
    claims that are shown."""
    try:
        found = said()
    except (Refusal, ValueError, KeyError, TypeError):
        found = None
    if found is None:
        raise Forbidden(
            "draft.more-than-the-document",
            "the service asks the card to sign more than the document and what is shown beside it",
        )
    return found


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
