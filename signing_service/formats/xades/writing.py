"""XAdES signatures written (EN 319 132-1), level B-B, in every packaging.

The canonicalisation is Canonical XML 1.0, inclusive, because that is what the E-Port's own
signature profile has, so that its verifiers find nothing new but the ds:Object. Everything that
is signed beside the document is written in canonical form straight away: a signature costs one
parse and one canonicalisation of the document, and of a plain one (`plain_xml`) neither a tree nor
a canonicalisation. `xades.reading` is the other half.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography.hazmat import asn1
from lxml import etree

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from kernel.refusals import Malformed, Unprocessable
from signing_service.formats import xml_security
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.document import Document
from signing_service.formats.prepared import PreparedSignature, check_chain, choose_suite
from signing_service.formats.xades import text as xades_text
from signing_service.formats.xades.levels import add_signature_timestamp
from signing_service.formats.xades.references import Source, canonical_properties
from signing_service.formats.xades.subject import Subject, detached_subject, subject_of
from signing_service.formats.xml_names import DS, ds
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import Packaging, SignatureFormat

MIME_TYPE = "text/xml"
XADES_CONTAINER = b"<signatures></signatures>"
"""For detached signatures side by side. It is in no namespace, so that a signature that is moved
into it keeps its canonical form."""


@asn1.sequence
class _Body:
    """The document around its signature, and the signature around its value."""

    head: bytes
    signature_head: bytes
    signature_tail: bytes
    tail: bytes


def prepare(
    document: Document | Mapping[str, Document],
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    suite: AlgorithmSuite | None = None,
    mime_type: str = MIME_TYPE,
    packaging: Packaging = Packaging.ENVELOPED,
    target: str | None = None,
    parallel: bool = False,
    container: bytes | None = None,
    claims: Claims = NO_CLAIMS,
    content_timestamper: Timestamper | None = None,
) -> PreparedSignature:
    """First step: the canonical ds:SignedInfo over the document and the properties.

    - ENVELOPED: the signature becomes the last child of the root. With `parallel` it leaves out
      every signature, so that others can sign beside it; so do signatures added to such ones.
    - INTERNALLY_DETACHED: as before, over the element that bears the identifier `target`.
    - ENVELOPING: the document, any octets, goes into the signature as base64.
    - DETACHED: `document` maps each URI by which it is named to a document, which may be a
      StreamedDocument; the URIs are never fetched. With a `container`, an XML document that
      holds nothing but signatures, the signature becomes the last child of its root.

    With a `content_timestamper` the document is stamped before it is signed. Raises TooLarge
    `document.too-large`; Malformed `xml.*`; Unprocessable `xades.already-signed`,
    `packaging.unfit`, `document.uri`, `algorithm.unfit`, `chain.too-long`; and as
    `Timestamper.stamp`.
    """
    suite = choose_suite(certificate, suite)
    if suite.xml_signature is None:
        raise Unprocessable("algorithm.unfit", "no XML name", suite=suite.name)
    if packaging is Packaging.DETACHED:
        subject = detached_subject(document, suite, container)
    else:
        subject = subject_of(document, suite, packaging, target, parallel=parallel)
    name = _name(subject, certificate, signing_time)
    stamp = None
    if content_timestamper is not None:
        if len(subject.digests) != 1:
            raise Unprocessable("packaging.unfit", "one document is stamped before signing")
        stamp = content_timestamper.stamp(subject.digests[0][1], suite.digest)
    identifiers = [f"{name}-document"]
    identifiers += [f"{name}-document-{number}" for number in range(1, len(subject.digests))]
    kind = claims.mime_type or mime_type
    properties = xades_text.signed_properties(
        certificate, suite, signing_time, [(each, kind) for each in identifiers], claims, stamp
    )
    references = "".join(
        xades_text.reference(
            identifier,
            uri if subject.enveloped is None else f"#{name}-object",
            "" if subject.enveloped is None else f' Type="{DS}Object"',
            subject.transforms,
            xades_text.digest(suite.digest, value),
        )
        for identifier, (uri, value) in zip(identifiers, subject.digests, strict=True)
    )
    properties_digest = suite.hash(subject.scope.signed_properties(name, properties))
    signed_info = xades_text.signed_info(name, suite, references, properties_digest)
    objects = ""
    if subject.enveloped is not None:
        encoded = base64.b64encode(subject.enveloped).decode()
        objects = f'<ds:Object Id="{name}-object">{encoded}</ds:Object>'
    start, end = xades_text.around_value(
        name, signed_info, properties, certificate, check_chain(chain), objects
    )
    return PreparedSignature(
        SignatureFormat.XADES,
        packaging,
        suite,
        certificate,
        tuple(chain),
        subject.scope.signed_info(signed_info),
        encode_body(subject.head, start, end, subject.tail),
    )


def assemble(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    """Last step: the signed document. The value has the X.509 shape.

    Raises Unprocessable `signature.mismatch`; Malformed `prepared.malformed`.
    """
    prepared.check(signature_value)
    return _assemble(prepared, signature_value)


def sign(
    document: Document | Mapping[str, Document],
    key: KeyHandle,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    timestamper: Timestamper | None = None,
    packaging: Packaging = Packaging.ENVELOPED,
    target: str | None = None,
    parallel: bool = False,
    container: bytes | None = None,
    claims: Claims = NO_CLAIMS,
) -> bytes:
    """All three steps with a key at hand: B-B, or B-T with a `timestamper`.

    Raises as `prepare`, `KeyHandle.sign` and `Timestamper.stamp`; Unprocessable
    `signature.mismatch` when the key is not the certificate's.
    """
    if key.public_key.spki != certificate.spki:
        raise Unprocessable("signature.mismatch", "the key is not the certificate's")
    prepared = prepare(
        document, certificate, signing_time, chain=chain, suite=key.suite,
        packaging=packaging, target=target, parallel=parallel, container=container, claims=claims,
    )  # fmt: skip
    signed = _assemble(prepared, key.sign(prepared.to_be_signed))
    if timestamper is None:
        return signed
    # Ours is the last signature of the document.
    return add_signature_timestamp(signed, timestamper, signer=-1)


def as_container(signed: bytes) -> bytes:
    """A document of nothing but signatures, for one more: as it is, or the lone signature in a
    container of its own.

    Raises Malformed `xml.*`; Unprocessable `packaging.unfit` (it holds more).
    """
    root = xml_security.parse(signed)
    if not Source(root).holds_only_signatures:
        raise Unprocessable("packaging.unfit", "the file holds more than signatures")
    if root.tag != ds("Signature"):
        return signed
    start, end = XADES_CONTAINER[:12], XADES_CONTAINER[12:]
    alone: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=False)
    return start + alone + end


def encode_body(head: bytes, start: bytes, end: bytes, tail: bytes) -> bytes:
    """What `assemble` needs beside the value: octets around it."""
    return der.sequence(*map(der.octet_string, (head, start, end, tail)))


def _name(subject: Subject, certificate: Certificate, signing_time: datetime) -> str:
    """A name for this signature that nothing in the document bears."""
    seed = subject.digests[0][1] + certificate.digest("sha256")
    seed += signing_time.isoformat().encode()
    while True:
        seed = hashlib.sha256(seed).digest()
        name = f"sig-{seed[:12].hex()}"
        if name.encode() not in subject.reserved:
            return name


def properties_of(prepared: PreparedSignature) -> bytes:
    """The canonical xades:SignedProperties that the signature will refer to. Raises Malformed
    `prepared.malformed`, `xades.*`, `xml.*`."""
    root = xml_security.parse(_with_value(prepared, b""))
    return canonical_properties(root, prepared.to_be_signed)


def _assemble(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    value = base64.b64encode(prepared.suite.to_raw(signature_value))
    return _with_value(prepared, value)


def _with_value(prepared: PreparedSignature, value: bytes) -> bytes:
    """The document with the signature value's text in its place."""
    if prepared.format is not SignatureFormat.XADES:
        raise Malformed("prepared.malformed", "prepared for another format")
    try:
        body = asn1.decode_der(_Body, prepared.body)
    except ValueError:
        raise Malformed("prepared.malformed", "not a prepared document") from None
    return b"".join((body.head, body.signature_head, value, body.signature_tail, body.tail))
