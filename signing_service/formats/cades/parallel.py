"""Several signers in one SignedData: side by side, and one upon another's signature."""

from collections.abc import Sequence
from datetime import datetime

from cryptography.x509 import ObjectIdentifier

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import cms
from kernel.asn1.certificate import Certificate
from kernel.refusals import Conflict, Malformed, Unprocessable
from signing_service.formats import counter_body
from signing_service.formats.cades import writing as cades_writing
from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.cms import signed_data
from signing_service.formats.cms.signed_data import MAX_SIGNERS, SignedMessage
from signing_service.formats.cms.signed_data_parts import Parts
from signing_service.formats.prepared import PreparedSignature, check_chain, choose_suite
from signing_service.validation.evidence import Packaging, SignatureFormat

_ARCHIVE_TIMESTAMP = ObjectIdentifier(cms.ID_ARCHIVE_TIMESTAMP_V3)


def merge(signed: bytes, another: bytes) -> bytes:
    """Parallel signatures: the signers of `another` beside those of `signed`.

    Both must be over the same content. The signers keep their order, those of `another` follow;
    what archive timestamps cover stays covered. Raises Unprocessable `document.other`; Malformed
    `cms.*`.
    """
    first, second = signed_data.read(signed), signed_data.read(another)
    digests = {signer.digest: signer.message_digest for signer in first.signers}
    same = all(
        digests.get(signer.digest, signer.message_digest) == signer.message_digest
        for signer in second.signers
    )
    if not same or not _same_content(first, second):
        raise Unprocessable("document.other", "the signatures are over different documents")
    if len(first.signers) + len(second.signers) > MAX_SIGNERS:
        raise Malformed("cms.too-many", "at most {most} signers", most=MAX_SIGNERS)
    ours, theirs = Parts.read(signed), Parts.read(another)
    algorithms = tuple(dict.fromkeys((*ours.digest_algorithms, *theirs.digest_algorithms)))
    merged = Parts(
        content_type=ours.content_type,
        version=max(ours.version, theirs.version),
        digest_algorithms=algorithms,
        content_info=ours.content_info,
        certificates=ours.certificates,
        revocation_infos=ours.revocation_infos,
        signers=ours.signers + theirs.signers,
    )
    merged = merged.with_certificates(*theirs.certificates)
    return merged.with_revocation_infos(*theirs.revocation_infos).encode()


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
    """First step of a signature upon the value of signer number `signer` (5.2.7; RFC 5652, 11.4).

    Raises Malformed `cms.*`; Conflict `cades.archived`, because what an archive timestamp stands
    for is finished; Unprocessable `algorithm.unfit`, `chain.too-long`.
    """
    suite = choose_suite(certificate, suite)
    message = signed_data.read(signed)
    if not 0 <= signer < len(message.signers):
        raise Malformed("cms.no-signature", "there is no such signer")
    subject = message.signers[signer]
    if any(attribute.type == _ARCHIVE_TIMESTAMP for attribute in subject.unsigned):
        raise Conflict("cades.archived", "an archived signature is not signed upon any more")
    to_be_signed = cades_writing.signed_attributes(
        suite.hash(subject.signature),
        certificate,
        suite,
        signing_time,
        chain=check_chain(chain),
        claims=claims,
        content_type=None,
    )
    body = counter_body.encode(signer, signed)
    return PreparedSignature(
        SignatureFormat.CADES,
        Packaging.DETACHED,
        suite,
        certificate,
        tuple(chain),
        to_be_signed,
        body,
    )


def assemble_counter_signature(prepared: PreparedSignature, signature_value: bytes) -> bytes:
    """Last step: the signed message with the counter-signature in it.

    Raises Unprocessable `signature.mismatch`; Malformed `prepared.malformed`.
    """
    prepared.check(signature_value)
    index, signed = counter_body.read(prepared.body)
    parts = Parts.read(signed)
    info = cades_writing.signer_info(prepared, signature_value)
    countersigned = parts.signer(index).with_attribute(
        cms.attribute(cms.ID_COUNTER_SIGNATURE, info)
    )
    chain = (prepared.certificate, *prepared.chain)
    with_signer = parts.with_signer(index, countersigned)
    return with_signer.with_certificates(*(each.der for each in chain)).encode()


def _same_content(first: SignedMessage, second: SignedMessage) -> bool:
    return first.content_type == second.content_type and first.content == second.content
