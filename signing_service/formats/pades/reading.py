"""PAdES signatures read (EN 319 142-1): evidence of each, with what came after it judged."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property
from re import compile as regex
from typing import NamedTuple, TypeVar

from kernel.algorithms import DIGEST_OIDS
from kernel.asn1 import ber
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal
from signing_service.formats.cades import whole as cades
from signing_service.formats.pades.pdf.changes import Permissions, judge
from signing_service.formats.pades.pdf.document import PdfFile
from signing_service.formats.pades.pdf.signature import (
    CADES_DETACHED,
    EmbeddedSignature,
    read_signatures,
)
from signing_service.formats.pades.store import Store, read_store
from signing_service.formats.validation_material import basic_response
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    TimestampEvidence,
    TimestampKind,
)

_DATE = regex(
    rb"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:Z(?:00'?00'?)?|([+-])(\d\d)'?(?:(\d\d)'?)?)?"
)

_MOST_TRAILING_ZEROS = 24
_Item = TypeVar("_Item")


def read(pdf: bytes, *, known: Sequence[Certificate] = ()) -> list[SignatureEvidence]:
    """Every signature's evidence, in the order in which they were made.

    Document timestamps are not signatures of their own: each stands as a timestamp beside every
    signature that it covers. A signature whose document was changed afterwards, beyond what it
    permits, does not cover the document; the observations say why. Raises TooLarge
    `document.too-large`; Unprocessable `pdf.encrypted`; Malformed `pdf.*`, `pades.*`, `cms.*`.
    """
    return Reading(PdfFile(pdf), known).evidence()


class Octets(NamedTuple):
    """What a byte range covers, digested without being copied."""

    data: bytes
    hole: tuple[int, int]
    end: int

    def digest(self, name: str) -> bytes | None:
        if name not in DIGEST_OIDS or name not in hashlib.algorithms_available:
            return None
        view = memoryview(self.data)
        running = hashlib.new(name, view[: self.hole[0]])
        running.update(view[self.hole[1] : self.end])
        return running.digest()


class Reading:
    """One file being read."""

    def __init__(self, file: PdfFile, known: Sequence[Certificate] = ()) -> None:
        self.file = file
        found = read_signatures(file)
        self.signatures = [each for each in found if not each.is_timestamp]
        self.timestamps = [each for each in found if each.is_timestamp]
        self._basic: dict[tuple[int, int], SignatureEvidence] = {}
        self.store = read_store(file.current)
        self._given = known

    @cached_property
    def known(self) -> tuple[Certificate, ...]:
        """The given certificates and those in the document security store."""
        return (*self.store.certificates, *self._given)

    def evidence(self) -> list[SignatureEvidence]:
        return [self._evidence(signature) for signature in self.signatures]

    def basic(self, signature: EmbeddedSignature) -> SignatureEvidence:
        """One signature's CMS, before the rest of the file is looked at."""
        if signature.hole not in self._basic:
            self._basic[signature.hole] = self._read_basic(signature)
        return self._basic[signature.hole]

    def _read_basic(self, signature: EmbeddedSignature) -> SignatureEvidence:
        signed = cms_of(signature)
        covered = Octets(self.file.data, signature.hole, signature.end)
        found = cades.read(signed, covered, known=self.known)
        if len(found) != 1:
            raise Malformed("pades.signers", "a signature in a PDF has one signer")
        if found[0].packaging is not Packaging.DETACHED:
            raise Malformed("pades.content", "a signature in a PDF holds no content of its own")
        return found[0]

    def _evidence(self, signature: EmbeddedSignature) -> SignatureEvidence:
        basic = self.basic(signature)
        changes = judge(signature.revision, self._permissions(signature))
        following = [each for each in self.timestamps if each.end > signature.end]
        timestamps, unreadable = self._document_timestamps(following)
        is_pades = basic.format is SignatureFormat.CADES and signature.sub_filter == CADES_DETACHED
        store = self.store
        return basic._replace(
            format=SignatureFormat.PADES if is_pades else SignatureFormat.CMS,
            packaging=Packaging.ENVELOPED,
            covers_document=not changes.refused,
            embedded_certificates=_unique(basic.embedded_certificates, store.certificates),
            embedded_crls=_unique(basic.embedded_crls, store.crls),
            embedded_ocsp=_unique(basic.embedded_ocsp, store.ocsp),
            claimed_signing_time=basic.claimed_signing_time or read_date(signature),
            timestamps=basic.timestamps + timestamps,
            observations=(
                *basic.observations, *changes.refused, *changes.notes, *unreadable,
                *store.observations,
            ),
        )  # fmt: skip

    def _permissions(self, signature: EmbeddedSignature) -> Permissions:
        """What the certification, this signature and those before it permit."""
        before = [each for each in self.signatures if each.end <= signature.end]
        certification = None
        for each in before:
            declared = each.certification
            if declared is not None:
                permitted = self.file.current.dictionary(self.file.current.catalog.get("Perms"))
                if each is not before[0] or permitted.get("DocMDP") != each.field.value:
                    raise Malformed(
                        "pades.certification", "a certification that is not the first signature"
                    )
                certification = declared
        if signature is self.signatures[0] and certification is None:
            self._require_no_certification()
        return Permissions(certification, lambda name: any(each.locks(name) for each in before))

    def _require_no_certification(self) -> None:
        catalog = self.file.current.catalog
        if "DocMDP" in self.file.current.dictionary(catalog.get("Perms")):
            raise Malformed("pades.certification", "the certification is no signature's")

    def _document_timestamps(
        self, following: list[EmbeddedSignature]
    ) -> tuple[tuple[TimestampEvidence, ...], tuple[str, ...]]:
        timestamps, unreadable = [], []
        for stamp in following:
            try:
                timestamps.append(self._document_timestamp(stamp))
            except Refusal as refusal:
                unreadable.append(f"a document timestamp cannot be read ({refusal.code})")
        return tuple(timestamps), tuple(unreadable)

    def _document_timestamp(self, stamp: EmbeddedSignature) -> TimestampEvidence:
        """A document timestamp is archival where validation data lie under it (6.2, B-LTA);
        otherwise it proves that the signature existed, as a signature timestamp does (B-T)."""
        covered = Octets(self.file.data, stamp.hole, stamp.end)
        under = read_store(stamp.revision)
        kind = TimestampKind.ARCHIVE if under.crls or under.ocsp else TimestampKind.SIGNATURE
        read = read_timestamp(cms_of(stamp), kind, covered, known=self.known)
        return read._replace(covers=self._covered_objects(stamp, under))

    def _covered_objects(self, stamp: EmbeddedSignature, store: Store) -> frozenset[bytes]:
        """All that lies in the revision under a document timestamp."""
        objects = [*store.crls, *store.ocsp, *map(basic_response, store.ocsp)]
        objects += [each.der for each in store.certificates]
        for signature in self.signatures:
            if signature.end < stamp.end:
                basic = self.basic(signature)
                objects += [basic.signature_value, *basic.embedded_crls, *basic.embedded_ocsp]
                objects += [each.der for each in basic.embedded_certificates]
                objects += [each.token for each in basic.timestamps]
        objects += [cms_of(each) for each in self.timestamps if each.end < stamp.end]
        return frozenset(hashlib.sha256(each).digest() for each in objects)


