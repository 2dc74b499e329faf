"""Scanned licences: what is taken, how it is recognised and kept.

The type is read from the bytes, never from the name or from what the browser says. Documents
are kept in the database, in the transaction of the application that they belong to: one backup
holds both, several nodes see both, and a document without an application cannot be left over.
"""

import hashlib
import struct
import unicodedata
import zlib
from dataclasses import dataclass

from kernel.refusals import Malformed, TooLarge, Unprocessable

SMALLEST_LICENCE = 4 * 1024
LARGEST_LICENCE = 5 * 1024 * 1024
"""Bytes. A legible A4 scan lies between 100 KiB and 3 MiB."""

_SHORTEST_EDGE, _LONGEST_EDGE = 400, 12_000
"""Pixels."""

_PNG = b"\x89PNG\r\n\x1a\n"
_EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg"}


@dataclass(frozen=True)
class Licence:
    """A checked scan."""

    media_type: str
    file_name: str
    """Our own name for it: letters of the uploaded one, with the type's extension."""
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def read_licence(content: bytes, file_name: str) -> Licence:
    """Recognise and check a scanned licence.

    A PDF is refused: it can carry scripts and files, and telling a plain one needs a whole reader.
    Raises TooLarge `licence.too-large`, Unprocessable `licence.too-small`, `licence.type`
    (neither PNG nor JPEG), `licence.resolution`, Malformed `licence.damaged` (it begins as its
    type but is not whole, or something else hangs on it).
    """
    if len(content) > LARGEST_LICENCE:
        raise TooLarge(
            "licence.too-large", "the scan is larger than 5 MiB", largest=LARGEST_LICENCE
        )
    if content.startswith(_PNG):
        media_type = "image/png"
        _check_edges(*_read_png(content))
    elif content.startswith(b"\xff\xd8\xff"):
        media_type = "image/jpeg"
        _check_edges(*_read_jpeg(content))
    else:
        raise Unprocessable("licence.type", "the scan must be a PNG or JPEG file")
    if len(content) < SMALLEST_LICENCE:
        raise Unprocessable(
            "licence.too-small", "the scan is too small to be legible", smallest=SMALLEST_LICENCE
        )
    return Licence(media_type, _own_name(file_name, media_type), content)


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
    if min(width, height) < _SHORTEST_EDGE or max(width, height) > _LONGEST_EDGE:
        raise Unprocessable(
            "licence.resolution",
            "the scan's edges must measure between 400 and 12,000 pixels",
            width=width,
            height=height,
        )


def _own_name(file_name: str, media_type: str) -> str:
    base = file_name.replace("\\", "/").rpartition("/")[2]
    stem = base.rpartition(".")[0] if "." in base else base
    kept = "".join(c if c in "-_" or unicodedata.category(c)[0] in "LN" else "_" for c in stem[:80])
    return (kept.strip("_") or "licence") + _EXTENSIONS[media_type]


def _damaged() -> Malformed:
    return Malformed("licence.damaged", "the scan is damaged or not wholly of its type")
