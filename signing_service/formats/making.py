"""How a signature is made: every format, packaging and act by one door, so that no use case asks
which format it has."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from kernel.asn1.certificate import Certificate
from kernel.refusals import Unprocessable
from signing_service.formats import bundle
from signing_service.formats.asic import whole as asic
from signing_service.formats.cades import whole as cades
from signing_service.formats.document import DigestedDocument, Document
from signing_service.formats.jades import whole as jades
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.pades import whole as pades
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.recognition import is_xml
from signing_service.formats.xades import whole as xades
from signing_service.formats.xades.references import Source
from signing_service.formats.xades.writing import XADES_CONTAINER
from signing_service.formats.xml_security import canonicalise, parse
from signing_service.validation.evidence import Packaging, SignatureEvidence, SignatureFormat


def prepare(
    manner: Manner,
    subject: Subject,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
) -> PreparedSignature:
    """First step. Raises Unprocessable `format.unsupported`, `packaging.unfit`, `document.*`,
    `signature.missing`; and as the format."""
    if manner.packaging is Packaging.ENVELOPING or _envelops_by_itself(manner):
        subject.in_memory()
    if manner.act is not Act.COUNTER:
        maker = _MAKERS.get(manner.format)
        if maker is not None:
            return maker(manner, subject, certificate, signing_time, chain)
    elif manner.format in _COUNTER:
        return _COUNTER[manner.format](
            subject.joined(), certificate, signing_time, signer=manner.signer, chain=chain,
            suite=manner.suite, claims=manner.claims,
        )  # fmt: skip
    offered = _COUNTER if manner.act is Act.COUNTER else _MAKERS
    raise Unprocessable(
        "format.unsupported",
        "{act}: one of {offered}",
        act=str(manner.act),
        offered=", ".join(offered),
        format=manner.format,
    )


def finish(
    act: Act, prepared: PreparedSignature, signature_value: bytes, signed: bytes | None
) -> bytes:
    """Last step: the finished file. `signed`: what a parallel signature joins. A container
    around documents on disk is made by `asic.assemble_large`.

    Raises Unprocessable `signature.mismatch`; and as the format.
    """
    if act is Act.COUNTER:
        return _FINISH_COUNTER[prepared.format](prepared, signature_value)
    made = _ASSEMBLE[prepared.format](prepared, signature_value)
    merge = _MERGE.get(prepared.format)
    if act is Act.FIRST or merge is None or signed is None:
        return made
    return merge(signed, made)


def position_of(
    prepared: PreparedSignature, found: Sequence[SignatureEvidence]
) -> tuple[int, bool]:
    """Which of the signatures in a finished file was prepared so, from zero; or upon which of
    them it is a counter-signature (true)."""
    for index, evidence in enumerate(found):
        if evidence.signed_bytes == prepared.to_be_signed:
            return index, False
        upon = (each.signed_bytes for each in evidence.counter_signatures)
        if prepared.to_be_signed in upon:
            return index, True
    raise Unprocessable("signature.missing", "what was prepared is not in the finished file")


def context_of(prepared: PreparedSignature, act: Act, subject: Subject) -> bytes:
    """What the holder's program needs beside the document to see that it signs just that: the
    update of a PDF (after the place of its hole), the manifest of an ASiC-E container, the signed
    properties of XAdES."""
    inner, large = prepared, subject.large
    if prepared.format in _CONTAINERS:
        inner, _, _ = asic.prepared_parts(prepared, large)
    if inner.format is SignatureFormat.XADES:
        return xades.properties_of(inner)
    if act is Act.COUNTER:
        return b""
    if prepared.format is SignatureFormat.PADES:
        document = subject.joined() if act is Act.PARALLEL else subject.whole()
        return pades.update_of(prepared, document)
    if prepared.format in _CONTAINERS:
        return asic.manifest_of(prepared, large)
    return b""


def contents_to_sign(manner: Manner, subject: Subject) -> tuple[Document, ...]:
    """The documents that the signature will stand for. Raises as `contents_of`, `prepare`."""
    if not subject.documents:
        return contents_of(subject.joined())
    if manner.packaging is not Packaging.INTERNALLY_DETACHED:
        return tuple(subject.documents.values())
    target = Source(parse(subject.whole())).resolve(f"#{manner.target or ''}")
    return (canonicalise(target),)


def contents_of(signed: bytes | asic.Container) -> tuple[Document, ...]:
    """The documents in a file that holds them with their signatures.

    Raises Unprocessable `document.missing` where the signature is detached; and as the format.
    """
    if isinstance(signed, asic.Container):
        return tuple(signed.data_objects.values())
    if pades.is_pdf(signed):
        return (signed,)
    if asic.is_zip(signed):
        return contents_of(asic.Container.read(signed))
    if is_xml(signed):
        root = parse(signed)
        inside = xades.content(signed)
        content = inside if inside or Source(root).holds_only_signatures else signed
    else:
        content = (jades.content if signed.lstrip()[:1] in b"{e" else cades.content)(signed)
    if content is None:
        raise Unprocessable("document.missing", "the detached document is needed")
    return (content,)


def holds_documents(signed: bytes) -> bool:
    """Whether a file of ours holds what it signs. Raises as the format."""
    try:
        return not bundle.is_proof(signed) and bool(contents_of(signed))
    except Unprocessable as refusal:
        if refusal.code != "document.missing":
            raise
        return False


def _envelops_by_itself(manner: Manner) -> bool:
    first = manner.act is Act.FIRST and manner.packaging is None
    return first and manner.format is SignatureFormat.JADES


_Maker = Callable[
    [Manner, Subject, Certificate, datetime, Sequence[Certificate]], PreparedSignature
]


def _cades(
    manner: Manner, subject: Subject, certificate: Certificate, at: datetime,
    chain: Sequence[Certificate],
) -> PreparedSignature:  # fmt: skip
    packaging = manner.packaging or Packaging.DETACHED
    document = subject.document
    if manner.act is Act.PARALLEL:
        content = cades.content(subject.joined())
        packaging = Packaging.DETACHED if content is None else Packaging.ENVELOPING
        document = document if content is None else content
    if document is None:
        raise Unprocessable("document.missing", "the detached document is needed")
    return cades.prepare(
        document, certificate, at,
        chain=chain, packaging=packaging, suite=manner.suite, claims=manner.claims,
    )  # fmt: skip


def _jades(
    manner: Manner, subject: Subject, certificate: Certificate, at: datetime,
    chain: Sequence[Certificate],
) -> PreparedSignature:  # fmt: skip
    packaging = manner.packaging or Packaging.ENVELOPING
    document: Document | Mapping[str, Document] | None = subject.document
    if manner.act is Act.PARALLEL:
        content = jades.content(subject.joined())
        packaging = Packaging.DETACHED if content is None else Packaging.ENVELOPING
        document = document if content is None else content
    if document is None:
        raise Unprocessable("document.missing", "the detached document is needed")
    if packaging is Packaging.DETACHED:
        document = subject.documents
    return jades.prepare(
        document, certificate, at, chain=chain, packaging=packaging,
        serialisation=manner.serialisation, suite=manner.suite, claims=manner.claims,
    )  # fmt: skip


def _xades(
    manner: Manner, subject: Subject, certificate: Certificate, at: datetime,
    chain: Sequence[Certificate],
) -> PreparedSignature:  # fmt: skip
    packaging = manner.packaging or Packaging.ENVELOPED
    document: Document | Mapping[str, Document]
    container = None
    if manner.act is Act.PARALLEL:
        joined = subject.joined()
        if subject.documents:
            packaging, document = Packaging.DETACHED, subject.documents
            container = xades.as_container(joined)
        else:
            if packaging is not Packaging.INTERNALLY_DETACHED:
                packaging = Packaging.ENVELOPED
            document = joined
    elif packaging is Packaging.DETACHED:
        subject.any()
        document = subject.documents
        container = XADES_CONTAINER if manner.parallel_later else None
    else:
        document = subject.whole()
    return xades.prepare(
        document, certificate, at, chain=chain, suite=manner.suite, packaging=packaging,
        target=manner.target, parallel=manner.parallel_later, container=container,
        claims=manner.claims,
    )  # fmt: skip


def _pades(
    manner: Manner, subject: Subject, certificate: Certificate, at: datetime,
    chain: Sequence[Certificate],
) -> PreparedSignature:  # fmt: skip
    given = subject.document
    if isinstance(given, DigestedDocument):
        suite = manner.suite or certificate.public_key.default_suite()
        return pades.prepare_contents(
            given.digest(suite.digest), certificate, at,
            chain=chain, suite=suite, claims=manner.claims,
        )  # fmt: skip
    document = subject.joined() if manner.act is Act.PARALLEL else subject.whole()
    return pades.prepare(
        document, certificate, at,
        chain=chain, suite=manner.suite, claims=manner.claims, placement=manner.placement,
    )  # fmt: skip


def _asic(
    manner: Manner, subject: Subject, certificate: Certificate, at: datetime,
    chain: Sequence[Certificate],
) -> PreparedSignature:  # fmt: skip
    if manner.act is Act.PARALLEL:
        return asic.prepare_parallel(
            subject.joined(), certificate, at,
            inner=manner.inner, chain=chain, suite=manner.suite, claims=manner.claims,
        )  # fmt: skip
    return asic.prepare(
        subject.documents, certificate, at,
        container=_CONTAINERS[manner.format], inner=manner.inner, chain=chain,
        suite=manner.suite, claims=manner.claims,
    )  # fmt: skip


_CONTAINERS = {
    SignatureFormat.ASIC_S: asic.ContainerType.ASIC_S,
    SignatureFormat.ASIC_E: asic.ContainerType.ASIC_E,
}
_MAKERS: Mapping[SignatureFormat, _Maker] = {
    SignatureFormat.CADES: _cades,
    SignatureFormat.XADES: _xades,
    SignatureFormat.PADES: _pades,
    SignatureFormat.JADES: _jades,
    SignatureFormat.ASIC_S: _asic,
    SignatureFormat.ASIC_E: _asic,
}
FORMATS = tuple(_MAKERS)
"""Every format that is made."""
_COUNTER = {
    SignatureFormat.CADES: cades.prepare_counter_signature,
    SignatureFormat.XADES: xades.prepare_counter_signature,
    SignatureFormat.JADES: jades.prepare_counter_signature,
    SignatureFormat.ASIC_S: asic.prepare_counter_signature,
    SignatureFormat.ASIC_E: asic.prepare_counter_signature,
}
_ASSEMBLE: Mapping[SignatureFormat, Callable[[PreparedSignature, bytes], bytes]] = {
    SignatureFormat.CADES: cades.assemble,
    SignatureFormat.XADES: xades.assemble,
    SignatureFormat.PADES: pades.assemble,
    SignatureFormat.JADES: jades.assemble,
    SignatureFormat.ASIC_S: asic.assemble,
    SignatureFormat.ASIC_E: asic.assemble,
}
_FINISH_COUNTER: Mapping[SignatureFormat, Callable[[PreparedSignature, bytes], bytes]] = {
    SignatureFormat.CADES: cades.assemble_counter_signature,
    SignatureFormat.XADES: xades.assemble,
    SignatureFormat.JADES: jades.assemble_counter_signature,
    SignatureFormat.ASIC_S: asic.assemble_counter_signature,
    SignatureFormat.ASIC_E: asic.assemble_counter_signature,
}
_MERGE: Mapping[SignatureFormat, Callable[[bytes, bytes], bytes]] = {
    SignatureFormat.CADES: cades.merge,
    SignatureFormat.JADES: jades.merge,
}
"""Formats whose parallel signatures are made apart; in the others they are made in place."""
