"""ZIP files (APPNOTE 6.3), read so strictly that every reader sees the same entries.

The local headers follow each other from the first octet to the central directory, which agrees
with them and ends the file: nothing before, between or behind, no second directory to find.
"""

import io
import mmap
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import BinaryIO, NamedTuple

from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.formats.document import Document, StreamedDocument
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES, MAX_SIGNATURE_BYTES

MAX_ENTRIES = 1000
MAX_ZIP_BYTES = 2 * MAX_DOCUMENT_BYTES
MAX_TOTAL_BYTES = 4 * MAX_DOCUMENT_BYTES
MAX_ENTRY_BYTES = MAX_DOCUMENT_BYTES + MAX_SIGNATURE_BYTES
MAX_RATIO = 200
"""How many times larger an entry may be than it is packed, once it is larger than a little."""
_UNSUSPICIOUS_BYTES = 1024 * 1024
MAX_NAME_BYTES = 512

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_DESCRIPTOR = struct.Struct("<III")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_DESCRIBED = 0x0008
_UTF8 = 0x0800
_MAX_32 = 0xFFFFFFFF
_UNSAFE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
EPOCH = (1980, 1, 1, 0, 0, 0)


MAX_FILE_BYTES = 0x7FFFFFFF - 0x100000
"""Of the entries of a file on disk together: beyond 2 GiB it needs ZIP64, which is not read."""
LARGE_ENTRY_BYTES = 8 * 1024 * 1024
"""From here on an entry of a file on disk that is not packed is left there."""
Octets = bytes | mmap.mmap


class Archive(NamedTuple):
    entries: dict[str, bytes]
    """By name, in their order; directories are left out."""
    stored: frozenset[str]
    """Entries that are neither packed nor have an extra field."""
    comment: bytes
    first: str
    """The name of the first entry."""
    large: dict[str, StreamedDocument]
    """Entries that stay in their file, by name."""


