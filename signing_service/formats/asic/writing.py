"""ASiC containers written (EN 319 162-1): ASiC-S and ASiC-E, with CAdES or XAdES inside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.sax.saxutils import quoteattr

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from kernel.refusals import Conflict, Malformed, Unprocessable
from signing_service.formats.asic.container import (
    META,
    Container,
    ContainerType,
    new_container,
    uri_of,
)
from signing_service.formats.asic.levels import add_signature_timestamp
from signing_service.formats.asic.manifest import ASIC, CADES_TYPE, Manifest, write_manifest
from signing_service.formats.cades import whole as cades
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.document import Document, StreamedDocument
from signing_service.formats.prepared import PreparedSignature, choose_suite
from signing_service.formats.xades import whole as xades
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import Packaging, SignatureFormat

_FORMATS = {
    ContainerType.ASIC_S: SignatureFormat.ASIC_S,
    ContainerType.ASIC_E: SignatureFormat.ASIC_E,
}
_SINGLE = {
    SignatureFormat.CADES: META + "signature.p7s",
    SignatureFormat.XADES: META + "signatures.xml",
}
_NUMBERED = {
    SignatureFormat.CADES: META + "signature{}.p7s",
    SignatureFormat.XADES: META + "signatures{}.xml",
}
_MANIFEST = META + "ASiCManifest{}.xml"
_OPEN_DOCUMENT_MANIFEST = META + "manifest.xml"
NO_SIGNATURES = f'<asic:XAdESSignatures xmlns:asic="{ASIC}"></asic:XAdESSignatures>'.encode()
UNKNOWN_TYPE = "application/octet-stream"


def prepare(
    documents: Mapping[str, Document],
    certificate: Certificate,
    signing_time: datetime,
    *,
    container: ContainerType = ContainerType.ASIC_E,
    inner: SignatureFormat = SignatureFormat.CADES,
    chain: Sequence[Certificate] = (),
    suite: AlgorithmSuite | None = None,
    claims: Claims = NO_CLAIMS,
    mime_types: Mapping[str, str] | None = None,
) -> PreparedSignature:
    """First step: what the inner signature signs, over every document by its name.

    `mime_types` are told in the manifest, by name. Large documents stay where they are: the
    value then goes to `assemble_large`. Raises Unprocessable `asic.objects`,
    `asic.inner`, `zip.*`, `algorithm.unfit`, `chain.too-long`; TooLarge `zip.too-large`.
    """
    made = new_container(documents, container)
    return _prepare(made, certificate, signing_time, inner, chain, suite, claims, mime_types or {})


def prepare_parallel(
    signed: bytes,
    certificate: Certificate,
    signing_time: datetime,
    *,
    inner: SignatureFormat = SignatureFormat.CADES,
    chain: Sequence[Certificate] = (),
    suite: AlgorithmSuite | None = None,
    claims: Claims = NO_CLAIMS,
    only: Sequence[str] | None = None,
) -> PreparedSignature:
    """First step of one more signature in a container, over all data objects or `only` some.

    Raises as `prepare` and `Container.read`; Conflict `asic.archived` (ASiC-S, where the
    signatures are one file); Unprocessable `asic.inner` (ASiC-S with the other kind inside).
    """
    container = Container.read(signed)
    return _prepare(container, certificate, signing_time, inner, chain, suite, claims, {}, only)


def assemble(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    """Last step: the container with the signature in it. The value has the X.509 shape.

    Raises Unprocessable `signature.mismatch`; Malformed `prepared.malformed`.
    """
    return assemble_large(prepared, signature_value, {}).encode()


def assemble_large(
    prepared: PreparedSignature, signature_value: bytes, large: Mapping[str, StreamedDocument]
) -> Container:
    """The same around documents on disk, by their names. Raises as `assemble`."""
    step, read, place = prepared_parts(prepared, large)
    if step.format is SignatureFormat.XADES:
        return read.with_file(place, xades.assemble(step, signature_value))
    signature = cades.assemble(step, signature_value)
    if place in read.files:
        signature = cades.merge(read.files[place], signature)
    return read.with_file(place, signature)


def manifest_of(
    prepared: PreparedSignature, large: Mapping[str, StreamedDocument] | None = None
) -> bytes:
    """The manifest that the inner signature is over; empty where it is over the documents
    themselves. Raises as `assemble`."""
    step, container, place = prepared_parts(prepared, large)
    if step.format is SignatureFormat.XADES or container.type is ContainerType.ASIC_S:
        return b""
    found = (container.files[name] for name in container.manifests)
    return next(each for each in found if Manifest.read(each).signed_by == place)


def prepared_parts(
    prepared: PreparedSignature, large: Mapping[str, StreamedDocument] | None = None
) -> tuple[PreparedSignature, Container, str]:
    """The inner signature, the container that it goes into, and the name of its file there.
    `large`: the documents on disk, if there are any.

    Raises Malformed `prepared.malformed`.
    """
    if prepared.format not in _FORMATS.values():
        raise Malformed("prepared.malformed", "prepared for another format")
    try:
        inner, container, name = (
            prepared.body[part.content : part.end]
            for part in der.children(prepared.body, der.read_only(prepared.body, der.SEQUENCE))
        )
        place = name.decode("utf-8")
    except ValueError:
        raise Malformed("prepared.malformed", "not a prepared container") from None
    return type(prepared).from_bytes(inner), Container.read(container, large), place


def sign(
    documents: Mapping[str, Document],
    key: KeyHandle,
    certificate: Certificate,
    signing_time: datetime,
    *,
    container: ContainerType = ContainerType.ASIC_E,
    inner: SignatureFormat = SignatureFormat.CADES,
    chain: Sequence[Certificate] = (),
    timestamper: Timestamper | None = None,
    claims: Claims = NO_CLAIMS,
) -> bytes:
    """All three steps with a key at hand: B-B, or B-T with a `timestamper`.

    Raises as `prepare`, `assemble`, `KeyHandle.sign` and `Timestamper.stamp`.
    """
    prepared = prepare(
        documents, certificate, signing_time, container=container, inner=inner, chain=chain,
        suite=key.suite, claims=claims,
    )  # fmt: skip
    signed = assemble(prepared, key.sign(prepared.to_be_signed))
    return signed if timestamper is None else add_signature_timestamp(signed, timestamper)


def _prepare(
    container: Container,
    certificate: Certificate,
    signing_time: datetime,
    inner: SignatureFormat,
    chain: Sequence[Certificate],
    suite: AlgorithmSuite | None,
    claims: Claims,
    mime_types: Mapping[str, str],
    only: Sequence[str] | None = None,
) -> PreparedSignature:
    suite = choose_suite(certificate, suite)
    name = _place(container, inner)
    objects = container.data_objects
    if only is not None:
        if not only or not set(only) <= objects.keys():
            raise Unprocessable("asic.objects", "sign data objects that are there")
        objects = {each: objects[each] for each in objects if each in only}
    if inner is SignatureFormat.XADES:
        container = _with_open_document_manifest(container, mime_types)
        step = xades.prepare(
            {uri_of(each): content for each, content in objects.items()},
            certificate,
            signing_time,
            chain=chain,
            suite=suite,
            mime_type=UNKNOWN_TYPE,
            packaging=Packaging.DETACHED,
            container=container.files.get(name, NO_SIGNATURES),
            claims=claims,
        )
    else:
        covered = next(iter(objects.values()))
        if container.type is ContainerType.ASIC_E:
            covered = write_manifest(
                name,
                objects,
                digest=suite.digest,
                signature_type=CADES_TYPE,
                mime_types=mime_types,
            )
            container = container.with_file(container.free_name(_MANIFEST), covered)
        step = cades.prepare(
            covered, certificate, signing_time, chain=chain, suite=suite, claims=claims
        )
    body = der.sequence(
        der.octet_string(step.to_bytes()),
        der.octet_string(container.encode_without_large()),
        der.utf8_string(name),
    )
    return PreparedSignature(
        _FORMATS[container.type], Packaging.DETACHED, suite, certificate, step.chain,
        step.to_be_signed, body,
    )  # fmt: skip


def _place(container: Container, inner: SignatureFormat) -> str:
    """The name of the file that the signature goes into."""
    if inner not in _SINGLE:
        raise Unprocessable("asic.inner", "a container has CAdES or XAdES inside")
    if container.type is ContainerType.ASIC_E:
        return container.free_name(_NUMBERED[inner])
    files = container.cades + container.xades
    if not files:
        return _SINGLE[inner]
    name = files[0]
    if len(files) > 1 or (name in container.cades) != (inner is SignatureFormat.CADES):
        raise Unprocessable("asic.inner", "ASiC-S has one kind of signature inside")
    if container.archive_manifests:
        raise Conflict("asic.archived", "what an archive timestamp stands for is finished")
    return name


def _with_open_document_manifest(container: Container, mime_types: Mapping[str, str]) -> Container:
    """META-INF/manifest.xml as OpenDocument has it (EN 319 162-1, 4.4.3.1), for ASiC-E."""
    if container.type is ContainerType.ASIC_S or _OPEN_DOCUMENT_MANIFEST in container.files:
        return container
    listed = {"/": str(container.type)}
    listed |= {name: mime_types.get(name, UNKNOWN_TYPE) for name in container.data_objects}
    entries = "".join(
        f"<manifest:file-entry manifest:full-path={quoteattr(name)}"
        f" manifest:media-type={quoteattr(kind)}/>"
        for name, kind in listed.items()
    )
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<manifest:manifest'
        ' xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
        f' manifest:version="1.2">{entries}</manifest:manifest>'
    )
    return container.with_file(_OPEN_DOCUMENT_MANIFEST, manifest.encode())
