"""ASiC containers (EN 319 162-1): names in META-INF, data objects, nothing else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import BinaryIO
from urllib.parse import quote, unquote

from kernel.refusals import Malformed, Unprocessable
from signing_service.formats.asic.zip_file import (
    Archive,
    read_zip,
    read_zip_file,
    write_zip,
    write_zip_file,
)
from signing_service.formats.document import Document, StreamedDocument

MIMETYPE = "mimetype"
META = "META-INF/"
_COMMENT = "mimetype="
_CADES = re.compile(r"META-INF/[^/]*signature[^/]*\.p7s")
_XADES = re.compile(r"META-INF/[^/]*signatures[^/]*\.xml")
_MANIFEST = re.compile(r"META-INF/ASiCManifest[^/]*\.xml")
_ARCHIVE_MANIFEST = re.compile(r"META-INF/ASiCArchiveManifest[^/]*\.xml")
_TIMESTAMP = re.compile(r"META-INF/[^/]*timestamp[^/]*\.tst")
_EVIDENCE_RECORD = re.compile(r"META-INF/[^/]*evidencerecord[^/]*\.(ers|xml)")


class ContainerType(StrEnum):
    """By their media types (EN 319 162-1, 4.3.3 and 4.4.3)."""

    ASIC_S = "application/vnd.etsi.asic-s+zip"
    ASIC_E = "application/vnd.etsi.asic-e+zip"


@dataclass(frozen=True, slots=True)
class Container:
    """A container's files, sorted by what they are."""

    type: ContainerType
    files: Mapping[str, bytes]
    """Everything but the mimetype, by name, in order."""
    large: Mapping[str, StreamedDocument] = field(default_factory=dict)
    """Data objects that stay in the container's file."""

    @classmethod
    def read(cls, data: bytes, large: Mapping[str, StreamedDocument] | None = None) -> "Container":
        """`large`: data objects that are not in it (see `encode_without_large`).

        Raises as `read_zip`; Malformed `asic.mimetype`, `asic.structure`."""
        return cls._of(read_zip(data)._replace(large=dict(large or {})))

    @classmethod
    def read_file(cls, file: BinaryIO) -> "Container":
        """From a file on disk, in which large data objects stay. Raises as `read`."""
        return cls._of(read_zip_file(file))

    @classmethod
    def _of(cls, archive: Archive) -> "Container":
        kind = _type_of(archive)
        files = {name: each for name, each in archive.entries.items() if name != MIMETYPE}
        if any(map(_is_meta, archive.large)):
            raise Malformed("asic.structure", "a file in META-INF is too large")
        container = cls(kind, files, archive.large)
        if not container.data_objects:
            raise Malformed("asic.structure", "a container without a data object")
        if kind is ContainerType.ASIC_S and len(container.data_objects) > 1:
            raise Malformed("asic.structure", "ASiC-S has one data object")
        return container

    @property
    def data_objects(self) -> dict[str, Document]:
        """What is signed: every file outside META-INF."""
        return {name: each for name, each in self.everything.items() if not _is_meta(name)}

    @property
    def everything(self) -> dict[str, Document]:
        """Files and what stays on disk, by name."""
        return {**self.files, **self.large}

    @property
    def cades(self) -> list[str]:
        return self._named(_CADES)

    @property
    def xades(self) -> list[str]:
        return self._named(_XADES)

    @property
    def manifests(self) -> list[str]:
        return self._named(_MANIFEST)

    @property
    def archive_manifests(self) -> list[str]:
        return self._named(_ARCHIVE_MANIFEST)

    @property
    def timestamps(self) -> list[str]:
        return self._named(_TIMESTAMP)

    @property
    def evidence_records(self) -> dict[str, bytes]:
        """RFC 4998 evidence records over the container's files (clause 4.3.3.2), as they are."""
        return {name: self.files[name] for name in self._named(_EVIDENCE_RECORD)}

    def with_file(self, name: str, content: bytes) -> "Container":
        return Container(self.type, {**self.files, name: content}, self.large)

    def renamed(self, old: str, new: str) -> "Container":
        """The same file by another name, in its place."""
        files = {new if name == old else name: each for name, each in self.files.items()}
        return Container(self.type, files, self.large)

    def free_name(self, pattern: str) -> str:
        """`pattern` with the first free number in it, from 001."""
        number = 1
        while pattern.format(f"{number:03d}") in self.files:
            number += 1
        return pattern.format(f"{number:03d}")

    def encode(self) -> bytes:
        """The ZIP file: mimetype first and not packed (A.1).

        Raises as `write_zip`; Unprocessable `document.streamed` (it does not fit into memory).
        """
        if self.large:
            raise Unprocessable("document.streamed", "a container this large is written to a file")
        return self.encode_without_large()

    def encode_without_large(self) -> bytes:
        """The same, but for what is large: what a prepared signature keeps. Raises as
        `write_zip`."""
        mimetype = self.type.value.encode("ascii")
        return write_zip(
            {MIMETYPE: mimetype, **self.files},
            stored=[MIMETYPE],
            comment=_COMMENT.encode() + mimetype,
        )

    def write(self, target: BinaryIO) -> None:
        """The ZIP file on disk, with what is large in it, not packed: mimetype, documents, the
        rest. Raises as `write_zip_file`; OSError."""
        mimetype = self.type.value.encode("ascii")
        first = {**self.data_objects}
        rest = {name: each for name, each in self.files.items() if name not in first}
        write_zip_file(
            target, {MIMETYPE: mimetype, **first, **rest}, comment=_COMMENT.encode() + mimetype
        )

    def _named(self, pattern: re.Pattern[str]) -> list[str]:
        return sorted(name for name in self.files if pattern.fullmatch(name))


