"""ASiC containers around documents of any size: written once, with the documents not packed.

The signature is made first, from digests; then the container is written from the files. A reader
that knows where entries begin (`Container.read_file`) verifies it without unpacking anything.
"""

import shutil
import stat
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from kernel.refusals import TooLarge, Unprocessable
from signing_service.formats import cades, xades
from signing_service.formats.asic_container import META, MIMETYPE, ContainerType, uri_of
from signing_service.formats.asic_manifest import CADES_TYPE, write_manifest
from signing_service.formats.asic_writing import NO_SIGNATURES
from signing_service.formats.asic_zip import EPOCH
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.document import Document, StreamedDocument
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import Packaging, SignatureFormat

MAX_FILE_BYTES = 0x7FFFFFFF
"""Beyond it a ZIP file needs ZIP64, which is not read here."""
_PIECE = 1 << 20


@dataclass(frozen=True)
class LargeContainer:
    """What will be in the container."""

    type: ContainerType
    inner: SignatureFormat
    files: Mapping[str, Path]
    """Documents by their names in the container."""

    def __post_init__(self) -> None:
        """Raises Unprocessable `asic.objects`, `asic.inner`; TooLarge `zip.too-large`."""
        if not self.files or (self.type is ContainerType.ASIC_S and len(self.files) > 1):
            raise Unprocessable("asic.objects", "ASiC-S has one data object, ASiC-E one or more")
        if self.inner not in (SignatureFormat.CADES, SignatureFormat.XADES):
            raise Unprocessable("asic.inner", "a container has CAdES or XAdES inside")
        if sum(each.stat().st_size for each in self.files.values()) > MAX_FILE_BYTES:
            raise TooLarge("zip.too-large", f"at most {MAX_FILE_BYTES >> 20} MiB together")

    def write(
        self,
        target: BinaryIO,
        key: KeyHandle,
        certificate: Certificate,
        signing_time: datetime,
        *,
        chain: Sequence[Certificate] = (),
        timestamper: Timestamper | None = None,
        claims: Claims = NO_CLAIMS,
    ) -> None:
        """Sign the documents and write the container: B-B, or B-T with a `timestamper`.

        Raises as `cades.sign`, `xades.sign`; OSError where a file cannot be read or written.
        """
        opened = {name: path.open("rb") for name, path in self.files.items()}
        try:
            documents = {name: StreamedDocument(file) for name, file in opened.items()}
            if self.inner is SignatureFormat.XADES:
                meta = {
                    f"{META}signatures{self._number}.xml": xades.sign(
                        {uri_of(name): each for name, each in documents.items()},
                        key, certificate, signing_time, chain=chain, timestamper=timestamper,
                        packaging=Packaging.DETACHED, container=NO_SIGNATURES, claims=claims,
                    )
                }  # fmt: skip
            else:
                place = f"{META}signature{self._number}.p7s"
                meta = {}
                covered: Document = next(iter(documents.values()))
                if self.type is ContainerType.ASIC_E:
                    covered = write_manifest(
                        place, documents, digest=key.suite.digest, signature_type=CADES_TYPE
                    )
                    meta[f"{META}ASiCManifest001.xml"] = covered
                meta[place] = cades.sign(
                    covered, key, certificate, signing_time, chain=chain, timestamper=timestamper,
                    claims=claims,
                )  # fmt: skip
            self._write(target, opened, meta)
        finally:
            for file in opened.values():
                file.close()

    @property
    def _number(self) -> str:
        return "" if self.type is ContainerType.ASIC_S else "001"

    def _write(
        self, target: BinaryIO, files: Mapping[str, BinaryIO], meta: Mapping[str, bytes]
    ) -> None:
        with zipfile.ZipFile(target, "w", allowZip64=False) as archive:
            archive.writestr(_entry(MIMETYPE), self.type.value)
            for name, file in files.items():
                entry = _entry(name)
                entry.file_size = self.files[name].stat().st_size
                file.seek(0)
                with archive.open(entry, "w") as place:
                    shutil.copyfileobj(file, place, _PIECE)
            for name, content in meta.items():
                archive.writestr(_entry(name), content)
            archive.comment = f"mimetype={self.type.value}".encode()


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, EPOCH)
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    info.compress_type = zipfile.ZIP_STORED
    return info
