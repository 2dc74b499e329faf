"""ASiC containers read: the evidence of every signature inside, held against every file."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal
from signing_service.formats import xml_security
from signing_service.formats.asic.container import Container, ContainerType, name_of, uri_of
from signing_service.formats.asic.manifest import Manifest
from signing_service.formats.cades import whole as cades
from signing_service.formats.document import Document
from signing_service.formats.xades import whole as xades
from signing_service.formats.xades.reading import signatures_of
from signing_service.formats.xades.references import SignatureParts, Source
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import (
    SignatureEvidence,
    TimestampEvidence,
    TimestampKind,
)

MAX_SIGNATURE_FILES = 64
MAX_TIMESTAMPS = 64


@dataclass(frozen=True, slots=True)
class Inside:
    """One signature of a container."""

    file: str
    """The signature file that it is in."""
    index: int
    """Which of the signatures in that file, from zero."""
    evidence: SignatureEvidence
    covered: frozenset[str]
    """Data objects that it names."""


def read(
    container: Document | Container, *, known: Sequence[Certificate] = ()
) -> list[SignatureEvidence]:
    """Every signature's evidence, by file name. Of a container on disk, large data objects that
    are not packed are read piece by piece. `covers_document` says that no data object is
    without a signature; what one signature leaves to others is among its observations.

    Raises TooLarge `zip.too-large`; Malformed `zip.*`, `asic.*`, and what the formats inside
    raise.
    """
    if isinstance(container, Container):
        read_container = container
    elif isinstance(container, bytes):
        read_container = Container.read(container)
    else:
        read_container = Container.read_file(container.file)
    signatures = signatures_in(read_container, known)
    stamps = _archive_timestamps(read_container, signatures, known)
    objects = frozenset(read_container.data_objects)
    whole = objects <= frozenset().union(*(each.covered for each in signatures))
    found = []
    for each in signatures:
        evidence = each.evidence
        left = sorted(objects - each.covered)
        observations = evidence.observations
        if left:
            observations += (f"does not cover {', '.join(left[:10])}"[:400],)
        archive = [stamp for manifest, stamp in stamps if manifest.lists(each.file)]
        found.append(
            evidence._replace(
                covers_document=evidence.covers_document and whole,
                observations=observations,
                timestamps=_in_order((*evidence.timestamps, *archive)),
            )
        )
    return found


def signatures_in(container: Container, known: Sequence[Certificate] = ()) -> list[Inside]:
    """Every signature, by file name. Raises Malformed `asic.no-signature`, `asic.structure`,
    `asic.manifest`, `asic.too-many`, and what the formats inside raise."""
    files = container.cades + container.xades
    if not files:
        raise Malformed("asic.no-signature", "there is no signature in the container")
    if len(files) > MAX_SIGNATURE_FILES:
        raise Malformed("asic.too-many", "at most {most} signature files", most=MAX_SIGNATURE_FILES)
    if container.type is ContainerType.ASIC_S and len(files) > 1:
        raise Malformed("asic.structure", "ASiC-S has one signature file")
    manifests = _manifests(container)
    found: list[Inside] = []
    for name in files:
        if name in container.xades:
            found += _xades(container, name, known)
        elif container.type is ContainerType.ASIC_S:
            found += _simple_cades(container, name, known)
        else:
            found += _cades(container, name, manifests, known)
    return found


def _manifests(container: Container) -> dict[str, tuple[str, Manifest]]:
    """(Name, manifest) by the file that signs it; no two are signed by one."""
    found: dict[str, tuple[str, Manifest]] = {}
    for name in container.manifests:
        manifest = Manifest.read(container.files[name])
        if manifest.signed_by in found:
            raise Malformed("asic.manifest", "one file signs two manifests")
        if manifest.signed_by not in container.files:
            raise Malformed("asic.manifest", "a manifest that nothing signs")
        found[manifest.signed_by] = (name, manifest)
    return found


def _simple_cades(container: Container, name: str, known: Sequence[Certificate]) -> list[Inside]:
    ((document, content),) = container.data_objects.items()
    return [
        Inside(name, index, _detached(evidence), frozenset({document}))
        for index, evidence in enumerate(cades.read(container.files[name], content, known=known))
    ]


def _cades(
    container: Container,
    name: str,
    manifests: dict[str, tuple[str, Manifest]],
    known: Sequence[Certificate],
) -> list[Inside]:
    """Over its manifest, and by the manifest over the files that it lists."""
    if name not in manifests:
        raise Malformed("asic.manifest", "a signature without its manifest")
    manifest_name, manifest = manifests[name]
    references = manifest.references(container.everything)
    found = []
    read = cades.read(container.files[name], container.files[manifest_name], known=known)
    for index, evidence in enumerate(map(_detached, read)):
        own = tuple(each._replace(name="manifest") for each in evidence.references)
        evidence = evidence._replace(references=own + references)
        covered = frozenset(each.name for each in manifest.files)
        found.append(Inside(name, index, evidence, covered))
    return found


def _xades(container: Container, name: str, known: Sequence[Certificate]) -> list[Inside]:
    """Detached, each reference to a file of the container by its relative URI."""
    presented = by_uri(container, name)
    signed = container.files[name]
    source = Source(xml_security.parse(signed), presented)
    elements = signatures_of(source.root)
    found = []
    for index, evidence in enumerate(xades.read(signed, presented, known=known)):
        references = SignatureParts.of(elements[index]).references(source)
        covered = frozenset(_named(each.uri) for each in references if each.uri[:1] != "#")
        found.append(Inside(name, index, evidence, covered))
    return found


def by_uri(container: Container, signature_file: str) -> dict[str, Document]:
    """Every file but the signature's own, by each spelling of its URI."""
    found: dict[str, Document] = {}
    for name, content in container.everything.items():
        if name != signature_file:
            for uri in (name, uri_of(name), f"/{uri_of(name)}"):
                found.setdefault(uri, content)
    return found


