"""PAdES signatures made (EN 319 142-1, 5 and 6): one incremental update with a hole in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import Any

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from kernel.refusals import Conflict, Forbidden, Malformed, TooLarge, Unprocessable
from signing_service.formats.cades import whole as cades
from signing_service.formats.cades.attributes import without_signing_time
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.pades.pdf.document import PdfFile, Revision
from signing_service.formats.pades.pdf.form import Field, fields, form_of
from signing_service.formats.pades.pdf.seal import Seal, appearance
from signing_service.formats.pades.pdf.signature import (
    CADES_DETACHED,
    TIMESTAMP,
    EmbeddedSignature,
    read_signatures,
)
from signing_service.formats.pades.pdf.syntax import Name, Raw, Ref, Value, text_string, write
from signing_service.formats.pades.pdf.update import Update, date
from signing_service.formats.pades.reading import Octets
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES, PreparedSignature
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import Packaging, SignatureFormat

TIMESTAMP_BYTES = 8 * 1024
"""Room that is kept for a signature timestamp, unless the caller says otherwise."""
_CMS_BYTES = 1024
_MAX_TEXT = 512
_PLACE_BYTES = 4
_RANGE_DIGITS = 10
_HIDDEN_AND_LOCKED = 4 | 128
"""Annotation flags Print and Locked (12.5.3)."""
_SIGNATURES_EXIST_APPEND_ONLY = 3
_ESIC = {"BaseVersion": Name("1.7"), "ExtensionLevel": 2}
"""EN 319 142-1, 5.4.2.1: the developer extension that names DSS and ETSI's signatures."""


class Certification(IntEnum):
    """What a certified document permits afterwards (DocMDP, ISO 32000-2, 12.8.2.2)."""

    NO_CHANGES = 1
    FILLING_IN = 2


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a signature goes and what it says in the PDF's own words."""

    field: str | None = None
    """An empty signature field, by its full name; None for a new one."""
    seal: Seal | None = None
    """What is seen of it; None for an invisible signature."""
    reason: str | None = None
    location: str | None = None
    contact: str | None = None
    certification: Certification | None = None
    """With it the signature certifies the document; it must be the first."""

    def __post_init__(self) -> None:
        for text in (self.reason, self.location, self.contact):
            if text is not None and not (1 <= len(text) <= _MAX_TEXT and text.isprintable()):
                raise Unprocessable(
                    "pades.text", "1 to {most} printable characters", most=_MAX_TEXT
                )


INVISIBLE = Placement()


def prepare(
    document: bytes,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    suite: AlgorithmSuite | None = None,
    claims: Claims = NO_CLAIMS,
    placement: Placement = INVISIBLE,
    room: int = TIMESTAMP_BYTES,
) -> PreparedSignature:
    """First step: the PDF with a hole for the signature, and the signed attributes over it.

    `signing_time` is the claimed time (M); `room` is how many octets are kept for a timestamp.
    Raises TooLarge `document.too-large`; Malformed `pdf.*`, `pades.*`; Unprocessable
    `pdf.encrypted`, `pades.no-field`, `pades.text`, `seal.*`, `algorithm.unfit`; Conflict
    `pades.field-signed`, `pades.not-first`; Forbidden `pades.certified`, `pades.locked`.
    """
    file = PdfFile(document)
    revision = file.current
    signatures = read_signatures(file)
    field = _chosen_field(revision, placement.field)
    _check_permitted(signatures, field, placement)
    update = Update(revision)
    signature: dict[str, Any] = {
        "Type": Name("Sig"),
        "Filter": Name("Adobe.PPKLite"),
        "SubFilter": CADES_DETACHED,
        "M": date(signing_time),
    }
    if name := certificate.attribute("2.5.4.3"):
        signature["Name"] = text_string(name)
    for key, text in (
        ("Reason", placement.reason),
        ("Location", placement.location),
        ("ContactInfo", placement.contact),
    ):
        if text is not None:
            signature[key] = text_string(text)
    reference = update.reserve()
    _certify(update, signature, reference, field, placement.certification)
    embedded = sum(len(each.der) for each in (certificate, *chain))
    body, hole = write_signature(
        update, reference, signature, embedded + _CMS_BYTES + room, field, placement.seal
    )
    suite = suite or certificate.public_key.default_suite()
    digest = Octets(body, hole, len(body)).digest(suite.digest)
    prepared = prepare_contents(
        digest, certificate, signing_time, chain=chain, suite=suite, claims=claims
    )
    place = hole[0].to_bytes(_PLACE_BYTES, "big") + hole[1].to_bytes(_PLACE_BYTES, "big")
    return replace(
        prepared,
        format=SignatureFormat.PADES,
        packaging=Packaging.ENVELOPED,
        body=place + body,
    )


