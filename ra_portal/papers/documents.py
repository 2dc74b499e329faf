"""Scanned papers: what is taken, how it is recognised and kept.

The type is read from the bytes, never from what the browser says; a name that claims another type
is refused. What was uploaded is kept as evidence and never shown: officers and applicants look at
pictures of its pages that we made ourselves, without metadata (`page_pictures.py`).
Documents are kept in the database, in the transaction of the application that they belong to: one
backup holds both, several nodes see both, and no document is left over without its application.
"""

import hashlib
import struct
import unicodedata
import zlib
from dataclasses import dataclass
from enum import StrEnum

from kernel.refusals import Malformed, TooLarge, Unprocessable
from ra_portal.fields import FieldReader
from ra_portal.papers.page_pictures import Picture, picture_of, pictures_of_pdf

SMALLEST_LICENCE = 4 * 1024
LARGEST_LICENCE = 5 * 1024 * 1024
"""Bytes. A legible A4 scan lies between 100 KiB and 3 MiB."""

_SHORTEST_EDGE, _LONGEST_EDGE = 400, 12_000
"""Pixels."""
_MOST_PIXELS = 50_000_000

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_PDF = b"%PDF-"
_EXTENSIONS = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "application/pdf": (".pdf",),
}


class DocumentKind(StrEnum):
    LICENCE = "licence"
    """The business licence."""
    ATTORNEY = "attorney"
    """The power of attorney of whoever applies in the legal representative's place."""


@dataclass(frozen=True)
class Upload:
    """A file as it came."""

    content: bytes
    file_name: str


@dataclass(frozen=True)
class Licence:
    """A checked scan, of either kind."""

    media_type: str
    file_name: str
    """Our own name for it: letters of the uploaded one, with the type's extension."""
    content: bytes
    pages: tuple[Picture, ...]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def read_licence(content: bytes, file_name: str) -> Licence:
    """Recognise, check and picture a scanned paper.

    Raises TooLarge `licence.too-large`, Unprocessable `licence.too-small`, `licence.type` (neither
    PNG, JPEG nor PDF), `licence.extension` (its name claims another type), `licence.resolution`,
    `licence.active` (a PDF with scripts, actions, files or forms in it), `licence.encrypted`,
    `licence.pages`, Malformed `licence.damaged` (it begins as its type but is not whole, or
    something else hangs on it).
    """
    if len(content) > LARGEST_LICENCE:
        raise TooLarge(
            "licence.too-large", "the scan is larger than 5 MiB", largest=LARGEST_LICENCE
        )
    media_type = _recognise(content)
    _require_extension(file_name, media_type)
    if media_type == "application/pdf":
        return Licence(media_type, _own_name(file_name, media_type), content, _read_pdf(content))
    _check_edges(*(_read_png(content) if media_type == "image/png" else _read_jpeg(content)))
    if len(content) < SMALLEST_LICENCE:
        raise Unprocessable(
            "licence.too-small", "the scan is too small to be legible", smallest=SMALLEST_LICENCE
        )
    pages = (picture_of(content, media_type),)
    return Licence(media_type, _own_name(file_name, media_type), content, pages)


def read_scan(reader: FieldReader, kind: DocumentKind, upload: Upload | None) -> Licence | None:
    """One of a form's scans; a fault is noted under its kind. None: nothing came."""
    if upload is None or not upload.content:
        return None
    return reader.attempt(str(kind), lambda: read_licence(upload.content, upload.file_name))


def _recognise(content: bytes) -> str:
    for magic, media_type in (
        (_PNG, "image/png"),
        (_JPEG, "image/jpeg"),
        (_PDF, "application/pdf"),
    ):
        if content.startswith(magic):
            return media_type
    raise Unprocessable("licence.type", "the scan must be a PNG, JPEG or PDF file")


def _require_extension(file_name: str, media_type: str) -> None:
    stem, _, last = _base(file_name).rpartition(".")
    extension = f".{last.lower()}"
    if stem.strip(".") and last and extension not in _EXTENSIONS[media_type]:
        raise Unprocessable(
            "licence.extension", "the name says one type of file and the content is another"
        )


def _read_pdf(content: bytes) -> tuple[Picture, ...]:
    """Its pages. What follows the end mark of a PDF belongs to another file that hides in it."""
    end = content.rfind(b"%%EOF")
    if end < 0 or content[end + 5 :].strip(b"\r\n\x00 \t"):
        raise _damaged()
    return pictures_of_pdf(content)


def _read_png(content: bytes) -> tuple[int, int]:
    """Width and height, after walking every chunk to a closing IEND with nothing behind it."""
    position, size = len(_PNG), (0, 0)
    names: list[bytes] = []
    while position < len(content):
        if len(names) > 10_000 or position + 12 > len(content):
            raise _damaged()
        length, name = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        if end > len(content):
            raise _damaged()
        data = content[position + 8 : end - 4]
        if zlib.crc32(name + data) != int.from_bytes(content[end - 4 : end], "big"):
            raise _damaged()
        if not names:
            if name != b"IHDR" or length != 13:
                raise _damaged()
            size = struct.unpack_from(">II", data)
        names.append(name)
        position = end
        if name == b"IEND":
            break
    if position != len(content) or names[-1:] != [b"IEND"] or b"IDAT" not in names:
        raise _damaged()
    return size


def _read_jpeg(content: bytes) -> tuple[int, int]:
    """Width and height from the frame header, after walking the segments up to the scan."""
    if not content.endswith(b"\xff\xd9"):
        raise _damaged()
    position = 2
    size: tuple[int, int] | None = None
    while position + 4 <= len(content):
        if content[position] != 0xFF:
            raise _damaged()
        marker = content[position + 1]
        length = int.from_bytes(content[position + 2 : position + 4], "big")
        if length < 2:
            raise _damaged()
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if length < 8 or position + 9 > len(content):
                raise _damaged()
            height, width = struct.unpack_from(">HH", content, position + 5)
            size = (width, height)
        if marker == 0xDA:
            break
        position += 2 + length
    else:
        raise _damaged()
    if size is None:
        raise _damaged()
    return size


def _check_edges(width: int, height: int) -> None:
    small, large = min(width, height), max(width, height)
    if small < _SHORTEST_EDGE or large > _LONGEST_EDGE or width * height > _MOST_PIXELS:
        raise Unprocessable(
            "licence.resolution",
            "the scan's edges must measure between 400 and 12,000 pixels",
            width=width,
            height=height,
        )


def _own_name(file_name: str, media_type: str) -> str:
    base = _base(file_name)
    stem = base.rpartition(".")[0] if "." in base else base
    kept = "".join(c if c in "-_" or unicodedata.category(c)[0] in "LN" else "_" for c in stem[:80])
    return (kept.strip("_") or "licence") + _EXTENSIONS[media_type][0]


def _base(file_name: str) -> str:
    return file_name.replace("\\", "/").rpartition("/")[2]


def _damaged() -> Malformed:
    return Malformed("licence.damaged", "the scan is damaged or not wholly of its type")
