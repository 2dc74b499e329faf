"""A timestamp token as evidence (RFC 3161, 2.4.2; EN 319 422)."""

from collections.abc import Sequence
from datetime import UTC

from cryptography.hazmat import asn1

from kernel.asn1 import cms, der, tsp
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed
from signing_service.formats.cms import signed_data
from signing_service.formats.cms.evidence import Covered, signer_evidence
from signing_service.formats.document import Digestible
from signing_service.validation.evidence import (
    DigestReference,
    TimestampEvidence,
    TimestampKind,
)

MAX_TOKEN_BYTES = 64 * 1024


def read_timestamp(
    token: bytes,
    kind: TimestampKind,
    covered: bytes | Digestible | None,
    *,
    known: Sequence[Certificate] = (),
    covers: frozenset[bytes] = frozenset(),
) -> TimestampEvidence:
    """Take a token apart, against the octets that it should cover.

    `token` is the ContentInfo, DER or BER; `known` are certificates beside the embedded ones;
    `covers` goes into the evidence as it is.
    Raises Malformed `timestamp.malformed` and what `signed_data.read` raises.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise Malformed("timestamp.malformed", "the timestamp token is too large")
    message = signed_data.read(token)
    if message.content_type != cms.ID_TST_INFO or message.content is None:
        raise Malformed("timestamp.malformed", "not a timestamp token")
    if len(message.signers) != 1:
        raise Malformed("timestamp.malformed", "a token has one signer (RFC 3161, 2.4.2)")
    info = read_tst_info(message.content)
    digest = imprint_digest(info.message_imprint)
    imprint = DigestReference(
        "timestamp imprint",
        digest,
        info.message_imprint.hashed_message,
        None if covered is None else signed_data.digest_of(digest, covered),
    )
    signature = signer_evidence(
        message,
        message.signers[0],
        Covered("timestamp content", message.content, whole=True),
        known=known,
    )
    return TimestampEvidence(
        kind=kind,
        token=token,
        generated_at=info.generated_at.as_datetime().astimezone(UTC),
        accuracy_seconds=info.accuracy.total_seconds() if info.accuracy else 0.0,
        serial=info.serial,
        policy=info.policy.dotted_string,
        imprint=imprint,
        signature=signature,
        covers=covers,
    )


def read_tst_info(content: bytes) -> tsp.TstInfo:
    """Raises Malformed `timestamp.malformed`."""
    try:
        info = asn1.decode_der(tsp.TstInfo, content)
    except ValueError:
        raise Malformed("timestamp.malformed", "not a TSTInfo") from None
    if info.version != 1:
        raise Malformed("timestamp.malformed", "a TSTInfo of another version")
    return info


def imprint_digest(imprint: tsp.MessageImprint) -> str:
    """hashlib's name, or the dotted identifier. Raises Malformed."""
    algorithm = der.sequence(*map(der.encoded, imprint.hash_algorithm))
    known = signed_data.DIGEST_ALGORITHMS.get(algorithm)
    return known or signed_data.algorithm_oid(algorithm)
