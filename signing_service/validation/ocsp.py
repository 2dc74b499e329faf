"""What an OCSP response says of one certificate (RFC 6960, 3.2 and 4.2.2.2)."""

import hashlib
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from kernel.algorithms import DIGEST_OIDS, AlgorithmSuite
from kernel.asn1 import der as der_writer
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal
from signing_service.ports import CertificateStatus, StatusAnswer
from signing_service.validation.crl import suite_of

MAX_OCSP_BYTES = 256 * 1024
_SKEW = timedelta(minutes=5)
_OCSP_SIGNING = ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string
_UNREADABLE = (
    ValueError, TypeError, UnsupportedAlgorithm,
    x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType,
)  # fmt: skip
_DIGESTS = {
    der_writer.sequence(der_writer.oid(dotted), parameters): name
    for name, dotted in DIGEST_OIDS.items()
    for parameters in (b"", der_writer.NULL)
}
_STATUS = {
    ocsp.OCSPCertStatus.GOOD: CertificateStatus.GOOD,
    ocsp.OCSPCertStatus.REVOKED: CertificateStatus.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: CertificateStatus.UNKNOWN,
}


def ocsp_answer(
    der: bytes, certificate: Certificate, issuer: Certificate, at: datetime
) -> StatusAnswer | None:
    """The response's answer, or None when it is unusable or about another certificate.

    `der` is an OCSPResponse or a bare BasicOCSPResponse (as CAdES and XAdES embed it).
    """
    response = _parse(der)
    if response is None:
        return None
    try:
        return _answer(response, der, certificate, issuer, at)
    except (
        *_UNREADABLE,
        Malformed,
    ):  # pyca reads times, reasons and the like when they are looked at
        return None


def _answer(
    response: ocsp.OCSPResponse,
    der: bytes,
    certificate: Certificate,
    issuer: Certificate,
    at: datetime,
) -> StatusAnswer | None:
    for single, digest in zip(response.responses, _digests(response), strict=True):
        if single.serial_number != certificate.serial or not _is_issuer(single, digest, issuer):
            continue
        if single.this_update_utc > at + _SKEW or not _is_authorised(response, issuer):
            return None
        reason = single.revocation_reason
        suite = _suite(response)
        return StatusAnswer(
            _STATUS[single.certificate_status],
            single.this_update_utc,
            revoked_at=single.revocation_time_utc,
            reason=None if reason is None else reason.value,
            source="OCSP response",
            evidence=der,
            next_update=single.next_update_utc,
            suite=suite.name if suite is not None else None,
        )
    return None


def _parse(der: bytes) -> ocsp.OCSPResponse | None:
    if len(der) > MAX_OCSP_BYTES:
        return None
    for candidate in (der, _wrapped(der)):
        try:
            response = ocsp.load_der_ocsp_response(candidate)
            if response.response_status is ocsp.OCSPResponseStatus.SUCCESSFUL:
                _ = list(response.responses), response.extensions
                return response
        except _UNREADABLE:
            continue
    return None


def _wrapped(basic: bytes) -> bytes:
    """A BasicOCSPResponse as a successful OCSPResponse (RFC 6960, 4.2.1)."""
    id_pkix_ocsp_basic = bytes.fromhex("06092b0601050507300101")
    body = der_writer.sequence(id_pkix_ocsp_basic, der_writer.tlv(0x04, basic))
    return der_writer.sequence(bytes.fromhex("0a0100"), der_writer.tlv(0xA0, body))


def _digests(response: ocsp.OCSPResponse) -> list[str | None]:
    """hashlib's name of each CertID's hash algorithm (RFC 6960, 4.1.1); None: unknown here. pyca
    has no name for SM3. Raises Malformed `der.malformed`."""
    data = response.tbs_response_bytes
    fields = der_writer.children(data, der_writer.read_only(data, 0x30))
    singles = [field for field in fields if field.tag == 0x30]
    found: list[str | None] = []
    for single in der_writer.children(data, singles[0]):
        identifier, *_ = der_writer.children(data, single)
        algorithm, *_ = der_writer.children(data, identifier)
        found.append(_DIGESTS.get(data[algorithm.start : algorithm.end]))
    return found


def _is_issuer(single: ocsp.OCSPSingleResponse, digest: str | None, issuer: Certificate) -> bool:
    if digest is None:
        return False
    name = hashlib.new(digest, issuer.subject_der).digest()
    key = hashlib.new(digest, _key_bits(issuer.spki)).digest()
    return single.issuer_name_hash == name and single.issuer_key_hash == key


@lru_cache(maxsize=256)
def _key_bits(spki: bytes) -> bytes:
    """The subjectPublicKey BIT STRING's content, which OCSP hashes (RFC 6960, 4.1.1)."""
    outer = der_writer.read_only(spki, 0x30)
    _, bits = der_writer.children(spki, outer)
    return spki[bits.content + 1 : bits.end]


def _is_authorised(response: ocsp.OCSPResponse, issuer: Certificate) -> bool:
    """Signed by the issuer itself or by a responder that the issuer delegated: issued by it,
    for OCSP signing, and not to be checked itself (id-pkix-ocsp-nocheck)."""
    suite = _suite(response)
    if suite is None:
        return False
    for signer in (issuer, *_delegates(response)):
        try:
            if signer is not issuer and not signer.is_signed_by(issuer):
                continue
            if signer.public_key.verify(suite, response.signature, response.tbs_response_bytes):
                return True
        except Refusal:
            continue
    return False


def _suite(response: ocsp.OCSPResponse) -> AlgorithmSuite | None:
    """Of the BasicOCSPResponse inside."""
    whole = response.public_bytes(serialization.Encoding.DER)
    try:
        _, tagged = der_writer.children(whole, der_writer.read_only(whole, 0x30))
        (held,) = der_writer.children(whole, tagged)
        _, octets = der_writer.children(whole, held)
    except (Malformed, ValueError):
        return None
    return suite_of(whole[octets.content : octets.end])


def _delegates(response: ocsp.OCSPResponse) -> list[Certificate]:
    """Responders among the certificates, whoever issued them."""
    found = []
    for embedded in response.certificates[:4]:
        try:
            responder = Certificate.parse(embedded.public_bytes(serialization.Encoding.DER))
        except Refusal:
            continue
        if (
            _OCSP_SIGNING in responder.extended_key_usage
            and responder.has_ocsp_nocheck
            and not responder.critical_unknown_extensions
            and responder.not_before <= response.produced_at_utc <= responder.not_after
        ):
            found.append(responder)
    return found