def prepare_contents(
    digest: bytes | None,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    suite: AlgorithmSuite | None = None,
    claims: Claims = NO_CLAIMS,
) -> PreparedSignature:
    """First step where somebody else holds the PDF and made its hole: over the digest of its byte
    range under the suite. What comes of it is the CMS for the signature dictionary's Contents
    (EN 319 142-1, 6.3). Raises as `cades.prepare`."""
    prepared = cades.prepare(
        None, certificate, signing_time, chain=chain, digest=digest, suite=suite, claims=claims
    )
    return replace(prepared, to_be_signed=without_signing_time(prepared.to_be_signed))


def assemble(
    prepared: PreparedSignature, signature_value: bytes, timestamper: Timestamper | None = None
) -> bytes:
    """Last step: the signed PDF, B-B, or B-T with a `timestamper`.

    The value has the X.509 shape. Raises Unprocessable `signature.mismatch`, `pades.no-room`;
    and as `Timestamper.stamp`.
    """
    if prepared.format is not SignatureFormat.PADES:
        raise Malformed("prepared.malformed", "prepared for another format")
    start = int.from_bytes(prepared.body[:_PLACE_BYTES], "big")
    end = int.from_bytes(prepared.body[_PLACE_BYTES : 2 * _PLACE_BYTES], "big")
    pdf = prepared.body[2 * _PLACE_BYTES :]
    as_cades = replace(
        prepared, format=SignatureFormat.CADES, packaging=Packaging.DETACHED, body=b""
    )
    signed = cades.assemble(as_cades, signature_value)
    if timestamper is not None:
        signed = cades.add_signature_timestamp(signed, timestamper, digest=prepared.suite.digest)
    return fill(pdf, (start, end), signed)


def update_of(prepared: PreparedSignature, document: bytes) -> bytes:
    """The hole (start and end in the file, 4 octets each) and what was appended to the document:
    all that somebody who has the document needs to see what will be signed."""
    return prepared.body[: 2 * _PLACE_BYTES] + prepared.body[2 * _PLACE_BYTES + len(document) :]


def sign(
    document: bytes,
    key: KeyHandle,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    claims: Claims = NO_CLAIMS,
    placement: Placement = INVISIBLE,
    timestamper: Timestamper | None = None,
) -> bytes:
    """All three steps with a key at hand: B-B, or B-T with a `timestamper`.

    Raises as `prepare`, `KeyHandle.sign`, `assemble`.
    """
    prepared = prepare(
        document, certificate, signing_time,
        chain=chain, suite=key.suite, claims=claims, placement=placement,
    )  # fmt: skip
    return assemble(prepared, key.sign(prepared.to_be_signed), timestamper)


def fill(pdf: bytes, hole: tuple[int, int], value: bytes) -> bytes:
    """The signature's value into the hole, padded. Raises Unprocessable `pades.no-room`."""
    start, end = hole
    room = end - start - 2
    if not (0 < start < end <= len(pdf)) or room < 2 * len(value):
        raise Unprocessable("pades.no-room", "the signature does not fit into its place")
    digits = value.hex().encode().ljust(room, b"0")
    return b"".join((pdf[: start + 1], digits, pdf[end - 1 :]))


def write_timestamp_field(revision: Revision, room: int) -> tuple[bytes, tuple[int, int]]:
    """The file with an empty document timestamp (5.4.3) and where its value goes."""
    update = Update(revision)
    stamp = {"Type": Name("DocTimeStamp"), "Filter": Name("Adobe.PPKLite"), "SubFilter": TIMESTAMP}
    return write_signature(update, update.reserve(), stamp, room, None, None)


def write_signature(
    update: Update,
    reference: Ref,
    signature: dict[str, Any],
    room: int,
    field: Field | None,
    seal: Seal | None,
) -> tuple[bytes, tuple[int, int]]:
    """The whole file with the update, and its hole of `room` octets; the byte range is set."""
    _put_field(update, reference, field, seal)
    notation = write(signature)[:-2]
    blank = b" ".join([b"0".rjust(_RANGE_DIGITS)] * 3)
    before_contents = notation + b" /ByteRange [0 " + blank + b"] /Contents "
    update.put(reference, Raw(before_contents + b"<" + b"0" * (2 * room) + b">>>"))
    appended = update.to_bytes()
    old = update.revision.file.data
    start = update.offsets[reference] + len(before_contents)
    end = start + 2 * room + 2
    total = len(old) + len(appended)
    if total > MAX_DOCUMENT_BYTES:
        raise TooLarge("document.too-large", "the signed document would be too large")
    numbers = (start, end, total - end)
    ranges = b" ".join(str(number).rjust(_RANGE_DIGITS).encode() for number in numbers)
    at = start - len(b"] /Contents ") - len(blank) - len(old)
    body = b"".join((old, appended[:at], ranges, appended[at + len(blank) :]))
    return body, (start, end)


