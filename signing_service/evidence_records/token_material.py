"""A timestamp token with what validates it when its authority is gone (RFC 4998, 4.1)."""

from collections.abc import Callable, Sequence

from kernel.asn1 import cms, der
from signing_service.formats.cms.signed_data_parts import Parts
from signing_service.formats.validation_material import ValidationMaterial, basic_response
from signing_service.ports import MaterialSource
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import TimestampKind


def completing(source: MaterialSource) -> Callable[[bytes], bytes]:
    """What adds the status of a token's certificates to the token, freshly."""

    def complete(token: bytes) -> bytes:
        read = read_timestamp(token, TimestampKind.EVIDENCE_RECORD, None).signature
        embedded = read.embedded_certificates
        return with_material(token, source.of(embedded))

    return complete


def with_material(token: bytes, material: ValidationMaterial) -> bytes:
    """The token with a revocation-values attribute (EN 319 122-1, A.1.2.2), which its signature
    does not cover. Not in SignedData.crls, where many readers take CRLs alone."""
    if not material.ocsp and not material.crls:
        return token
    values = der.sequence(
        _listed(0, material.crls), _listed(1, [basic_response(each) for each in material.ocsp])
    )
    parts = Parts.read(token)
    signer = parts.signer(0).with_attribute(cms.attribute(cms.ID_REVOCATION_VALUES, values))
    return parts.with_signer(0, signer).encode()


def _listed(number: int, elements: Sequence[bytes]) -> bytes:
    return der.explicit(number, der.sequence(*elements)) if elements else b""
