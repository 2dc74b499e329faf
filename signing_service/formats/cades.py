"""CAdES signatures (EN 319 122-1): detached and enveloping, levels B-B and B-T.

Written from ready-made DER: what depends on signer and chain alone is encoded once.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from cryptography.x509 import ObjectIdentifier

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import cms, der
from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from kernel.refusals import Malformed, Refusal, TooLarge, Unprocessable
from signing_service.formats import signed_data
from signing_service.formats.cms_evidence import Covered, signer_evidence
from signing_service.formats.prepared import (
    MAX_DOCUMENT_BYTES,
    PreparedSignature,
    check_chain,
    choose_suite,
)
from signing_service.formats.signed_data import SignedMessage, Signer
from signing_service.timestamping.client import Timestamper
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import (
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    TimestampEvidence,
    TimestampKind,
)

MAX_TIMESTAMPS = 16
_CONTENT_TYPE_ATTRIBUTE = cms.attribute(cms.ID_CONTENT_TYPE, der.oid(cms.ID_DATA))
_MESSAGE_DIGEST_OID = der.oid(cms.ID_MESSAGE_DIGEST)
_SIGNING_TIME_OID = der.oid(cms.ID_SIGNING_TIME)
_DETACHED_CONTENT_INFO = der.sequence(der.oid(cms.ID_DATA))
_VERSION_1 = 1
_SIGNATURE_TIMESTAMP = ObjectIdentifier(cms.ID_SIGNATURE_TIMESTAMP)
_CONTENT_TIMESTAMP = ObjectIdentifier(cms.ID_CONTENT_TIMESTAMP)
_ARCHIVE_TIMESTAMP = ObjectIdentifier(cms.ID_ARCHIVE_TIMESTAMP_V3)


class _Constants(NamedTuple):
    """What one signer's signatures share."""

    signing_certificate: bytes
    """The signing-certificate-v2 attribute."""
    signer_info_head: bytes
    """Version, sid and digest algorithm."""
    signature_algorithm: bytes
    digest_algorithm: bytes
    certificates: bytes
    """The `[0]` element of SignedData."""


def prepare(
    document: bytes | None,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    digest: bytes | None = None,
    packaging: Packaging = Packaging.DETACHED,
    suite: AlgorithmSuite | None = None,
) -> PreparedSignature:
    """First step: the signed attributes over `document`, or over its `digest` under the suite.

    `chain` is embedded beside the signer's certificate. `signing_time` is the claimed time.
    Raises TooLarge `document.too-large`; Unprocessable `document.digest`, `packaging.unfit`,
    `algorithm.unfit`, `chain.too-long`.
    """
    suite = choose_suite(certificate, suite)
    if document is not None:
        if len(document) > MAX_DOCUMENT_BYTES:
            raise TooLarge("document.too-large", "the document is too large")
        if digest is not None:
            raise Unprocessable("document.digest", "a document or its digest, not both")
        digest = suite.hash(document)
    elif digest is None or len(digest) != _digest_size(suite.digest):
        raise Unprocessable("document.digest", f"a {suite.digest} digest is needed")
    body = b""
    if packaging is Packaging.ENVELOPING and document is not None:
        body = document
    elif packaging is not Packaging.DETACHED:
        raise Unprocessable("packaging.unfit", "CAdES is detached, or envelops a whole document")
    constants = _constants(suite, certificate, check_chain(chain))
    to_be_signed = der.set_of(
        (
            _CONTENT_TYPE_ATTRIBUTE,
            der.sequence(_SIGNING_TIME_OID, der.tlv(der.SET, der.time(signing_time))),
            der.sequence(_MESSAGE_DIGEST_OID, der.tlv(der.SET, der.octet_string(digest))),
            constants.signing_certificate,
        )
    )
    return PreparedSignature(
        SignatureFormat.CADES, packaging, suite, certificate, tuple(chain), to_be_signed, body
    )