def _named(uri: str) -> str:
    try:
        return name_of(uri)
    except ValueError:
        return uri


def _detached(evidence: SignatureEvidence) -> SignatureEvidence:
    if evidence.packaging != "detached":
        raise Malformed("asic.structure", "signatures in containers are detached")
    return evidence


@dataclass(frozen=True, slots=True)
class ArchiveManifest:
    """An ASiCArchiveManifest with what the container has for it."""

    name: str
    manifest: Manifest

    def lists(self, file: str) -> bool:
        return any(each.name == file for each in self.manifest.files)


def archive_manifests(container: Container) -> list[ArchiveManifest]:
    """Raises Malformed `asic.manifest`, `xml.*`."""
    return [
        ArchiveManifest(name, Manifest.read(container.files[name]))
        for name in container.archive_manifests
    ]


def _archive_timestamps(
    container: Container, signatures: list[Inside], known: Sequence[Certificate]
) -> list[tuple[ArchiveManifest, TimestampEvidence]]:
    """The timestamp over each archive manifest; not intact where a listed file is another."""
    manifests = archive_manifests(container)
    if len(manifests) > MAX_TIMESTAMPS:
        raise Malformed("asic.too-many", "at most {most} archive timestamps", most=MAX_TIMESTAMPS)
    found = []
    for each in manifests:
        token = container.files.get(each.manifest.signed_by)
        if token is None:
            raise Malformed("asic.manifest", "an archive manifest without its timestamp")
        references = each.manifest.references(container.everything)
        covered = container.files[each.name] if all(r.intact for r in references) else None
        covers = _covered(container, each, signatures, known)
        kind = TimestampKind.ARCHIVE
        stamp = read_timestamp(token, kind, covered, known=known, covers=covers)
        found.append((each, stamp))
    return found


def _covered(
    container: Container,
    archive: ArchiveManifest,
    signatures: list[Inside],
    known: Sequence[Certificate],
) -> frozenset[bytes]:
    """SHA-256 of every object in the files that an archive manifest lists."""
    things: list[bytes] = []
    for listed in archive.manifest.files:
        content = container.files.get(listed.name)
        if content is None:
            continue
        things.append(content)
        for each in signatures:
            if each.file == listed.name:
                things += _things_in(each.evidence)
        if listed.name in container.timestamps:
            things += _things_in_token(content, known)
    return frozenset(hashlib.sha256(thing).digest() for thing in things)


def _things_in(evidence: SignatureEvidence) -> list[bytes]:
    """Objects that evidence knows by themselves, with those of its timestamps."""
    things = [evidence.signature_value, *evidence.embedded_crls, *evidence.embedded_ocsp]
    things += (each.der for each in evidence.embedded_certificates)
    for stamp in evidence.timestamps:
        things += (stamp.token, *_things_in(stamp.signature))
    for counter in evidence.counter_signatures:
        things += _things_in(counter)
    return things


def _things_in_token(token: bytes, known: Sequence[Certificate]) -> list[bytes]:
    try:
        stamp = read_timestamp(token, TimestampKind.ARCHIVE, None, known=known)
    except Refusal:
        return []
    return _things_in(stamp.signature)


def _in_order(timestamps: tuple[TimestampEvidence, ...]) -> tuple[TimestampEvidence, ...]:
    order = list(TimestampKind)
    return tuple(sorted(timestamps, key=lambda each: (order.index(each.kind), each.generated_at)))