def new_container(documents: Mapping[str, Document], kind: ContainerType) -> Container:
    """Raises Unprocessable `asic.objects` (none, several in ASiC-S, or a name in META-INF)."""
    if not documents or (kind is ContainerType.ASIC_S and len(documents) > 1):
        raise Unprocessable("asic.objects", "ASiC-S has one data object, ASiC-E one or more")
    if any(_is_meta(name) or name.lower() == MIMETYPE for name in documents):
        raise Unprocessable("asic.objects", "META-INF and mimetype are the container's own")
    small = {name: each for name, each in documents.items() if isinstance(each, bytes)}
    large = {name: each for name, each in documents.items() if not isinstance(each, bytes)}
    return Container(kind, small, large)


def add_evidence_record(container: bytes, record: bytes) -> bytes:
    """With one more RFC 4998 evidence record, DER. Raises as `Container.read`."""
    read = Container.read(container)
    return read.with_file(read.free_name(META + "evidencerecord{}.ers"), record).encode()


def uri_of(name: str) -> str:
    """A file's name as a relative reference (RFC 3986)."""
    return quote(name, safe="/-_.~!$&'()+,;=@")


def name_of(uri: str) -> str:
    """The file that a relative reference names, from the container's root."""
    return unquote(uri.removeprefix("/"), errors="strict")


def is_zip(data: bytes) -> bool:
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def _is_meta(name: str) -> bool:
    return name.upper().startswith(META)


def _type_of(archive: Archive) -> ContainerType:
    """The mimetype file, which is the first, not packed and in agreement with the comment."""
    names = list(archive.entries)
    if archive.first != MIMETYPE or MIMETYPE not in archive.stored:
        raise Malformed("asic.mimetype", "the first entry is the mimetype, not packed")
    if any(name.upper().startswith(META) and not name.startswith(META) for name in names):
        raise Malformed("asic.structure", "META-INF in another spelling")
    try:
        text = archive.entries[MIMETYPE].decode("ascii")
        kind = ContainerType(text)
    except ValueError:
        raise Malformed("asic.mimetype", "neither ASiC-S nor ASiC-E") from None
    comment = archive.comment.decode("latin-1")
    if comment.startswith(_COMMENT) and comment != _COMMENT + text:
        raise Malformed("asic.mimetype", "the comment names another type")
    return kind
