"""PAdES from level to level (EN 319 142-1, 6): our own signatures and strangers' alike."""

from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.formats.cades import whole as cades
from signing_service.formats.document import Document
from signing_service.formats.pades.pdf.document import PdfFile
from signing_service.formats.pades.pdf.signature import EmbeddedSignature, read_signatures
from signing_service.formats.pades.pdf.update import Update
from signing_service.formats.pades.reading import Octets, cms_of
from signing_service.formats.pades.store import grow_store
from signing_service.formats.pades.writing import fill, write_timestamp_field
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.timestamping.client import Timestamper

_FIRST_ROOM = 12 * 1024
"""Octets for a document timestamp's token; a larger one is asked for again, with more room."""
_ATTEMPTS = 2


def add_signature_timestamp(
    signed: bytes, timestamper: Timestamper, *, signer: int = 0, digest: str = "sha256"
) -> bytes:
    """B-B to B-T: a timestamp over the signature value, in the signature (EN 319 142-1, 6.3).

    Where the signature has no room left, or something was built upon it, a document timestamp
    serves instead. `signer` counts the signatures as `read` gives them. Raises Malformed
    `pades.no-signature`, `pdf.*`, `pades.*`, `cms.*`; and as `Timestamper.stamp`.
    """
    file = PdfFile(signed)
    chosen = _chosen(file, signer)
    if chosen.revision.sections[0].offset != file.current.sections[0].offset:
        return add_archive_timestamp(signed, timestamper, digest=digest)
    stamped = cades.add_signature_timestamp(cms_of(chosen), timestamper, digest=digest)
    if 2 * len(stamped) > chosen.hole[1] - chosen.hole[0] - 2:
        return add_archive_timestamp(signed, timestamper, digest=digest)
    return fill(signed, chosen.hole, stamped)


def add_validation_material(
    signed: bytes, material: ValidationMaterial, *, signer: int = 0
) -> bytes:
    """B-T to B-LT: what is not there yet into the document security store (5.4.2), named as
    this signature's. Raises Malformed `pades.no-signature`, `ocsp.malformed`, `pdf.*`."""
    file = PdfFile(signed)
    update = Update(file.current)
    if not grow_store(update, _chosen(file, signer), material):
        return signed
    return _limited(signed + update.to_bytes())


def add_archive_timestamp(
    signed: bytes,
    timestamper: Timestamper,
    *,
    document: Document | None = None,
    signer: int = 0,
    digest: str = "sha256",
) -> bytes:
    """B-LT to B-LTA, or its renewal: a document timestamp (5.4.3) over the whole file.

    It covers every signature at once, so `signer` only has to exist; `document` is the file
    itself. Raises Malformed `pades.no-signature`, `pdf.*`; Unprocessable `algorithm.unknown`;
    and as `Timestamper.stamp`.
    """
    file = PdfFile(signed)
    _chosen(file, signer)
    room = _FIRST_ROOM
    for _ in range(_ATTEMPTS):
        body, hole = write_timestamp_field(file.current, room)
        imprint = Octets(body, hole, len(body)).digest(digest)
        if imprint is None:
            raise Unprocessable("algorithm.unknown", "no such digest", name=digest)
        token = timestamper.stamp(imprint, digest)
        if len(token) <= room:
            return fill(body, hole, token)
        room = len(token) + 1024
    raise Unprocessable("pades.no-room", "the timestamp grows faster than its place")


def _chosen(file: PdfFile, signer: int) -> EmbeddedSignature:
    signatures = [each for each in read_signatures(file) if not each.is_timestamp]
    if not 0 <= signer < len(signatures):
        raise Malformed("pades.no-signature", "there is no such signature")
    return signatures[signer]


def _limited(pdf: bytes) -> bytes:
    if len(pdf) > MAX_DOCUMENT_BYTES:
        raise TooLarge("document.too-large", "the signed document would be too large")
    return pdf
