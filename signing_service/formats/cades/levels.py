"""CAdES from level to level (EN 319 122-1, 6): our own signatures and strangers' alike."""

from kernel.asn1 import cms
from kernel.refusals import TooLarge, Unprocessable
from signing_service.formats.cades.archive import archive_token
from signing_service.formats.cms import signed_data
from signing_service.formats.cms.signed_data_parts import Parts, ocsp_info
from signing_service.formats.document import Document
from signing_service.formats.prepared import MAX_SIGNATURE_BYTES
from signing_service.formats.validation_material import ValidationMaterial, whole_response
from signing_service.timestamping.client import Timestamper


def add_signature_timestamp(
    signed: bytes,
    timestamper: Timestamper,
    *,
    signer: int = 0,
    digest: str = "sha256",
    counter: bytes | None = None,
) -> bytes:
    """B-B to B-T: a timestamp over the signature value (EN 319 122-1, 5.3).

    `signer` counts from zero in the order of the SignerInfos; with `counter` it is the
    counter-signature of that value upon it. Raises Malformed `cms.*`;
    Unprocessable `algorithm.unknown`; and as `Timestamper.stamp`.
    """
    message = signed_data.read(signed)
    parts = Parts.read(signed)
    chosen = parts.signer(signer)
    value = counter or message.signers[signer].signature
    imprint = signed_data.digest_of(digest, value)
    if imprint is None:
        raise Unprocessable("algorithm.unknown", "no such digest", name=digest)
    attribute = cms.attribute(cms.ID_SIGNATURE_TIMESTAMP, timestamper.stamp(imprint, digest))
    if counter is None:
        stamped = chosen.with_attribute(attribute)
    else:
        stamped = chosen.with_attribute_of_counter(counter, attribute)
    return parts.with_signer(signer, stamped).encode()


def add_validation_material(
    signed: bytes,
    material: ValidationMaterial,
    *,
    signer: int = 0,
    counter: bytes | None = None,
) -> bytes:
    """B-T to B-LT: certificates, CRLs and OCSP responses into the root SignedData (5.4.1, 5.4.2;
    RFC 5940), where they serve every signer, every counter-signature and every timestamp.

    What an archive timestamp covered before stays covered. Raises Malformed `cms.*`,
    `ocsp.malformed`; TooLarge `cms.too-large`; Unprocessable `certificate.malformed`.
    """
    message = signed_data.read(signed)
    parts = Parts.read(signed)
    parts.signer(signer)
    new = material.without(
        (certificate.der for certificate in message.certificates), message.ocsp, message.crls
    )
    parts = parts.with_certificates(*new.certificates)
    parts = parts.with_revocation_infos(*new.crls, *map(_ocsp_info, new.ocsp))
    return _checked(parts)


def add_archive_timestamp(
    signed: bytes,
    timestamper: Timestamper,
    *,
    document: Document | None = None,
    signer: int = 0,
    digest: str = "sha256",
    counter: bytes | None = None,
) -> bytes:
    """B-LT to B-LTA, or its renewal: archive-time-stamp-v3 over all that is there (5.5.3).

    `document` is needed for detached signatures. A counter-signature has no archive timestamp of
    its own: that of the signature below covers it. Raises Unprocessable `level.counter`,
    `document.missing`, `document.other`, `algorithm.unknown`; Malformed `cms.*`; and as
    `Timestamper.stamp`.
    """
    if counter is not None:
        raise Unprocessable("level.counter", "archive the signature that it is upon")
    message = signed_data.read(signed)
    parts = Parts.read(signed)
    chosen = parts.signer(signer)
    content = message.content if message.content is not None else document
    if content is None:
        raise Unprocessable("document.missing", "the detached document is needed")
    subject = message.signers[signer]
    if signed_data.digest_of(subject.digest, content) != subject.message_digest:
        # An archive timestamp over another document would only ever show as broken.
        raise Unprocessable("document.other", "this is not the document that was signed")
    token = archive_token(parts, chosen, content, timestamper, digest)
    stamped = chosen.with_attribute(cms.attribute(cms.ID_ARCHIVE_TIMESTAMP_V3, token))
    return _checked(parts.with_signer(signer, stamped))


def _ocsp_info(response: bytes) -> bytes:
    return ocsp_info(whole_response(response))


def _checked(parts: Parts) -> bytes:
    """Encoded, and still readable under our own limits."""
    encoded = parts.encode()
    if len(encoded) - len(parts.content_info) > MAX_SIGNATURE_BYTES:
        raise TooLarge("cms.too-large", "the signature would become too large")
    signed_data.read(encoded)
    return encoded
