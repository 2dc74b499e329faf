"""The steps from level to level, by format, so that no use case asks which format it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from kernel.refusals import Unprocessable
from signing_service.formats import asic, cades, jades, pades, xades
from signing_service.formats.document import Document
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import SignatureFormat


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
