"""What a CRL says of one certificate (RFC 5280, 5 and 6.3): complete, direct CRLs."""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from kernel.algorithms import SUITES, AlgorithmSuite, Padding
from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal
from signing_service.ports import CertificateStatus, StatusAnswer

MAX_CRL_BYTES = 32 * 1024 * 1024
_SKEW = timedelta(minutes=5)
_UNDERSTOOD = {
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.CRL_NUMBER,
    ExtensionOID.ISSUING_DISTRIBUTION_POINT,
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
}


def crl_answer(
    der: bytes, certificate: Certificate, issuer: Certificate, at: datetime
) -> StatusAnswer | None:
    """The CRL's answer, or None when it is unusable or does not speak for the certificate."""
    crl = believed_crl(der, issuer)
    return None if crl is None else answer_of(crl, der, certificate, at)


def believed_crl(der: bytes, issuer: Certificate) -> x509.CertificateRevocationList | None:
    """The CRL, when it is `issuer`'s own and genuine; None otherwise."""
    crl = _parse(der)
    if crl is None or crl.issuer.public_bytes() != issuer.subject_der:
        return None
    if issuer.has_key_usage and "cRLSign" not in issuer.key_usage:
        return None
    suite = _suite(crl)
    try:
        key = issuer.public_key
    except Refusal:
        return None
    if suite is None or not key.verify(suite, crl.signature, crl.tbs_certlist_bytes):
        return None
    return crl


def answer_of(
    crl: x509.CertificateRevocationList, der: bytes, certificate: Certificate, at: datetime
) -> StatusAnswer | None:
    """What a CRL that is believed says of a certificate of its issuer; None: nothing."""
    if crl.last_update_utc > at + _SKEW or not _in_scope(crl, certificate):
        return None
    number = _number(crl)
    source = f"CRL {number}" if number is not None else "CRL"
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial)
    if entry is None:
        return StatusAnswer(
            CertificateStatus.GOOD, crl.last_update_utc, source=source, evidence=der
        )
    return StatusAnswer(
        CertificateStatus.REVOKED,
        crl.last_update_utc,
        revoked_at=entry.revocation_date_utc,
        reason=_reason(entry),
        source=source,
        evidence=der,
    )


def _parse(der: bytes) -> x509.CertificateRevocationList | None:
    if len(der) > MAX_CRL_BYTES:
        return None
    try:
        crl = x509.load_der_x509_crl(der)
        _ = crl.extensions, crl.issuer, crl.last_update_utc
    except (ValueError, TypeError, x509.DuplicateExtension):
        return None
    return crl


def _in_scope(crl: x509.CertificateRevocationList, certificate: Certificate) -> bool:
    for extension in crl.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            return False  # a delta CRL among them: it says nothing without its base
        point = extension.value
        if not isinstance(point, x509.IssuingDistributionPoint):
            continue
        if point.indirect_crl or point.only_some_reasons or point.only_contains_attribute_certs:
            return False
        if point.only_contains_ca_certs and not certificate.is_ca:
            return False
        if point.only_contains_user_certs and certificate.is_ca:
            return False
        if point.relative_name is not None:
            return False
        if point.full_name is not None:
            urls = {
                n.value for n in point.full_name if isinstance(n, x509.UniformResourceIdentifier)
            }
            if not urls & set(certificate.crl_urls):
                return False
    return True


def _suite(crl: x509.CertificateRevocationList) -> AlgorithmSuite | None:
    return suite_by_oid(
        crl.signature_algorithm_oid.dotted_string, crl.signature_algorithm_parameters
    )


def suite_by_oid(oid: str, parameters: object) -> AlgorithmSuite | None:
    """Our row for a signature algorithm as pyca reports it; SHA-1 is never good enough."""
    for suite in SUITES.values():
        if suite.signature_oid != oid or suite.digest == "sha1":
            continue
        if suite.padding is Padding.PSS and not isinstance(parameters, padding.PSS):
            continue
        return suite
    return None


def _number(crl: x509.CertificateRevocationList) -> int | None:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return None


def _reason(entry: x509.RevokedCertificate) -> str | None:
    try:
        extension = entry.extensions.get_extension_for_oid(CRLEntryExtensionOID.CRL_REASON)
    except (x509.ExtensionNotFound, ValueError):
        return None
    value = extension.value
    return value.reason.value if isinstance(value, x509.CRLReason) else None