def _chosen_field(revision: Revision, name: str | None) -> Field | None:
    if name is None:
        return None
    for field in fields(revision):
        if field.name == name and field.is_signature:
            if field.value is not None:
                raise Conflict("pades.field-signed", "this field is signed already", field=name)
            if field.widgets != (field.reference,):
                break
            return field
    raise Unprocessable("pades.no-field", "there is no such empty signature field", field=name)


def _check_permitted(
    signatures: Sequence[EmbeddedSignature], field: Field | None, placement: Placement
) -> None:
    """A signature must not break those before it."""
    if placement.certification is not None and signatures:
        raise Conflict("pades.not-first", "only the first signature can certify a document")
    for each in signatures:
        if each.is_timestamp:
            continue
        certification = each.certification
        is_new_seal = placement.seal is not None and field is None
        if certification == 1 or (certification is not None and is_new_seal):
            raise Forbidden(
                "pades.certified", "the document's certification does not allow this signature"
            )
        if field is not None and each.locks(field.name):
            raise Forbidden("pades.locked", "an earlier signature locked this field")


def _certify(
    update: Update,
    signature: dict[str, Any],
    reference: Ref,
    field: Field | None,
    certification: Certification | None,
) -> None:
    """DocMDP into the signature and the catalog; a field's own Lock into the signature."""
    revision = update.revision
    transforms = []
    if certification is not None:
        parameters: dict[str, Any] = {
            "Type": Name("TransformParams"), "P": int(certification), "V": Name("1.2"),
        }  # fmt: skip
        transforms.append(("DocMDP", parameters))
        permitted = {**revision.dictionary(revision.catalog.get("Perms")), "DocMDP": reference}
        update.put(revision.root, {**update.get(revision.root), "Perms": permitted})
    lock = revision.dictionary(field.dictionary.get("Lock")) if field is not None else {}
    if field is not None and lock:
        kept: dict[str, Any] = {
            key: revision.get(lock[key]) for key in ("Action", "Fields") if key in lock
        }
        transforms.append(("FieldMDP", {"Type": Name("TransformParams"), "V": Name("1.2"), **kept}))
    if transforms:
        signature["Reference"] = [
            {"Type": Name("SigRef"), "TransformMethod": Name(method), "TransformParams": given}
            for method, given in transforms
        ]


def _put_field(update: Update, signature: Ref, field: Field | None, seal: Seal | None) -> None:
    revision = update.revision
    if field is not None:
        widget = {**field.dictionary, "V": signature}
        if seal is not None:
            corners = revision.array(field.dictionary.get("Rect"))
            widget["AP"] = {"N": appearance(update, seal, corners)}
        update.put(field.reference, widget)
        _put_form(update, None)
        return
    page = revision.page(seal.page if seal is not None else 0)
    rectangle = list(seal.rectangle) if seal is not None else [0, 0, 0, 0]
    widget = {
        "Type": Name("Annot"), "Subtype": Name("Widget"), "FT": Name("Sig"),
        "T": text_string(_free_name(revision)), "V": signature, "P": page,
        "Rect": rectangle, "F": _HIDDEN_AND_LOCKED,
    }  # fmt: skip
    if seal is not None:
        widget["AP"] = {"N": appearance(update, seal, rectangle)}
    reference = update.add(widget)
    dictionary = revision.dictionary(page)
    annotations: Value = [*revision.array(dictionary.get("Annots")), reference]
    update.edit(dictionary, page, "Annots", annotations)
    _put_form(update, reference)


def _put_form(update: Update, new_field: Ref | None) -> None:
    """The form with the new field, and the mark that signatures exist; extensions named."""
    revision = update.revision
    form = dict(form_of(revision))
    form["SigFlags"] = _SIGNATURES_EXIST_APPEND_ONLY
    if new_field is not None:
        every = [*revision.array(form.get("Fields")), new_field]
        if update.is_place(form.get("Fields")):
            update.put(form["Fields"], every)
        else:
            form["Fields"] = every
    catalog = dict(update.get(revision.root))
    if update.is_place(catalog.get("AcroForm")):
        update.put(catalog["AcroForm"], form)
    else:
        catalog["AcroForm"] = form
    extensions = dict(revision.dictionary(catalog.get("Extensions")))
    if "ESIC" not in extensions and revision.file.version < (2, 0):
        catalog["Extensions"] = {**extensions, "ESIC": _ESIC}
    if catalog != revision.catalog:
        update.put(revision.root, catalog)


def _free_name(revision: Revision) -> str:
    taken = {field.name for field in fields(revision)}
    number = len(taken) + 1
    while f"Signature{number}" in taken:
        number += 1
    return f"Signature{number}"