class _Entry(NamedTuple):
    """A central header."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    attributes: int
    offset: int
    extra: int


def read_zip(data: bytes) -> Archive:
    """Raises TooLarge `zip.too-large`; Malformed `zip.malformed`, `zip.encrypted`, `zip.bomb`,
    `zip.name`, `zip.duplicate`, `zip.link`, `zip.header-mismatch`, `zip.gap`."""
    if len(data) > MAX_ZIP_BYTES:
        raise TooLarge("zip.too-large", "the container is too large")
    return _read(data, None)


def read_zip_file(file: BinaryIO) -> Archive:
    """The same for a file on disk: large entries that are not packed stay there, as documents to
    be read piece by piece. The file must stay open as long as they are used. Raises as
    `read_zip`."""
    try:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        raise Malformed("zip.malformed", "not a ZIP file") from None
    with mapped:
        return _read(mapped, file)


def _read(data: Octets, file: BinaryIO | None) -> Archive:
    try:
        directory, comment, start = _central_directory(data)
        _check_sizes(directory, file)
        entries: dict[str, bytes] = {}
        large: dict[str, StreamedDocument] = {}
        first = ""
        stored = set()
        seen: set[str] = set()
        position = 0
        for entry in directory:
            if entry.offset != position:
                raise Malformed("zip.gap", "octets between the entries")
            name = _name(entry, seen)
            first = first or name
            content, position, plain = _content(data, entry, file)
            if name.endswith("/"):
                if content != b"":
                    raise Malformed("zip.malformed", "a directory with content")
                continue
            if not isinstance(content, bytes):
                large[name] = content
                continue
            entries[name] = content
            if plain:
                stored.add(name)
    except struct.error:
        raise Malformed("zip.malformed", "not a ZIP file") from None
    if position != start:
        raise Malformed("zip.gap", "octets before the central directory")
    return Archive(entries, frozenset(stored), comment, first, large)


def write_zip(entries: Mapping[str, bytes], *, stored: Iterable[str], comment: bytes) -> bytes:
    """The entries in their order, the same octets for the same entries. `stored` are not packed.

    Raises TooLarge `zip.too-large`; Unprocessable `zip.name`, `zip.duplicate`.
    """
    _check_names(entries)
    sizes = [len(content) for content in entries.values()]
    if len(sizes) > MAX_ENTRIES or sum(sizes) > MAX_TOTAL_BYTES or max(sizes) > MAX_ENTRY_BYTES:
        raise TooLarge("zip.too-large", "the container is too large")
    plain = frozenset(stored)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            info = _entry(name)
            if name not in plain and _packs_well(content):
                info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
        archive.comment = comment
    written = file.getvalue()
    if len(written) > MAX_ZIP_BYTES:
        raise TooLarge("zip.too-large", "the container is too large")
    return written


def write_zip_file(target: BinaryIO, entries: Mapping[str, Document], *, comment: bytes) -> None:
    """The entries in their order into a file on disk, nothing packed.

    Raises TooLarge `zip.too-large`; Unprocessable `zip.name`, `zip.duplicate`; OSError; and as
    `StreamedDocument.pieces`.
    """
    _check_names(entries)
    sizes = [len(each) if isinstance(each, bytes) else each.size for each in entries.values()]
    if len(sizes) > MAX_ENTRIES or sum(sizes) > MAX_FILE_BYTES:
        raise TooLarge("zip.too-large", "at most {mib} MiB together", mib=MAX_FILE_BYTES >> 20)
    with zipfile.ZipFile(target, "w", allowZip64=False) as archive:
        for (name, content), size in zip(entries.items(), sizes, strict=True):
            entry = _entry(name)
            if isinstance(content, bytes):
                archive.writestr(entry, content)
                continue
            entry.file_size = size
            with archive.open(entry, "w") as place:
                for piece in content.pieces():
                    place.write(piece)
        archive.comment = comment


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EPOCH)
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    info.compress_type = zipfile.ZIP_STORED
    return info


def _check_names(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        try:
            _check_name(name, seen)
        except Malformed as refusal:
            raise Unprocessable(refusal.code, refusal.detail) from None


def _central_directory(data: Octets) -> tuple[list[_Entry], bytes, int]:
    """The central headers, the comment, and where the directory begins."""
    end = data.rfind(b"PK\x05\x06", max(0, len(data) - _END.size - 0xFFFF))
    if end < 0:
        raise Malformed("zip.malformed", "not a ZIP file")
    found = _END.unpack_from(data, end)
    _, disk, first_disk, here, count, size, start, comment_size = found
    comment = data[end + _END.size :]
    if len(comment) != comment_size or b"PK" in comment:
        raise Malformed("zip.gap", "octets after the end of the ZIP file")
    if disk or first_disk or here != count or _MAX_32 in (size, start) or count == 0xFFFF:
        raise Malformed("zip.malformed", "several disks, or ZIP64")
    if count > MAX_ENTRIES:
        raise Malformed("zip.bomb", "at most {most} entries", most=MAX_ENTRIES)
    if start + size != end:
        raise Malformed("zip.gap", "octets around the central directory")
    directory, position = [], start
    for _ in range(count):
        entry, position = _central_entry(data, position)
        directory.append(entry)
    if position != end:
        raise Malformed("zip.malformed", "the central directory has another size than it says")
    return directory, comment, start


def _central_entry(data: Octets, position: int) -> tuple[_Entry, int]:
    (
        signature, _, _, flags, method, _, _, crc, packed, size,
        name_size, extra_size, comment_size, disk, _, attributes, offset,
    ) = _CENTRAL.unpack_from(data, position)  # fmt: skip
    if signature != b"PK\x01\x02" or disk or comment_size:
        raise Malformed("zip.malformed", "not a central header")
    if flags & _ENCRYPTED:
        raise Malformed("zip.encrypted", "an encrypted entry")
    if method not in (_STORED, _DEFLATED) or _MAX_32 in (packed, size, offset):
        raise Malformed("zip.malformed", "this compression is not supported")
    if stat.S_IFMT(attributes >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Malformed("zip.link", "an entry that is no file")
    begin = position + _CENTRAL.size
    name = data[begin : begin + name_size]
    entry = _Entry(name, flags, method, crc, packed, size, attributes, offset, extra_size)
    return entry, begin + name_size + extra_size


def _stays(entry: _Entry, file: BinaryIO | None) -> bool:
    """Whether an entry is left in its file."""
    return file is not None and entry.method == _STORED and entry.size >= LARGE_ENTRY_BYTES


def _check_sizes(directory: list[_Entry], file: BinaryIO | None) -> None:
    """Before anything is unpacked."""
    unpacked = [entry for entry in directory if not _stays(entry, file)]
    if sum(entry.size for entry in unpacked) > MAX_TOTAL_BYTES:
        raise Malformed("zip.bomb", "the entries are too large together")
    for entry in unpacked:
        if entry.size > MAX_ENTRY_BYTES:
            raise Malformed("zip.bomb", "an entry is too large")
        if entry.size > _UNSUSPICIOUS_BYTES and entry.size > MAX_RATIO * max(entry.packed, 1):
            raise Malformed("zip.bomb", "an entry is packed more than {most} times", most=MAX_RATIO)


def _content(data: Octets, entry: _Entry, file: BinaryIO | None) -> tuple[Document, int, bool]:
    """The unpacked entry, where the next begins, and whether it stands there plainly."""
    (
        signature, _, flags, method, _, _, crc, packed, size, name_size, extra_size,
    ) = _LOCAL.unpack_from(data, entry.offset)  # fmt: skip
    begin = entry.offset + _LOCAL.size
    name = data[begin : begin + name_size]
    begin += name_size + extra_size
    described = bool(flags & _DESCRIBED)
    told = (crc, packed, size)
    wanted = (entry.crc, entry.packed, entry.size)
    if (signature, name, flags, method) != (b"PK\x03\x04", entry.name, entry.flags, entry.method):
        raise Malformed("zip.header-mismatch", "an entry differs from the central directory")
    if told != wanted and not (described and told == (0, 0, 0)):
        raise Malformed("zip.header-mismatch", "an entry differs from the central directory")
    end = begin + entry.packed
    if len(data) < end:
        raise Malformed("zip.malformed", "an entry is cut off")
    content: Document
    if file is not None and _stays(entry, file):
        if entry.packed != entry.size:
            raise Malformed("zip.malformed", "an entry is larger or smaller than it says")
        content = StreamedDocument(file, start=begin, size=entry.size)
        checksum = 0
        for piece in content.pieces():
            checksum = zlib.crc32(piece, checksum)
    else:
        content = _unpacked(data[begin:end], entry)
        checksum = zlib.crc32(content)
    if checksum != entry.crc:
        raise Malformed("zip.malformed", "a checksum does not match")
    if described:
        end += 4 if data[end : end + 4] == b"PK\x07\x08" else 0
        if _DESCRIPTOR.unpack_from(data, end) != wanted:
            raise Malformed("zip.header-mismatch", "an entry differs from its descriptor")
        end += _DESCRIPTOR.size
    plain = entry.method == _STORED and not extra_size and not described
    return content, end, plain


def _unpacked(packed: bytes, entry: _Entry) -> bytes:
    if entry.method == _STORED:
        content = packed
    else:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = inflater.decompress(packed, entry.size + 1)
        except zlib.error:
            raise Malformed("zip.malformed", "an entry cannot be unpacked") from None
        if not inflater.eof or inflater.unused_data:
            raise Malformed("zip.malformed", "an entry is larger or smaller than it says")
    if len(content) != entry.size:
        raise Malformed("zip.malformed", "an entry is larger or smaller than it says")
    return content


def _name(entry: _Entry, seen: set[str]) -> str:
    try:
        name = entry.name.decode("utf-8" if entry.flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        raise Malformed("zip.name", "a name that is not UTF-8") from None
    _check_name(name, seen)
    return name


def _check_name(name: str, seen: set[str]) -> None:
    """A relative path that every file system takes for the same, and for no other's."""
    parts = name.removesuffix("/").split("/")
    if len(name.encode()) > MAX_NAME_BYTES or _UNSAFE.search(name):
        raise Malformed("zip.name", "a name that is not a plain path")
    if any(not part or part != part.lstrip(" ").rstrip(" .") for part in parts):
        raise Malformed("zip.name", "a name that leaves its place")
    folded = unicodedata.normalize("NFC", name).casefold()
    if folded in seen:
        raise Malformed("zip.duplicate", "two entries bear one name")
    seen.add(folded)


def _packs_well(content: bytes) -> bool:
    """Not worth it for little; and never so well that a reader would suspect a bomb."""
    if len(content) < 256:
        return False
    return len(content) < _UNSUSPICIOUS_BYTES or len(zlib.compress(content, 1)) * 150 > len(content)
