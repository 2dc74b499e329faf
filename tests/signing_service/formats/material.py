"""Revocation material by the software authority, for the long-term levels."""

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from kernel.asn1.certificate import Certificate
from signing_service.formats.validation_material import ValidationMaterial
from tests.software_keys import Identity, SoftwareAuthority


def crl_of(authority: SoftwareAuthority, issuer: Identity) -> bytes:
    """An empty CRL of the issuer, DER."""
    certificate = x509.load_der_x509_certificate(issuer.certificate.der)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(certificate.subject)
        .last_update(authority.now)
        .next_update(authority.now + timedelta(days=30))
    )
    signed = builder.sign(issuer.key.private_key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


def ocsp_of(authority: SoftwareAuthority, certificate: Certificate) -> bytes:
    """An OCSPResponse by the issuing CA itself: good."""
    issuer = authority.issuing
    builder = ocsp.OCSPResponseBuilder().add_response(
        x509.load_der_x509_certificate(certificate.der),
        x509.load_der_x509_certificate(issuer.certificate.der),
        hashes.SHA1(),
        ocsp.OCSPCertStatus.GOOD,
        authority.now,
        authority.now + timedelta(days=30),
        None,
        None,
    )
    responder = x509.load_der_x509_certificate(issuer.certificate.der)
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder)
    response = builder.sign(issuer.key.private_key, hashes.SHA256())
    return response.public_bytes(serialization.Encoding.DER)


def material_for(authority: SoftwareAuthority, *certificates: Certificate) -> ValidationMaterial:
    """Chain, OCSP responses and CRLs for end entities of the authority."""
    return ValidationMaterial(
        certificates=(
            *(certificate.der for certificate in certificates),
            authority.issuing.certificate.der,
            authority.root.certificate.der,
        ),
        ocsp=tuple(ocsp_of(authority, certificate) for certificate in certificates),
        crls=(crl_of(authority, authority.root), crl_of(authority, authority.issuing)),
    )