def cms_of(signature: EmbeddedSignature) -> bytes:
    """The ContentInfo in Contents, without its padding. Raises Malformed `pades.contents`."""
    contents = signature.contents
    try:
        if contents[1:2] == b"\x80":
            return _definite(contents.rstrip(b"\0"))
        element = _outer(contents)
    except Malformed:
        raise Malformed("pades.contents", "the signature's value is no CMS") from None
    if contents[element:].strip(b"\0"):
        raise Malformed("pades.contents", "something else stands behind the signature's value")
    return contents[:element]


def _definite(stripped: bytes) -> bytes:
    """BER of indefinite length ends with zeros of its own, which look like padding."""
    for zeros in range(1, _MOST_TRAILING_ZEROS):
        try:
            return ber.to_definite(stripped + bytes(zeros))
        except Malformed as refusal:
            if refusal.code != "ber.malformed":
                raise
    raise Malformed("ber.malformed", "an element without its end")


def _outer(contents: bytes) -> int:
    """Where the outermost element ends, its length in DER or in BER's longer forms."""
    if contents[:1] != b"\x30" or len(contents) < 6:
        raise Malformed("der.malformed", "no sequence")
    size, position = contents[1], 2
    if size & 0x80:
        count = size & 0x7F
        position += count
        size = int.from_bytes(contents[2:position], "big")
    if position + size > len(contents):
        raise Malformed("der.malformed", "an element longer than the data")
    return position + size


def read_date(signature: EmbeddedSignature) -> datetime | None:
    """The claimed signing time M (ISO 32000-2, 7.9.4); None where there is none."""
    value = signature.revision.get(signature.dictionary.get("M"))
    match = _DATE.fullmatch(value) if isinstance(value, bytes) else None
    if match is None:
        return None
    year, month, day, hour, minute, second, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        zone = timezone(-offset if sign == b"-" else offset)
        parts = (int(year), int(month or 1), int(day or 1))
        at = datetime(*parts, int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _unique(first: tuple[_Item, ...], second: tuple[_Item, ...]) -> tuple[_Item, ...]:
    return tuple(dict.fromkeys((*first, *second)))