def assemble(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    """Last step: the CMS SignedData, DER. The value has the X.509 shape.

    Raises Unprocessable `signature.mismatch` when the value is not the certificate's.
    """
    _require_cades(prepared)
    prepared.check(signature_value)
    return _assemble(prepared, signature_value)


def sign(
    document: bytes,
    key: KeyHandle,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    packaging: Packaging = Packaging.DETACHED,
    timestamper: Timestamper | None = None,
) -> bytes:
    """All three steps with a key at hand: B-B, or B-T with a `timestamper`.

    Raises as `prepare`, `KeyHandle.sign` and `Timestamper.stamp`; Unprocessable
    `signature.mismatch` when the key is not the certificate's.
    """
    if key.public_key.spki != certificate.spki:
        raise Unprocessable("signature.mismatch", "the key is not the certificate's")
    prepared = prepare(
        document, certificate, signing_time, chain=chain, packaging=packaging, suite=key.suite
    )
    signed = _assemble(prepared, key.sign(prepared.to_be_signed))
    return signed if timestamper is None else add_signature_timestamp(signed, timestamper)


def add_signature_timestamp(
    signed: bytes, timestamper: Timestamper, *, signer: int = 0, digest: str = "sha256"
) -> bytes:
    """B-B to B-T: a timestamp over the signature value (EN 319 122-1, 5.3).

    `signer` counts from zero in the order of the SignerInfos. Raises Malformed `cms.*`, and as
    `Timestamper.stamp`.
    """
    message = signed_data.read(signed)
    if not 0 <= signer < len(message.signers):
        raise Malformed("cms.no-signature", "there is no such signer")
    imprint = signed_data.digest_of(digest, message.signers[signer].signature)
    if imprint is None:
        raise Unprocessable("algorithm.unknown", "no such digest", name=digest)
    token = timestamper.stamp(imprint, digest)
    attribute = cms.attribute(cms.ID_SIGNATURE_TIMESTAMP, token)
    return _with_unsigned_attribute(signed_data.to_der(signed), signer, attribute)


def read(
    signature: bytes, document: bytes | None = None, *, known: Sequence[Certificate] = ()
) -> list[SignatureEvidence]:
    """Every signer's evidence. `document` is needed for detached signatures.

    Raises TooLarge `document.too-large`, `cms.too-large`; Malformed `cms.*`.
    """
    if document is not None and len(document) > MAX_DOCUMENT_BYTES:
        raise TooLarge("document.too-large", "the document is too large")
    message = signed_data.read(signature)
    if message.content is None:
        covered = Covered("document", document, whole=document is not None)
    else:
        same = document is None or document == message.content
        covered = Covered("document", message.content, whole=same)
    return [_evidence(message, signer, covered, known) for signer in message.signers]


def content(signature: bytes) -> bytes | None:
    """The enveloped document; None where the signature is detached. Raises as `read`."""
    return signed_data.read(signature).content


def _evidence(
    message: SignedMessage, signer: Signer, covered: Covered, known: Sequence[Certificate]
) -> SignatureEvidence:
    if not signer.unsigned and _CONTENT_TIMESTAMP not in signer.signed:
        return signer_evidence(message, signer, covered, known=known)
    timestamps, observations = _timestamps(signer, covered, (*message.certificates, *known))
    return signer_evidence(
        message, signer, covered, known=known, timestamps=timestamps, observations=observations
    )


def _timestamps(
    signer: Signer, covered: Covered, known: Sequence[Certificate]
) -> tuple[tuple[TimestampEvidence, ...], tuple[str, ...]]:
    found: list[tuple[TimestampKind, bytes, bytes | None]] = [
        (TimestampKind.CONTENT, token, covered.content)
        for token in signer.signed.get(_CONTENT_TIMESTAMP, ())
    ]
    observations = []
    for attribute in signer.unsigned:
        if attribute.type == _SIGNATURE_TIMESTAMP:
            found.extend(
                (TimestampKind.SIGNATURE, token, signer.signature)
                for token in cms.values(attribute)
            )
        elif attribute.type == _ARCHIVE_TIMESTAMP:
            observations.append("an archive timestamp was not evaluated")
    if len(found) > MAX_TIMESTAMPS:
        raise Malformed("cms.too-many", f"at most {MAX_TIMESTAMPS} timestamps")
    timestamps = []
    for kind, token, stamped in found:
        try:
            timestamps.append(read_timestamp(token, kind, stamped, known=known))
        except Refusal as refusal:
            observations.append(f"a {kind} cannot be read ({refusal.code})")
    return tuple(timestamps), tuple(observations)


def _require_cades(prepared: PreparedSignature) -> None:
    if prepared.format is not SignatureFormat.CADES:
        raise Malformed("prepared.malformed", "prepared for another format")


def _assemble(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    constants = _constants(prepared.suite, prepared.certificate, prepared.chain)
    signed_attributes = b"\xa0" + prepared.to_be_signed[1:]
    signer_info = der.sequence(
        constants.signer_info_head,
        signed_attributes,
        constants.signature_algorithm,
        der.octet_string(signature_value),
    )
    content_info = _DETACHED_CONTENT_INFO
    if prepared.packaging is Packaging.ENVELOPING:
        content = der.explicit(0, der.octet_string(prepared.body))
        content_info = der.sequence(der.oid(cms.ID_DATA), content)
    return cms.signed_data(
        version=_VERSION_1,
        digest_algorithm=constants.digest_algorithm,
        content_info=content_info,
        certificates=constants.certificates,
        signer_info=signer_info,
    )


@lru_cache(maxsize=512)
def _constants(
    suite: AlgorithmSuite, certificate: Certificate, chain: tuple[Certificate, ...]
) -> _Constants:
    digest_algorithm = der.sequence(der.oid(suite.digest_oid))
    reference = cms.signing_certificate_v2(
        certificate.digest(suite.digest),
        None if suite.digest == "sha256" else digest_algorithm,
    )
    head = der.integer(_VERSION_1) + certificate.issuer_and_serial + digest_algorithm
    embedded = sorted({c.der for c in (certificate, *chain)})
    return _Constants(
        signing_certificate=cms.attribute(cms.ID_SIGNING_CERTIFICATE_V2, reference),
        signer_info_head=head,
        signature_algorithm=suite.signature_algorithm,
        digest_algorithm=digest_algorithm,
        certificates=der.explicit(0, b"".join(embedded)),
    )


def _digest_size(name: str) -> int:
    return {"sha256": 32, "sha384": 48, "sha512": 64}[name]


def _with_unsigned_attribute(signed: bytes, index: int, attribute: bytes) -> bytes:
    """The same SignedData with one more unsigned attribute; signer infos in DER's order."""
    outer = der.read_only(signed, der.SEQUENCE)
    content_type, wrapper = der.children(signed, outer)
    (body,) = der.children(signed, wrapper)
    *kept, signer_infos = der.children(signed, body)
    infos = [signed[e.start : e.end] for e in der.children(signed, signer_infos)]
    infos[index] = _extended(infos[index], attribute)
    before = signed[kept[0].start : kept[-1].end]
    return der.sequence(
        signed[content_type.start : content_type.end],
        der.explicit(0, der.sequence(before, der.set_of(infos))),
    )


def _extended(signer_info: bytes, attribute: bytes) -> bytes:
    parts = list(der.children(signer_info, der.read_only(signer_info, der.SEQUENCE)))
    attributes = [attribute]
    if parts[-1].tag == 0xA1:
        unsigned = parts.pop()
        attributes += [signer_info[e.start : e.end] for e in der.children(signer_info, unsigned)]
    before = signer_info[parts[0].start : parts[-1].end]
    return der.sequence(before, der.explicit(1, b"".join(sorted(attributes))))
