"""What signatures/signDoc asks for (CSC API 2.0.0.2, 11.11), as the formats' own words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kernel.algorithms import PublicKey
from kernel.refusals import Malformed
from signing_service.formats.document import ByteRangeDigest, DigestedDocument, Document
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.pades import whole as pades
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.remote import messages
from signing_service.remote.activation import MOST_SIGNATURES
from signing_service.remote.algorithms import choose, digest_named, require_length, suites_of
from signing_service.remote.messages import DigestsMember, DocumentMember, SignDocRequest
from signing_service.remote.signed_props import Property, read_properties
from signing_service.validation.evidence import Packaging, SignatureFormat, SignatureLevel

FORMATS = {
    "C": SignatureFormat.CADES,
    "X": SignatureFormat.XADES,
    "P": SignatureFormat.PADES,
    "J": SignatureFormat.JADES,
}
ENVELOPES: dict[str, dict[str, Manner]] = {
    "C": {
        "Attached": Manner(SignatureFormat.CADES, packaging=Packaging.ENVELOPING),
        "Detached": Manner(SignatureFormat.CADES, packaging=Packaging.DETACHED),
        "Parallel": Manner(SignatureFormat.CADES, Act.PARALLEL),
    },
    "X": {
        "Enveloped": Manner(SignatureFormat.XADES, packaging=Packaging.ENVELOPED),
        "Enveloping": Manner(SignatureFormat.XADES, packaging=Packaging.ENVELOPING),
        "Detached": Manner(SignatureFormat.XADES, packaging=Packaging.DETACHED),
    },
    "P": {
        "Certification": Manner(
            SignatureFormat.PADES,
            placement=pades.Placement(certification=pades.Certification.FILLING_IN),
        ),
        "Revision": Manner(SignatureFormat.PADES),
    },
    "J": {
        "Attached": Manner(SignatureFormat.JADES, packaging=Packaging.ENVELOPING),
        "Detached": Manner(SignatureFormat.JADES, packaging=Packaging.DETACHED),
        "Parallel": Manner(SignatureFormat.JADES, Act.PARALLEL),
    },
}
"""By `signature_format` and `signed_envelope_property`; the default first. A certified PDF may
still be filled in and signed by others."""
LEVELS = {
    "AdES-B-B": SignatureLevel.B_B,
    "AdES-B-T": SignatureLevel.B_T,
    "AdES-B-LT": SignatureLevel.B_LT,
    "AdES-B-LTA": SignatureLevel.B_LTA,
}
EARLIER_LEVELS = {
    "AdES-B": SignatureLevel.B_B,
    "AdES-T": SignatureLevel.B_T,
    "AdES-LT": SignatureLevel.B_LT,
    "AdES-LTA": SignatureLevel.B_LTA,
}
"""Of the baseline profiles in ETSI's technical specifications (TS 103 172, 103 173, 119 182-1).
What is made for the others keeps them too; but for XML, whose TS 103 171 names the signer's
certificate by an element that EN 319 132-1 replaced."""
_UPON_A_DIGEST = {
    "C": "Detached",
    "X": "Detached",
    "P": "Revision",
    "J": "Detached",
}


@dataclass(frozen=True)
class Wish:
    """One signature that is asked for."""

    presented: Document
    """What was sent: its digest is what the legal person agreed to."""
    subject: Subject
    manner: Manner
    """With its suite."""
    level: SignatureLevel


def wishes(asked: SignDocRequest, key: PublicKey, signer: str, now: datetime) -> list[Wish]:
    """In the order of the request. `key` and `signer`: of the seal's certificate.

    Raises Malformed `remote.request`, `remote.level`, `remote.envelope`, `remote.document`,
    `remote.hash`, `remote.signed-props`, `jades.*` and so on for what joins no signature;
    Unprocessable `remote.algorithm`, `remote.hash-length`.
    """
    if asked.documents is not None and asked.documentDigests is not None:
        raise Malformed("remote.request", "Both documentDigests and documents parameters passed")
    found = [_of_document(each, key, signer) for each in asked.documents or ()]
    for digests in asked.documentDigests or ():
        found += _of_digests(digests, key, signer, now)
    if not found:
        raise Malformed("remote.request", "Empty documentDigests and documents objects")
    if len(found) > MOST_SIGNATURES:
        raise Malformed("remote.request", f"At most {MOST_SIGNATURES} signatures at once")
    return found


def _of_document(member: DocumentMember, key: PublicKey, signer: str) -> Wish:
    content = messages.octets(
        member.document, "remote.document", "Invalid Base64 documents string parameter"
    )
    if not content or len(content) > MAX_DOCUMENT_BYTES:
        raise Malformed("remote.document", "The document is empty or too large")
    manner = _envelope(member, next(iter(ENVELOPES[member.signature_format])))
    subject = Subject.of(content)
    if manner.act is Act.PARALLEL:
        subject = Subject({}, content)
    level = _level(member)
    return Wish(content, subject, _asked(member, manner, key, signer, digest_only=False), level)


def _of_digests(member: DigestsMember, key: PublicKey, signer: str, now: datetime) -> list[Wish]:
    manner = _envelope(member, _UPON_A_DIGEST[member.signature_format], digest_only=True)
    manner = _asked(member, manner, key, signer, digest_only=True)
    assert manner.suite is not None
    digest, level = manner.suite.digest, _level(member)
    if member.hashAlgorithmOID is not None and digest_named(member.hashAlgorithmOID) != digest:
        raise Malformed(
            "remote.algorithm",
            "String parameter hashAlgorithmOID contradicts with signAlgo parameter",
        )
    if level in _BEYOND_A_DIGEST[member.signature_format]:
        raise Malformed(
            "remote.level",
            "Invalid parameter conformance_level: this level needs the document itself",
        )
    found = []
    for text in member.hashes:
        value = messages.octets(text, "remote.hash", "Invalid Base64 hashes string parameter")
        require_length(digest, (value,))
        is_pdf = manner.format is SignatureFormat.PADES
        known = {digest: value}
        document = ByteRangeDigest(known, now) if is_pdf else DigestedDocument(known)
        found.append(Wish(document, Subject({"document": document}), manner, level))
    return found


_BEYOND_A_DIGEST = {
    "C": frozenset[SignatureLevel](),
    "X": frozenset({SignatureLevel.B_LTA}),
    "P": frozenset({SignatureLevel.B_LT, SignatureLevel.B_LTA}),
    "J": frozenset({SignatureLevel.B_LTA}),
}
"""An archive timestamp of XML and JSON covers the document's octets; what validates a PDF's
signature goes into the PDF."""


def _envelope(
    member: DocumentMember | DigestsMember, default: str, *, digest_only: bool = False
) -> Manner:
    name = member.signed_envelope_property or default
    manner = ENVELOPES[member.signature_format].get(name)
    if manner is None or (digest_only and name != default):
        raise Malformed("remote.envelope", "Invalid parameter signed_envelope_property")
    return manner


def _level(member: DocumentMember | DigestsMember) -> SignatureLevel:
    name = f"AdES{member.conformance_level[4:]}"  # the specification's examples say Ades, too
    if name in EARLIER_LEVELS and member.signature_format != "X":
        return EARLIER_LEVELS[name]
    level = LEVELS.get(name)
    if level is None:
        raise Malformed("remote.level", "Invalid parameter conformance_level")
    return level


def _asked(
    member: DocumentMember | DigestsMember,
    manner: Manner,
    key: PublicKey,
    signer: str,
    *,
    digest_only: bool,
) -> Manner:
    own, parameters = key.default_suite(), member.signAlgoParams
    algorithm = member.signAlgo or own.signature_oid
    several = sum(each.signature_oid == algorithm for each in suites_of(key)) > 1
    suite = choose(
        key,
        algorithm,
        own.digest_oid if several else None,
        None
        if parameters is None
        else messages.octets(parameters, "remote.request", "Invalid parameter signAlgoParams"),
    )
    asked = read_properties(
        manner.format, _properties(member.signed_props), signer, digest_only=digest_only
    )
    return replace(
        manner,
        suite=suite,
        claims=asked.claims,
        placement=replace(asked.placement, certification=manner.placement.certification),
    )


def _properties(members: Sequence[messages.PropertyMember]) -> list[Property]:
    detail = "Invalid parameter signed_props"
    return [
        Property(
            each.attribute_name,
            None
            if each.attribute_value is None
            else messages.octets(each.attribute_value, "remote.signed-props", detail),
        )
        for each in members
    ]
