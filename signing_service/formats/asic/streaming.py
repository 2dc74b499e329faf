"""ASiC containers around documents of any size: written once, with the documents not packed.

The signature is made first, from digests; then the container is written from the files. A reader
that knows where entries begin (`Container.read_file`) verifies it without unpacking anything.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from signing_service.formats.asic.container import ContainerType
from signing_service.formats.asic.levels import add_signature_timestamp
from signing_service.formats.asic.writing import assemble_large, prepare
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.document import StreamedDocument
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import SignatureFormat


@dataclass(frozen=True)
class LargeContainer:
    """What will be in the container."""

    type: ContainerType
    inner: SignatureFormat
    files: Mapping[str, Path]
    """Documents by their names in the container."""

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

        Raises as `prepare`, `assemble_large`, `Container.write`; OSError where a file cannot be
        read or written.
        """
        with ExitStack() as opened:
            documents = {
                name: StreamedDocument(opened.enter_context(path.open("rb")))
                for name, path in self.files.items()
            }
            prepared = prepare(
                documents, certificate, signing_time, container=self.type, inner=self.inner,
                chain=chain, suite=key.suite, claims=claims,
            )  # fmt: skip
            made = assemble_large(prepared, key.sign(prepared.to_be_signed), documents)
            if timestamper is not None:
                made = add_signature_timestamp(made, timestamper)
            made.write(target)
