"""From one CMS signer to format-neutral evidence (EN 319 122-1 attributes)."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography.hazmat import asn1

from kernel.algorithms import (
    SM2_SM3,
    SUITES,
    SUITES_BY_SIGNATURE_ALGORITHM,
    AlgorithmSuite,
    KeyKind,
    Padding,
    PublicKey,
)
from kernel.asn1 import cms, der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal
from signing_service.formats.cms.signed_data import (
    DIGEST_ALGORITHMS,
    SignedMessage,
    Signer,
    algorithm_oid,
    digest_of,
    read_time,
)
from signing_service.formats.document import Digestible
from signing_service.formats.remembering import remembered
from signing_service.validation.evidence import (
    CertificateReference,
    DigestReference,
    Packaging,
    SignatureEvidence,
    SignatureFormat,
    TimestampEvidence,
)

_SIGNING_TIME = der.oid(cms.ID_SIGNING_TIME)
_SIGNING_CERTIFICATE = der.oid(cms.ID_SIGNING_CERTIFICATE)
_SIGNING_CERTIFICATE_V2 = der.oid(cms.ID_SIGNING_CERTIFICATE_V2)
_SIGNATURE_POLICY = der.oid(cms.ID_SIGNATURE_POLICY)
_COMMITMENT_TYPE = der.oid(cms.ID_COMMITMENT_TYPE)
_MIME_TYPE = der.oid(cms.ID_MIME_TYPE)
_SIGNER_ATTRIBUTES = der.oid(cms.ID_SIGNER_ATTRIBUTES_V2)

_RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
_RSA_BY_DIGEST = {
    suite.digest: suite for suite in SUITES.values() if suite.padding is Padding.PKCS1V15
}
_RSA_BY_OID = {suite.signature_oid: suite for suite in _RSA_BY_DIGEST.values()}
_SM2_SIGNATURE = "1.2.156.10197.1.301.1"
_NAMES = {
    "1.2.840.10045.4.1": "ecdsa-with-sha1",
    "1.2.840.113549.1.1.4": "rsa-with-md5",
    _SM2_SIGNATURE: "sm2",
}


class Covered(NamedTuple):
    """What the message digest should cover."""

    name: str
    """In words of a report: `document`, `timestamp content`."""
    content: bytes | Digestible | None
    """None: not presented."""
    whole: bool
    """Whether `content` is all that was presented as the document."""


def signer_evidence(
    message: SignedMessage,
    signer: Signer,
    covered: Covered,
    *,
    known: Sequence[Certificate] = (),
    timestamps: tuple[TimestampEvidence, ...] = (),
    counter_signatures: tuple[SignatureEvidence, ...] = (),
    observations: tuple[str, ...] = (),
) -> SignatureEvidence:
    """Evidence of one signer; `known` are certificates beside the embedded ones.

    Raises Malformed `cms.attributes`.
    """
    try:
        hashes = _certificate_hashes(signer)
        signing_time = _signing_time(signer)
        certificate = _signing_certificate(signer, message.certificates, known, hashes)
        reference = _certificate_reference(certificate, hashes)
        content_type = _text(signer, _MIME_TYPE)
        roles = _roles(signer)
        policy_digest = _policy_digest(signer)
        commitment = _first_identifier(signer, _COMMITMENT_TYPE)
        policy = _first_identifier(signer, _SIGNATURE_POLICY)
    except (ValueError, Malformed):
        raise Malformed("cms.attributes", "a signed attribute cannot be read") from None
    spki = None if certificate is None else certificate.spki
    suite, name = _suite(signer.digest, spki, signer.signature_algorithm)
    document = DigestReference(
        covered.name,
        signer.digest,
        signer.message_digest,
        None if covered.content is None else digest_of(signer.digest, covered.content),
    )
    is_cades = reference is not None and message.content_type != cms.ID_TST_INFO
    return SignatureEvidence(
        format=SignatureFormat.CADES if is_cades else SignatureFormat.CMS,
        packaging=Packaging.DETACHED if message.content is None else Packaging.ENVELOPING,
        suite=suite,
        algorithm_name=name,
        signed_bytes=signer.signed_bytes,
        signature_value=signer.signature,
        references=(document,),
        covers_document=covered.whole,
        signing_certificate=certificate,
        certificate_reference=reference,
        embedded_certificates=message.certificates,
        embedded_crls=message.crls,
        embedded_ocsp=message.ocsp,
        claimed_signing_time=signing_time,
        content_type=content_type,
        timestamps=timestamps,
        counter_signatures=counter_signatures,
        commitment=commitment,
        roles=roles,
        policy=policy,
        policy_digest=policy_digest,
        observations=message.observations + observations,
    )


def _signing_certificate(
    signer: Signer,
    embedded: Sequence[Certificate],
    known: Sequence[Certificate],
    hashes: Sequence[tuple[str, bytes]],
) -> Certificate | None:
    """The one that the signer identifier names; among several, the one that was hashed."""
    candidates = [c for c in (*embedded, *known) if signer.is_by(c)]
    if len(candidates) > 1 and hashes:
        name, value = hashes[0]
        candidates.sort(key=lambda c: digest_of(name, c.der) != value)
    return candidates[0] if candidates else None


def _certificate_hashes(signer: Signer) -> tuple[tuple[str, bytes], ...]:
    """(hashlib's name, hash) of each certificate reference; the first is the signer's."""
    encoded = signer.value(_SIGNING_CERTIFICATE_V2)
    if encoded is not None:
        return _hashes_v2(encoded)
    encoded = signer.value(_SIGNING_CERTIFICATE)
    if encoded is not None:
        v1 = asn1.decode_der(cms.SigningCertificate, encoded)
        return tuple(("sha1", entry.hash) for entry in v1.certificates)
    return ()


@remembered(entries=1024, max_size=1024)
def _hashes_v2(encoded: bytes) -> tuple[tuple[str, bytes], ...]:
    """One signer's attribute is the same in all signatures."""
    v2 = asn1.decode_der(cms.SigningCertificateV2, encoded)
    return tuple((_hash_name(entry.hash_algorithm), entry.hash) for entry in v2.certificates)


def _hash_name(algorithm: list[asn1.TLV] | None) -> str:
    if algorithm is None:
        return "sha256"
    encoded = der.sequence(*map(der.encoded, algorithm))
    return DIGEST_ALGORITHMS.get(encoded) or algorithm_oid(encoded)


def _certificate_reference(
    certificate: Certificate | None, hashes: Sequence[tuple[str, bytes]]
) -> CertificateReference | None:
    if not hashes:
        return None
    name, value = hashes[0]
    if certificate is None:
        return CertificateReference(name, value, matches=False)
    try:
        actual = certificate.digest(name)
    except ValueError:
        return CertificateReference(name, value, matches=False)
    return CertificateReference(name, value, matches=actual == value)


@remembered(entries=1024, max_size=256)
def _suite(digest: str, spki: bytes | None, algorithm: bytes) -> tuple[AlgorithmSuite | None, str]:
    """The suite that an AlgorithmIdentifier means for a key, and the name to show."""
    dotted = algorithm_oid(algorithm)
    suite = SUITES_BY_SIGNATURE_ALGORITHM.get(algorithm) or _RSA_BY_OID.get(dotted)
    if dotted == _RSA_ENCRYPTION:
        # RFC 3370, 3.2: the key's identifier; the digest algorithm says the rest.
        suite = _RSA_BY_DIGEST.get(digest)
    if dotted == _SM2_SIGNATURE and digest == SM2_SM3.digest:
        suite = SM2_SM3  # GM/T 0010, 8: the same way
    if suite is None:
        return None, _NAMES.get(dotted, dotted)
    if suite.kind is KeyKind.EC and spki is not None:
        # One identifier serves every curve, but a suite is a curve with a digest.
        curve = _curve(spki)
        if curve != suite.curve:
            return None, f"ecdsa-with-{suite.digest} on {curve}"
    return suite, suite.name


def _curve(spki: bytes) -> str:
    try:
        return PublicKey.from_spki(spki).curve or "no curve"
    except Refusal:
        return "an unknown curve"


def _signing_time(signer: Signer) -> datetime | None:
    encoded = signer.value(_SIGNING_TIME)
    return None if encoded is None else read_time(encoded)


def _text(signer: Signer, kind: bytes) -> str | None:
    encoded = signer.value(kind)
    return None if encoded is None else asn1.decode_der(str, encoded)


def _roles(signer: Signer) -> tuple[str, ...]:
    """Claimed attributes that are text (EN 319 122-1, 5.2.6.1). Raises ValueError, Malformed."""
    encoded = signer.value(_SIGNER_ATTRIBUTES)
    if encoded is None:
        return ()
    first = next(der.children(encoded, der.read_only(encoded, der.SEQUENCE)), None)
    if first is None or first.tag != 0xA0:
        return ()
    (claimed,) = der.children(encoded, first)
    attributes = cms.attributes(encoded[claimed.content : claimed.end])
    found = [value for attribute in attributes for value in cms.values(attribute)]
    return tuple(asn1.decode_der(str, value) for value in found if value[:1] == b"\x0c")[:16]


def _policy_digest(signer: Signer) -> tuple[str, bytes] | None:
    """SigPolicyHash (EN 319 122-1, 5.2.9.1). Raises ValueError."""
    encoded = signer.value(_SIGNATURE_POLICY)
    if encoded is None or encoded == der.NULL:
        return None
    _, hashed, *_ = der.elements(_inside(encoded))
    algorithm, value = der.elements(_inside(hashed))
    name = DIGEST_ALGORITHMS.get(algorithm) or algorithm_oid(algorithm)
    return name, asn1.decode_der(bytes, value)


def _inside(sequence: bytes) -> bytes:
    """The content octets of a SEQUENCE. Raises Malformed `der.malformed`."""
    element = der.read_only(sequence, der.SEQUENCE)
    return sequence[element.content : element.end]


def _first_identifier(signer: Signer, kind: bytes) -> str | None:
    """The identifier that begins a signature policy or a commitment type."""
    encoded = signer.value(kind)
    # The NULL of an implied policy (EN 319 122-1, 5.2.9.1) names none.
    return None if encoded is None or encoded == der.NULL else algorithm_oid(encoded)
