"""ASiC containers from level to level (EN 319 162-1, 5 and 6).

The inner signature rises by its own rules. Where a manifest stands between signature and data
objects (ASiC-E with CAdES), the archive level is a timestamp over an ASiCArchiveManifest.
"""

import hashlib
from typing import TypeVar

from kernel.refusals import Conflict, Malformed, Unprocessable
from signing_service.formats.asic.container import META, Container, ContainerType
from signing_service.formats.asic.manifest import TIMESTAMP_TYPE, write_manifest
from signing_service.formats.asic.reading import (
    Inside,
    archive_manifests,
    by_uri,
    signatures_in,
)
from signing_service.formats.cades import whole as cades
from signing_service.formats.document import Document
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.formats.xades import whole as xades
from signing_service.timestamping.client import Timestamper

ContainerT = TypeVar("ContainerT", bytes, Container)
"""A container's octets; or, around documents on disk, its files."""
_NEWEST = META + "ASiCArchiveManifest.xml"
_EARLIER = META + "ASiCArchiveManifest{}.xml"
_TIMESTAMP = META + "timestamp{}.tst"


def add_signature_timestamp(
    signed: ContainerT,
    timestamper: Timestamper,
    *,
    signer: int = 0,
    digest: str = "sha256",
    counter: bytes | None = None,
) -> ContainerT:
    """B-B to B-T, inside. `signer` counts as `read` tells the signatures; -1 is the last.
    `counter`: the value of a counter-signature upon it, as the format inside takes it.

    Raises Conflict `asic.archived`; Malformed `asic.*`, `zip.*`; and as the format inside.
    """
    container = _opened(signed)
    chosen = _chosen(container, signer)
    _check_not_archived(container, chosen)
    module = xades if chosen.file in container.xades else cades
    raised = module.add_signature_timestamp(
        container.files[chosen.file],
        timestamper,
        signer=chosen.index,
        digest=digest,
        counter=counter,
    )
    return _as_given(signed, container.with_file(chosen.file, raised))


def add_validation_material(
    signed: ContainerT,
    material: ValidationMaterial,
    *,
    signer: int = 0,
    counter: bytes | None = None,
) -> ContainerT:
    """B-T to B-LT, inside; once an archive manifest lists the signature, into its newest
    timestamp token, before that is listed by the next. Raises as `add_signature_timestamp`."""
    container = _opened(signed)
    chosen = _chosen(container, signer)
    if _is_archived(container, chosen):
        newest = next(each for each in archive_manifests(container) if each.name == _NEWEST)
        name = newest.manifest.signed_by
        token = cades.add_validation_material(container.files[name], material)
        return _as_given(signed, container.with_file(name, token))
    module = xades if chosen.file in container.xades else cades
    raised = module.add_validation_material(
        container.files[chosen.file], material, signer=chosen.index, counter=counter
    )
    return _as_given(signed, container.with_file(chosen.file, raised))


def add_archive_timestamp(
    signed: ContainerT,
    timestamper: Timestamper,
    *,
    document: Document | None = None,
    signer: int = 0,
    digest: str = "sha256",
    counter: bytes | None = None,
) -> ContainerT:
    """B-LT to B-LTA, or its renewal. A container holds its documents: `document` is not needed.

    Raises Unprocessable `document.other`, `algorithm.unknown`; and as
    `add_signature_timestamp`.
    """
    if document is not None:
        raise Unprocessable("document.other", "a container holds its documents")
    container = _opened(signed)
    chosen = _chosen(container, signer)
    if not all(reference.intact for reference in chosen.evidence.references):
        # An archive timestamp over another document would only ever show as broken.
        raise Unprocessable("document.other", "these are not the documents that were signed")
    if chosen.file in container.xades:
        raised = xades.add_archive_timestamp(
            container.files[chosen.file], timestamper, document=by_uri(container, chosen.file),
            signer=chosen.index, digest=digest, counter=counter,
        )  # fmt: skip
        return _as_given(signed, container.with_file(chosen.file, raised))
    if counter is not None:
        raise Unprocessable("level.counter", "archive the signature that it is upon")
    if container.type is ContainerType.ASIC_S:
        (content,) = container.data_objects.values()
        raised = cades.add_archive_timestamp(
            container.files[chosen.file], timestamper, document=content,
            signer=chosen.index, digest=digest,
        )  # fmt: skip
        return _as_given(signed, container.with_file(chosen.file, raised))
    return _as_given(signed, _with_archive_manifest(container, timestamper, digest))


def _with_archive_manifest(
    container: Container, timestamper: Timestamper, digest: str
) -> Container:
    """The newest manifest always bears one name; the one before it gets a number (A.7)."""
    earlier = None
    if _NEWEST in container.files:
        earlier = container.free_name(_EARLIER)
        container = container.renamed(_NEWEST, earlier)
    token_name = container.free_name(_TIMESTAMP)
    manifest = write_manifest(
        token_name, container.everything, digest=digest, signature_type=TIMESTAMP_TYPE,
        root_file=earlier,
    )  # fmt: skip
    token = timestamper.stamp(hashlib.new(digest, manifest).digest(), digest)
    return container.with_file(_NEWEST, manifest).with_file(token_name, token)


def _opened(signed: bytes | Container) -> Container:
    return signed if isinstance(signed, Container) else Container.read(signed)


def _as_given(signed: ContainerT, raised: Container) -> ContainerT:
    if isinstance(signed, Container):
        return raised
    return raised.encode()


def _chosen(container: Container, signer: int) -> Inside:
    signatures = signatures_in(container)
    if not -1 <= signer < len(signatures):
        raise Malformed("asic.no-signature", "there is no such signature")
    return signatures[signer]


def _is_archived(container: Container, signature: Inside) -> bool:
    return any(each.lists(signature.file) for each in archive_manifests(container))


def _check_not_archived(container: Container, signature: Inside) -> None:
    if _is_archived(container, signature):
        raise Conflict("asic.archived", "what an archive timestamp stands for is finished")
