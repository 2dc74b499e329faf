"""What a signature says in a PDF's own words: reason, place, contact, and what is seen of it.

None of it is in the signed attributes, but all of it is under the signature; so a holder's program
reads it from the draft, shows it or compares it with what was wanted, and refuses what it does not
know.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed
from signing_service.formats.pades.pdf.document import PdfFile
from signing_service.formats.pades.pdf.locks import Lock, lock_as_shown
from signing_service.formats.pades.pdf.signature import (
    CADES_DETACHED,
    EmbeddedSignature,
    added_after,
    certifies,
)
from signing_service.formats.pades.pdf.syntax import Name

_TOLD = frozenset({"Reason", "Location", "ContactInfo"})
_KNOWN = _TOLD | {
    "Type", "Filter", "SubFilter", "M", "Name", "Reference", "ByteRange", "Contents",
}  # fmt: skip
_FIXED = {"Type": Name("Sig"), "Filter": Name("Adobe.PPKLite"), "SubFilter": CADES_DETACHED}
_WIDGET = frozenset({"Type", "Subtype", "FT", "T", "V", "P", "Rect", "F", "AP"})
_NEW_NAME = re.compile(r"Signature\d{1,6}")
_POINT = 0.5
_DATE = re.compile(rb"D:\d{14}(Z|[+-]\d\d'\d\d'?)?")


class WantedSeal(Protocol):
    """As `pdf.seal.Seal`, without what draws it: a holder's program reads, and draws nothing."""

    @property
    def page(self) -> int: ...

    @property
    def rectangle(self) -> tuple[float, float, float, float]: ...


class Wanted(Protocol):
    """As `writing.Placement`."""

    @property
    def field(self) -> str | None: ...

    @property
    def seal(self) -> WantedSeal | None: ...

    @property
    def reason(self) -> str | None: ...

    @property
    def location(self) -> str | None: ...

    @property
    def contact(self) -> str | None: ...

    @property
    def certification(self) -> int | None: ...


@dataclass(frozen=True)
class Seal:
    """Where a signature is seen."""

    page: int
    """From 1."""
    pages: int
    rectangle: tuple[float, float, float, float]
    """Left, bottom, right, top, in points."""


@dataclass(frozen=True)
class SaidInPdf:
    """Everything but the document and the signed attributes."""

    field: str
    reason: str | None = None
    location: str | None = None
    contact: str | None = None
    seal: Seal | None = None
    certification: int | None = None
    """It certifies the document, and permits this of DocMDP (ISO 32000-2, 12.8.2.2)."""
    lock: Lock | None = None
    """What it locks: as the document says of the field."""

    def is_as(self, wanted: Wanted, field: str | None) -> bool:
        """Whether it says what was wanted, in the `field` that was there before (None: in a new
        one), and is seen there. What the seal itself shows is not compared."""
        texts = (self.reason, self.location, self.contact, self.certification, field)
        return texts == (
            wanted.reason, wanted.location, wanted.contact, wanted.certification, wanted.field,
        ) and self._is_seen_as(wanted, is_new=field is None)  # fmt: skip

    def _is_seen_as(self, wanted: Wanted, *, is_new: bool) -> bool:
        if not is_new:  # a field of the document's has its own place
            return True
        if self.seal is None or wanted.seal is None:
            return self.seal is None and wanted.seal is None
        page = wanted.seal.page % self.seal.pages + 1
        return self.seal.page == page and all(
            abs(one - other) < _POINT
            for one, other in zip(self.seal.rectangle, wanted.seal.rectangle, strict=True)
        )


def said_in_pdf(document: bytes, draft: bytes, certificate: Certificate) -> SaidInPdf:
    """Of the signature that the draft adds to the document.

    Raises Malformed `pades.*`, `pdf.*` for anything that this cannot tell.
    """
    file = PdfFile(draft)
    signature = added_after(file, len(document))
    certified = certifies(file, signature)
    dictionary = signature.dictionary
    _check_dictionary(dictionary, certificate)
    lock = lock_as_shown(signature, file.revision(len(document)))
    is_new = _is_new(file, len(document), signature)
    if is_new and not signature.field.dictionary.keys() <= _WIDGET:
        raise _unknown("a signature field")
    name = signature.field.name
    return SaidInPdf(
        name,
        _text(dictionary, "Reason"),
        _text(dictionary, "Location"),
        _text(dictionary, "ContactInfo"),
        _seal(signature),
        signature.certification if certified else None,
        lock,
    )


def is_usual(name: str) -> bool:
    """Whether a field's name says nothing."""
    return _NEW_NAME.fullmatch(name) is not None


def _check_dictionary(dictionary: Mapping[str, Any], certificate: Certificate) -> None:
    if not dictionary.keys() <= _KNOWN:
        raise _unknown(", ".join(sorted(dictionary.keys() - _KNOWN))[:80])
    if any(dictionary.get(key) != value for key, value in _FIXED.items()):
        raise _unknown("a kind of signature")
    at = dictionary.get("M")
    if not isinstance(at, bytes) or _DATE.fullmatch(at) is None:
        raise _unknown("a time")
    if "Name" in dictionary and _text(dictionary, "Name") != certificate.attribute("2.5.4.3"):
        raise _unknown("another signer's name")


def _is_new(file: PdfFile, length: int, signature: EmbeddedSignature) -> bool:
    """Whether the field was not in the document before."""
    old = file.revision(length)
    number = signature.field.reference.number
    return number >= old.size or old.get(signature.field.reference) is None


def _seal(signature: EmbeddedSignature) -> Seal | None:
    revision, field = signature.revision, signature.field
    corners = revision.array(field.dictionary.get("Rect"))
    if len(corners) != 4 or not all(isinstance(each, int | float) for each in corners):
        raise _unknown("a place on the page")
    first, second, third, fourth = map(float, corners)
    left, right = sorted((first, third))
    bottom, top = sorted((second, fourth))
    if right == left or top == bottom:
        return None
    pages = list(revision.pages())
    for number, page in enumerate(pages, 1):
        if field.reference in revision.array(revision.dictionary(page).get("Annots")):
            return Seal(number, len(pages), (left, bottom, right, top))
    raise _unknown("a seal on no page")


def _text(dictionary: Mapping[str, Any], key: str) -> str | None:
    """A text string (ISO 32000-2, 7.9.2.2). What PDFDocEncoding has beyond ASCII is refused."""
    value = dictionary.get(key)
    if value is None:
        return None
    try:
        if not isinstance(value, bytes):
            raise _unknown(key)
        if value[:2] == b"\xfe\xff":
            return value[2:].decode("utf-16-be")
        if value[:3] == b"\xef\xbb\xbf":
            return value[3:].decode("utf-8")
        return value.decode("ascii")
    except ValueError:
        raise _unknown(f"a text that cannot be read: {key}") from None


def _unknown(what: str) -> Malformed:
    return Malformed("pades.unknown", "cannot be shown to the holder: {what}", what=what)
