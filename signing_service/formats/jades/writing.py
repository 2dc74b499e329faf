"""JAdES signatures written (TS 119 182-1): compact, flattened or general JSON, level B-B."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.document import Document
from signing_service.formats.jades import jose_json as json
from signing_service.formats.jades.content import Octets, signed_objects
from signing_service.formats.jades.header import signed_header
from signing_service.formats.jades.levels import add_signature_timestamp
from signing_service.formats.jades.message import JwsMessage, JwsSignature, Serialisation
from signing_service.formats.prepared import (
    MAX_DOCUMENT_BYTES,
    PreparedSignature,
    check_chain,
    choose_suite,
)
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import Packaging, SignatureFormat

DOCUMENT_NAME = "document"
"""The name of a detached document that was given none."""


def prepare(
    document: Document | Mapping[str, Document],
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    packaging: Packaging = Packaging.ENVELOPING,
    serialisation: Serialisation = Serialisation.COMPACT,
    suite: AlgorithmSuite | None = None,
    claims: Claims = NO_CLAIMS,
    content_timestamper: Timestamper | None = None,
) -> PreparedSignature:
    """First step: the JWS signing input (RFC 7515, 5.1).

    Enveloping: the document is the payload. Detached: a document, or several objects by name,
    are named by `sigD` with their digests and supplied again for verification. With a
    `content_timestamper` the content is stamped before it is signed (5.2.6). Raises TooLarge
    `document.too-large`; Unprocessable `packaging.unfit`, `algorithm.unfit`, `chain.too-long`,
    `jades.objects`, `document.digest`; and as `Timestamper.stamp`.
    """
    suite = choose_suite(certificate, suite)
    chain = check_chain(chain)
    more: dict[str, Any] = {}
    payload = ""
    if packaging is Packaging.DETACHED:
        objects = document if isinstance(document, Mapping) else {DOCUMENT_NAME: document}
        for each in objects.values():
            _check_size(each)
        more = signed_objects(objects, suite.digest, claims.mime_type)
        octets = Octets(tuple(objects.values()), encoded=False)
    elif packaging is Packaging.ENVELOPING and isinstance(document, bytes):
        _check_size(document)
        payload = json.encode(document)
        octets = Octets((document,), encoded=True)
    else:
        raise Unprocessable("packaging.unfit", "JAdES is detached, or envelops a whole document")
    if content_timestamper is not None:
        more["adoTst"] = _stamp(octets, content_timestamper, suite)
    header = signed_header(certificate, chain, suite, signing_time, claims, more)
    to_be_signed = f"{json.encode(json.serialise(header))}.{payload}".encode("ascii")
    return PreparedSignature(
        SignatureFormat.JADES, packaging, suite, certificate, chain, to_be_signed,
        der.utf8_string(serialisation),
    )  # fmt: skip


def assemble(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    """Last step: the JWS in its serialisation. The value has the X.509 shape.

    Raises Unprocessable `signature.mismatch`; Malformed `prepared.malformed`.
    """
    if prepared.format is not SignatureFormat.JADES:
        raise Malformed("prepared.malformed", "prepared for another format")
    prepared.check(signature_value)
    return _assemble(prepared, signature_value)


def sign(
    document: Document | Mapping[str, Document],
    key: KeyHandle,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    packaging: Packaging = Packaging.ENVELOPING,
    serialisation: Serialisation = Serialisation.COMPACT,
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
        document, certificate, signing_time, chain=chain, packaging=packaging,
        serialisation=serialisation, suite=key.suite, claims=claims,
    )  # fmt: skip
    signed = _assemble(prepared, key.sign(prepared.to_be_signed))
    return signed if timestamper is None else add_signature_timestamp(signed, timestamper)


def signature_of(prepared: PreparedSignature, signature_value: bytes) -> JwsSignature:
    """The signature without its payload. Raises Malformed `prepared.malformed`."""
    protected, _, _ = prepared.to_be_signed.partition(b".")
    if not protected.isascii():
        raise Malformed("prepared.malformed", "not a prepared JWS")
    raw = prepared.suite.to_raw(signature_value)
    return JwsSignature(protected.decode("ascii"), json.encode(raw))


def _assemble(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    try:
        name = der.read_only(prepared.body, 0x0C)
        serialisation = Serialisation(prepared.body[name.content : name.end].decode())
        payload = prepared.to_be_signed.partition(b".")[2].decode("ascii")
    except (ValueError, Malformed):
        raise Malformed("prepared.malformed", "not a prepared JWS") from None
    return JwsMessage(serialisation, payload, (signature_of(prepared, signature_value),)).encode()


def _check_size(document: Document) -> None:
    if isinstance(document, bytes) and len(document) > MAX_DOCUMENT_BYTES:
        raise TooLarge("document.too-large", "the document is too large")


def _stamp(octets: Octets, timestamper: Timestamper, suite: AlgorithmSuite) -> dict[str, Any]:
    imprint = octets.digest(suite.digest)
    assert imprint is not None  # a suite's digest is always known
    token = timestamper.stamp(imprint, suite.digest)
    return {"tstTokens": [{"val": json.encode_base64(token)}]}
