"""Several signers of one content: side by side in general JSON, and one upon another's value."""

from collections.abc import Sequence
from datetime import datetime

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Conflict, Malformed, Unprocessable
from signing_service.formats import counter_body
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.jades import jose_json as json
from signing_service.formats.jades.header import signed_header
from signing_service.formats.jades.message import (
    MAX_SIGNATURES,
    JwsMessage,
    Serialisation,
    component_members,
    signature_members,
)
from signing_service.formats.jades.writing import signature_of
from signing_service.formats.prepared import PreparedSignature, check_chain, choose_suite
from signing_service.validation.evidence import Packaging, SignatureFormat


def merge(signed: bytes, another: bytes) -> bytes:
    """Parallel signatures: general JSON with the signatures of both, in order.

    Both must have the same payload; detached ones name their objects each for itself. Raises
    Unprocessable `document.other`; Malformed `jades.*`, `json.*`.
    """
    first, second = JwsMessage.read(signed), JwsMessage.read(another)
    if (first.payload or "") != (second.payload or ""):
        raise Unprocessable("document.other", "the signatures are over different documents")
    signatures = (*first.signatures, *second.signatures)
    if len(signatures) > MAX_SIGNATURES:
        raise Malformed("jades.too-many", "at most {most} signatures", most=MAX_SIGNATURES)
    return JwsMessage(Serialisation.GENERAL, first.payload, signatures).encode()


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
    """First step of a signature upon the value of signature number `signer` (5.3.2).

    Raises Malformed `jades.*`, `json.*`; Conflict `jades.archived`, because what an archive
    timestamp stands for is finished; Unprocessable `algorithm.unfit`, `chain.too-long`.
    """
    suite = choose_suite(certificate, suite)
    chain = check_chain(chain)
    subject = JwsMessage.read(signed).signature(signer)
    if any(component_members(each)[0] == "arcTst" for each in subject.components):
        raise Conflict("jades.archived", "an archived signature is not signed upon any more")
    header = signed_header(certificate, chain, suite, signing_time, claims, {})
    to_be_signed = f"{json.encode(json.serialise(header))}.{subject.value}".encode("ascii")
    body = counter_body.encode(signer, signed)
    return PreparedSignature(
        SignatureFormat.JADES, Packaging.DETACHED, suite, certificate, chain, to_be_signed, body
    )


def assemble_counter_signature(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    """Last step: the signed message with the counter-signature in it.

    Raises Unprocessable `signature.mismatch`; Malformed `prepared.malformed`.
    """
    prepared.check(signature_value)
    signer, signed = counter_body.read(prepared.body)
    message = JwsMessage.read(signed)
    counter = signature_members(signature_of(prepared, signature_value))
    countersigned = message.signature(signer).with_component("cSig", counter)
    return message.with_signature(signer, countersigned).encode()
