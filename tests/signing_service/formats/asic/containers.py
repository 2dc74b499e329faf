"""Containers as the tests make them and look at them."""

from typing import Any

import pytest

from kernel.refusals import Refusal
from signing_service.formats.asic import whole as asic
from signing_service.formats.asic.whole import ContainerType
from signing_service.formats.asic.zip_file import read_zip, write_zip
from signing_service.validation.evidence import (
    SignatureEvidence,
    SignatureFormat,
)
from tests.software_keys import Identity, SoftwareAuthority

ASIC_S, ASIC_E = ContainerType.ASIC_S, ContainerType.ASIC_E
CADES, XADES = SignatureFormat.CADES, SignatureFormat.XADES
DOCUMENTS = {"报关单 1.xml": "<a>一</a>".encode(), "notes/b.txt": b"b" * 2000}
ONE = {"declaration.xml": b"<declaration/>"}
KINDS = [(ASIC_S, CADES), (ASIC_S, XADES), (ASIC_E, CADES), (ASIC_E, XADES)]
kinds = pytest.mark.parametrize(("kind", "inner"), KINDS, ids=lambda each: each.name)


def documents(kind: ContainerType) -> dict[str, bytes]:
    return ONE if kind is ASIC_S else DOCUMENTS


def sign(
    signer: Identity,
    authority: SoftwareAuthority,
    kind: ContainerType = ASIC_E,
    inner: SignatureFormat = CADES,
    **options: Any,
) -> bytes:
    return asic.sign(
        options.pop("documents", documents(kind)), signer.key, signer.certificate, authority.now,
        container=kind, inner=inner, chain=signer.chain[:1], **options,
    )  # fmt: skip


def verifies(evidence: SignatureEvidence) -> bool:
    certificate, suite = evidence.signing_certificate, evidence.suite
    return (
        certificate is not None
        and suite is not None
        and evidence.covers_document
        and certificate.public_key.verify(suite, evidence.signature_value, evidence.signed_bytes)
        and all(reference.intact for reference in evidence.references)
        and all(stamp.imprint.intact for stamp in evidence.timestamps)
    )


def holds(container: bytes) -> bool:
    try:
        return all(map(verifies, asic.read(container)))
    except Refusal:
        return False


def changed(container: bytes, files: dict[str, bytes | None]) -> bytes:
    """With files replaced, added, or taken out."""
    entries: dict[str, bytes] = dict(read_zip(container).entries)
    for name, content in files.items():
        if content is None:
            del entries[name]
        else:
            entries[name] = content
    return write_zip(entries, stored=["mimetype"], comment=read_zip(container).comment)
