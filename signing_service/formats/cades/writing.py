"""CAdES signatures written (EN 319 122-1): detached and enveloping, level B-B.

Written from ready-made DER: what depends on signer and chain alone is encoded once.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import cms, der
from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.formats.cades.attributes import claimed_attributes
from signing_service.formats.cades.levels import add_signature_timestamp
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.cms import signed_data
from signing_service.formats.document import Document
from signing_service.formats.prepared import (
    MAX_DOCUMENT_BYTES,
    PreparedSignature,
    check_chain,
    choose_suite,
)
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import Packaging, SignatureFormat

DATA_TYPE = cms.attribute(cms.ID_CONTENT_TYPE, der.oid(cms.ID_DATA))
_MESSAGE_DIGEST_OID = der.oid(cms.ID_MESSAGE_DIGEST)
_SIGNING_TIME_OID = der.oid(cms.ID_SIGNING_TIME)
_DETACHED_CONTENT_INFO = der.sequence(der.oid(cms.ID_DATA))
_VERSION_1 = 1


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
    document: Document | None,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    digest: bytes | None = None,
    packaging: Packaging = Packaging.DETACHED,
    suite: AlgorithmSuite | None = None,
    claims: Claims = NO_CLAIMS,
    content_timestamper: Timestamper | None = None,
) -> PreparedSignature:
    """First step: the signed attributes over `document`, or over its `digest` under the suite.

    `chain` is embedded beside the signer's certificate. `signing_time` is the claimed time.
    With a `content_timestamper` the document is stamped before it is signed (5.2.8). A
    StreamedDocument is signed detached, its digest made piece by piece. Raises TooLarge
    `document.too-large`; Unprocessable `document.digest`, `packaging.unfit`, `algorithm.unfit`,
    `chain.too-long`; and as `Timestamper.stamp`.
    """
    suite = choose_suite(certificate, suite)
    if document is not None:
        if digest is not None:
            raise Unprocessable("document.digest", "a document or its digest, not both")
        digest = _document_digest(document, suite)
    elif digest is None or len(digest) != _digest_size(suite.digest):
        raise Unprocessable("document.digest", "a {digest} digest is needed", digest=suite.digest)
    body = b""
    if packaging is Packaging.ENVELOPING and isinstance(document, bytes):
        body = document
    elif packaging is not Packaging.DETACHED:
        raise Unprocessable("packaging.unfit", "CAdES is detached, or envelops a whole document")
    chain = check_chain(chain)
    more = []
    if content_timestamper is not None:
        token = content_timestamper.stamp(digest, suite.digest)
        more.append(cms.attribute(cms.ID_CONTENT_TIMESTAMP, token))
    to_be_signed = signed_attributes(
        digest, certificate, suite, signing_time, chain=chain, claims=claims, more=more
    )
    return PreparedSignature(
        SignatureFormat.CADES, packaging, suite, certificate, chain, to_be_signed, body
    )


def assemble(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    """Last step: the CMS SignedData, DER. The value has the X.509 shape.

    Raises Unprocessable `signature.mismatch` when the value is not the certificate's.
    """
    if prepared.format is not SignatureFormat.CADES:
        raise Malformed("prepared.malformed", "prepared for another format")
    prepared.check(signature_value)
    return _assemble(prepared, signature_value)


def sign(
    document: Document,
    key: KeyHandle,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    packaging: Packaging = Packaging.DETACHED,
    timestamper: Timestamper | None = None,
    claims: Claims = NO_CLAIMS,
) -> bytes:
    """All three steps with a key at hand: B-B, or B-T with a `timestamper`.

    Raises as `prepare`, `KeyHandle.sign` and `Timestamper.stamp`; Unprocessable
    `signature.mismatch` when the key is not the certificate's.
    """
    if key.public_key.spki != certificate.spki:
        raise Unprocessable("signature.mismatch", "the key is not the certificate's")
    prepared = prepare(
        document, certificate, signing_time,
        chain=chain, packaging=packaging, suite=key.suite, claims=claims,
    )  # fmt: skip
    signed = _assemble(prepared, key.sign(prepared.to_be_signed))
    return signed if timestamper is None else add_signature_timestamp(signed, timestamper)


def signed_attributes(
    digest: bytes,
    certificate: Certificate,
    suite: AlgorithmSuite,
    signing_time: datetime,
    *,
    chain: tuple[Certificate, ...],
    claims: Claims,
    content_type: bytes | None = DATA_TYPE,
    more: Sequence[bytes] = (),
) -> bytes:
    """The SET of signed attributes over a message digest, DER: what the key signs.

    `content_type` is the attribute, or None for a counter-signature.
    """
    attributes = [
        der.sequence(_SIGNING_TIME_OID, der.tlv(der.SET, der.time(signing_time))),
        der.sequence(_MESSAGE_DIGEST_OID, der.tlv(der.SET, der.octet_string(digest))),
        _constants(suite, certificate, chain).signing_certificate,
        *more,
    ]
    if content_type is not None:
        attributes.append(content_type)
    if claims is not NO_CLAIMS:
        attributes += claimed_attributes(claims)
    return der.set_of(attributes)


def signer_info(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    """The SignerInfo, DER."""
    constants = _constants(prepared.suite, prepared.certificate, prepared.chain)
    return der.sequence(
        constants.signer_info_head,
        b"\xa0" + prepared.to_be_signed[1:],
        constants.signature_algorithm,
        der.octet_string(signature_value),
    )


def _document_digest(document: Document, suite: AlgorithmSuite) -> bytes:
    if isinstance(document, bytes):
        if len(document) > MAX_DOCUMENT_BYTES:
            raise TooLarge("document.too-large", "the document is too large")
        return suite.hash(document)
    digest = signed_data.digest_of(suite.digest, document)
    if digest is None:
        raise Unprocessable("document.digest", "the document's digest cannot be made")
    return digest


def _assemble(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    constants = _constants(prepared.suite, prepared.certificate, prepared.chain)
    content_info = _DETACHED_CONTENT_INFO
    if prepared.packaging is Packaging.ENVELOPING:
        content = der.explicit(0, der.octet_string(prepared.body))
        content_info = der.sequence(der.oid(cms.ID_DATA), content)
    return cms.signed_data(
        version=_VERSION_1,
        digest_algorithm=constants.digest_algorithm,
        content_info=content_info,
        certificates=constants.certificates,
        signer_info=signer_info(prepared, signature_value),
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
    return {"sha256": 32, "sm3": 32, "sha384": 48, "sha512": 64}[name]
