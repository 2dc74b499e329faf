"""What every format offers, by its name, so that no use case asks which format it has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from kernel.asn1.certificate import Certificate
from kernel.refusals import Unprocessable
from signing_service.formats import asic, cades, jades, pades, xades
from signing_service.formats.document import Document
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.recognition import is_xml, read_signatures
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
)


class AddSignatureTimestamp(Protocol):
    def __call__(
        self, signed: bytes, timestamper: Timestamper, *, signer: int = 0, digest: str = "sha256"
    ) -> bytes:
        """B-B to B-T. `signer` counts the signatures from zero."""
        ...


class AddValidationMaterial(Protocol):
    def __call__(self, signed: bytes, material: ValidationMaterial, *, signer: int = 0) -> bytes:
        """B-T to B-LT: what is not there yet of the signer's and the timestamps' material."""
        ...


class AddArchiveTimestamp(Protocol):
    def __call__(
        self,
        signed: bytes,
        timestamper: Timestamper,
        *,
        document: Document | None = None,
        signer: int = 0,
        digest: str = "sha256",
    ) -> bytes:
        """B-LT to B-LTA; once more renews. `document` is needed for detached signatures."""
        ...


@dataclass(frozen=True, slots=True)
class Levels:
    """What one format offers. A refusal says where a signature cannot be taken higher."""

    add_signature_timestamp: AddSignatureTimestamp
    add_validation_material: AddValidationMaterial
    add_archive_timestamp: AddArchiveTimestamp


_ASIC = Levels(
    asic.add_signature_timestamp, asic.add_validation_material, asic.add_archive_timestamp
)
LEVELS: Mapping[SignatureFormat, Levels] = MappingProxyType(
    {
        SignatureFormat.CADES: Levels(
            cades.add_signature_timestamp,
            cades.add_validation_material,
            cades.add_archive_timestamp,
        ),
        SignatureFormat.XADES: Levels(
            xades.add_signature_timestamp,
            xades.add_validation_material,
            xades.add_archive_timestamp,
        ),
        SignatureFormat.PADES: Levels(
            pades.add_signature_timestamp,
            pades.add_validation_material,
            pades.add_archive_timestamp,
        ),
        SignatureFormat.JADES: Levels(
            jades.add_signature_timestamp,
            jades.add_validation_material,
            jades.add_archive_timestamp,
        ),
        SignatureFormat.ASIC_S: _ASIC,
        SignatureFormat.ASIC_E: _ASIC,
    }
)


def levels_of(format_: SignatureFormat) -> Levels:
    """Raises Unprocessable `format.unsupported`."""
    try:
        return LEVELS[format_]
    except KeyError:
        raise Unprocessable("format.unsupported", "this format knows no levels") from None


class Prepare(Protocol):
    def __call__(
        self,
        document: bytes,
        certificate: Certificate,
        signing_time: datetime,
        *,
        chain: Sequence[Certificate],
    ) -> PreparedSignature:
        """First step, over one whole document, in the format's packaging for it."""
        ...


@dataclass(frozen=True, slots=True)
class Making:
    """How one format signs one document."""

    prepare: Prepare
    assemble: Callable[[PreparedSignature, bytes], bytes]
    detached: bool
    """Whether the signature lies beside the document."""


def _flattened_jades(
    document: bytes,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate],
) -> PreparedSignature:
    return jades.prepare(
        document, certificate, signing_time, chain=chain,
        packaging=Packaging.ENVELOPING, serialisation=jades.Serialisation.FLATTENED,
    )  # fmt: skip


def _simple_container(
    document: bytes,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate],
) -> PreparedSignature:
    """ASiC-S with CAdES: what is signed covers the document itself."""
    name = "document.xml" if is_xml(document) else "document.pdf"
    return asic.prepare(
        {name: document},
        certificate, signing_time, container=asic.ContainerType.ASIC_S, chain=chain,
    )  # fmt: skip


MAKING: Mapping[SignatureFormat, Making] = MappingProxyType(
    {
        SignatureFormat.CADES: Making(cades.prepare, cades.assemble, detached=True),
        SignatureFormat.XADES: Making(xades.prepare, xades.assemble, detached=False),
        SignatureFormat.PADES: Making(pades.prepare, pades.assemble, detached=False),
        SignatureFormat.JADES: Making(_flattened_jades, jades.assemble, detached=False),
        SignatureFormat.ASIC_S: Making(_simple_container, asic.assemble, detached=False),
    }
)


def making_of(format_: SignatureFormat) -> Making:
    """Raises Unprocessable `format.unsupported`."""
    try:
        return MAKING[format_]
    except KeyError:
        raise Unprocessable(
            "format.unsupported", f"sign as one of {', '.join(MAKING)}", format=str(format_)
        ) from None


_STEPS = (SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA)


def raise_to(
    level: SignatureLevel,
    format_: SignatureFormat,
    signed: bytes,
    document: bytes,
    timestamper: Timestamper,
    material: Callable[[list[SignatureEvidence]], ValidationMaterial],
) -> bytes:
    """The newest signature in `signed`, from B-B to `level`. `material` finds what validates the
    signatures. Raises Unprocessable `level.unknown`, and as the format's steps."""
    if level is SignatureLevel.B_B:
        return signed
    if level not in _STEPS:
        raise Unprocessable("level.unknown", "sign as B-B, B-T, B-LT or B-LTA")
    levels = levels_of(format_)
    beside = document if making_of(format_).detached else None

    def evidence() -> list[SignatureEvidence]:
        if beside is None:
            return read_signatures(signed, None)
        return read_signatures(beside, signed)

    newest = len(evidence()) - 1
    signed = levels.add_signature_timestamp(signed, timestamper, signer=newest)
    if level is SignatureLevel.B_T:
        return signed
    signed = levels.add_validation_material(signed, material(evidence()), signer=newest)
    if level is SignatureLevel.B_LT:
        return signed
    return levels.add_archive_timestamp(signed, timestamper, document=beside, signer=newest)
