"""Every lint of the house, and how they are run on a certificate."""

from kernel.asn1.certificate import Certificate
from policies.lints import (
    alternative_names,
    basic_constraints,
    certificate_policies,
    extended_key_usage,
    extensions,
    identity_number,
    issuer_name,
    key_identifiers,
    key_usage,
    ocsp_nocheck,
    public_key,
    serial_number,
    signature_algorithm,
    status_addresses,
    subject_name,
    subject_text,
    time_encoding,
    validity,
    version,
)
from policies.lints.framework import Candidate, Finding
from policies.profile import CertificateProfile

LINTS = tuple(
    module.LINT
    for module in (
        version,
        serial_number,
        signature_algorithm,
        issuer_name,
        validity,
        time_encoding,
        subject_name,
        subject_text,
        identity_number,
        public_key,
        extensions,
        basic_constraints,
        key_usage,
        extended_key_usage,
        alternative_names,
        key_identifiers,
        certificate_policies,
        status_addresses,
        ocsp_nocheck,
    )
)


def lint_certificate(
    certificate: Certificate, profile: CertificateProfile, issuer: Certificate | None
) -> list[Finding]:
    """What every lint of the house finds, in the order of the catalogue; empty: nothing wrong.

    The signature value of `certificate` does not matter; `issuer` None means self-signed.
    """
    candidate = Candidate(certificate, profile, issuer)
    return [finding for lint in LINTS for finding in lint.findings(candidate)]
