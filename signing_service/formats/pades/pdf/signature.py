"""Signatures in a PDF (ISO 32000-2, 12.8; EN 319 142-1, 4): which octets they cover."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from kernel.refusals import Malformed
from signing_service.formats.pades.pdf.document import PdfFile, Revision
from signing_service.formats.pades.pdf.form import Field, signature_fields
from signing_service.formats.pades.pdf.syntax import Name, Ref, Scanner, Value
from signing_service.formats.pades.pdf.xref import InFile

MAX_SIGNATURES = 64
CADES_DETACHED = Name("ETSI.CAdES.detached")
PKCS7_DETACHED = Name("adbe.pkcs7.detached")
TIMESTAMP = Name("ETSI.RFC3161")
_SUB_FILTERS = {CADES_DETACHED, PKCS7_DETACHED, TIMESTAMP}
_HOLE = re.compile(rb"<[0-9A-Fa-f]*>")
_OBJECT_HEAD = re.compile(rb"\d+[\0\t\n\f\r ]+\d+[\0\t\n\f\r ]+obj")


@dataclass(frozen=True, slots=True)
class EmbeddedSignature:
    """One signature field's value, its byte range checked."""

    field: Field
    dictionary: Mapping[str, Any]
    hole: tuple[int, int]
    """Where the value of Contents begins and ends, delimiters included."""
    end: int
    """How much of the file is covered, but for the hole."""
    contents: bytes
    """What Contents holds, padding included."""
    revision: Revision
    """The document as it was signed."""

    @property
    def sub_filter(self) -> Value:
        return self.dictionary.get("SubFilter")

    @property
    def is_timestamp(self) -> bool:
        return bool(self.sub_filter == TIMESTAMP)

    @property
    def covered(self) -> bytes:
        """The octets under the signature."""
        data = memoryview(self.revision.file.data)
        return b"".join((data[: self.hole[0]], data[self.hole[1] : self.end]))

    @property
    def certification(self) -> int | None:
        """DocMDP's permissions (12.8.2.2): 1 none, 2 filling in and signing, 3 notes too."""
        for method, parameters in self._transforms():
            if method == Name("DocMDP"):
                permissions = parameters.get("P", 2)
                if type(permissions) is not int or permissions not in {1, 2, 3}:
                    raise Malformed("pades.certification", "no permissions that exist")
                return permissions
        return None

    def locks(self, name: str) -> bool:
        """Whether this signature forbids later changes of the field (12.8.2.4)."""
        for method, parameters in self._transforms():
            if method == Name("FieldMDP") and locked(self.revision, parameters, name):
                return True
        return False

    def _transforms(self) -> list[tuple[Value, dict[str, Any]]]:
        revision = self.revision
        references = map(revision.dictionary, revision.array(self.dictionary.get("Reference")))
        return [
            (each.get("TransformMethod"), revision.dictionary(each.get("TransformParams")))
            for each in references
        ]


def added_after(file: PdfFile, length: int) -> EmbeddedSignature:
    """The one signature that the rest of the file, after `length` octets, adds. Raises Malformed
    `pades.structure` for none or several; and as `read_signatures`."""
    added = [each for each in read_signatures(file) if each.end > length]
    if len(added) != 1 or added[0].end != len(file.data):
        raise Malformed("pades.structure", "not one signature was added")
    return added[0]


def certifies(file: PdfFile, signature: EmbeddedSignature) -> bool:
    """Whether it certifies the document, as the first signature in it: it says so, and the catalog
    does (12.8.2.2, 12.8.6). Raises Malformed `pades.certification` where only one of them does,
    or it is not the first."""
    revision = file.current
    named = revision.dictionary(revision.catalog.get("Perms")).get("DocMDP")
    says = signature.certification is not None
    if says is not bool(named == signature.field.value):
        raise Malformed("pades.certification", "signature and catalog differ over it")
    if says and any(each.end < signature.end for each in read_signatures(file)):
        raise Malformed("pades.certification", "only the first signature can certify")
    return says


def locked(revision: Revision, lock: Mapping[str, Any], name: str) -> bool:
    """Whether a lock (a field's Lock or FieldMDP's parameters) names the field."""
    action = lock.get("Action")
    named = revision.array(lock.get("Fields"))
    listed = any(
        isinstance(each, bytes) and (name == text or name.startswith(f"{text}."))
        for each in named
        for text in (each.decode("utf-16") if each[:2] == b"\xfe\xff" else each.decode("latin-1"),)
    )
    return (
        action == Name("All")
        or (action == Name("Include") and listed)
        or (action == Name("Exclude") and not listed)
    )


def read_signatures(file: PdfFile) -> list[EmbeddedSignature]:
    """Every signature and document timestamp, in the order in which they were made.

    Raises Malformed `pades.byte-range`, `pades.sub-filter`, `pades.too-many`, `pdf.*`.
    """
    found = signature_fields(file.current)
    if len(found) > MAX_SIGNATURES:
        raise Malformed("pades.too-many", "at most {most} signatures", most=MAX_SIGNATURES)
    signatures = [_read(file, field) for field in found]
    signatures.sort(key=lambda signature: signature.end)
    holes = [signature.hole for signature in signatures]
    if len(set(holes)) != len(holes):
        raise Malformed("pades.byte-range", "two fields share one signature")
    return signatures


def _read(file: PdfFile, field: Field) -> EmbeddedSignature:
    reference = field.value
    entry = file.current.entry(reference.number) if isinstance(reference, Ref) else None
    if not isinstance(entry, InFile):
        raise Malformed("pades.byte-range", "a signature that is no object of its own")
    dictionary = file.current.dictionary(reference)
    if dictionary.get("SubFilter") not in _SUB_FILTERS:
        shown = f"{dictionary.get('SubFilter')!s:.40}"
        raise Malformed("pades.sub-filter", "a kind of signature that is not read here", kind=shown)
    start, end = _hole(file, entry.offset)
    first, before, second, after = _byte_range(dictionary.get("ByteRange"))
    if (first, before, second) != (0, start, end) or after <= 0 or end + after > len(file.data):
        raise Malformed(
            "pades.byte-range", "the byte range is not everything but the signature's own value"
        )
    if _HOLE.fullmatch(file.data, start, end) is None:
        raise Malformed("pades.byte-range", "the signature's value is not hexadecimal alone")
    revision = file.revision(end + after)
    if entry.offset > start or revision.entry(reference.number) != entry:
        raise Malformed("pades.byte-range", "the signature is not in the revision that it covers")
    return EmbeddedSignature(
        field, MappingProxyType(dictionary), (start, end), end + after, dictionary["Contents"],
        revision,
    )  # fmt: skip


def _hole(file: PdfFile, offset: int) -> tuple[int, int]:
    """Where the signature dictionary has its Contents."""
    head = _OBJECT_HEAD.match(file.data, offset)
    assert head is not None  # the object was read before
    scanner = Scanner(file.data, head.end())
    scanner.value()
    if scanner.contents is None:
        raise Malformed("pades.byte-range", "a signature without its value")
    return scanner.contents


def _byte_range(value: Value) -> list[int]:
    if not isinstance(value, list) or len(value) != 4 or any(type(n) is not int for n in value):
        raise Malformed("pades.byte-range", "the byte range is not two ranges of octets")
    return value
