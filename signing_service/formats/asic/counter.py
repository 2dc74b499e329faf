"""Counter-signatures inside ASiC containers: upon one signature of CAdES or XAdES."""

from collections.abc import Sequence
from datetime import datetime

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Conflict, Malformed
from signing_service.formats.asic.container import Container, ContainerType
from signing_service.formats.asic.reading import archive_manifests, signatures_in
from signing_service.formats.asic.writing import prepared_parts
from signing_service.formats.cades import whole as cades
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.xades import whole as xades
from signing_service.validation.evidence import Packaging, SignatureFormat


def prepare_counter_signature(
    signed: bytes,
    certificate: Certificate,
    signing_time: datetime,
    *,
    signer: int = 0,
    chain: Sequence[Certificate] = (),
    suite: AlgorithmSuite | None = None,
    claims: Claims = NO_CLAIMS,
) -> PreparedSignature:
    """First step of a signature upon the value of signature number `signer`, as `read` counts.

    Raises Malformed `asic.*`, `zip.*`; Conflict `asic.archived`; and as the format inside.
    """
    container = Container.read(signed)
    found = signatures_in(container)
    if not 0 <= signer < len(found):
        raise Malformed("asic.no-signature", "there is no such signature")
    chosen = found[signer]
    if any(each.lists(chosen.file) for each in archive_manifests(container)):
        raise Conflict("asic.archived", "an archived signature is not signed upon any more")
    module = xades if chosen.file in container.xades else cades
    step = module.prepare_counter_signature(
        container.files[chosen.file], certificate, signing_time,
        signer=chosen.index, chain=chain, suite=suite, claims=claims,
    )  # fmt: skip
    body = der.sequence(
        der.octet_string(step.to_bytes()),
        der.octet_string(signed),
        der.utf8_string(chosen.file),
    )
    simple = container.type is ContainerType.ASIC_S
    format_ = SignatureFormat.ASIC_S if simple else SignatureFormat.ASIC_E
    return PreparedSignature(
        format_, Packaging.DETACHED, step.suite, certificate, step.chain, step.to_be_signed, body
    )


def assemble_counter_signature(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    """Last step: the container with the counter-signature in it.

    Raises Unprocessable `signature.mismatch`; Malformed `prepared.malformed`.
    """
    step, container, place = prepared_parts(prepared)
    if step.format is SignatureFormat.XADES:
        countersigned = xades.assemble(step, signature_value)
    else:
        countersigned = cades.assemble_counter_signature(step, signature_value)
    return container.with_file(place, countersigned).encode()
