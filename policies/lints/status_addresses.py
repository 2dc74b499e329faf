"""Addresses of CRL, OCSP and issuer stand where the profile says, over plain http."""

from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint
from policies.oids import AUTHORITY_INFORMATION_ACCESS, CRL_DISTRIBUTION_POINTS


def check(candidate: Candidate) -> Iterator[str]:
    certificate, profile = candidate.certificate, candidate.profile
    addresses = (
        ("CRL", certificate.crl_urls, profile.crl_address),
        ("OCSP", certificate.ocsp_urls, profile.ocsp_address),
        ("caIssuers", certificate.ca_issuers_urls, profile.issuer_address),
    )
    for name, urls, wanted in addresses:
        if bool(urls) is not wanted:
            yield f"the {name} address stands: {bool(urls)}, but the profile says {wanted}"
        if any(not url.startswith("http://") for url in urls):
            yield f"the {name} address is not an http address"
    for oid in (AUTHORITY_INFORMATION_ACCESS, CRL_DISTRIBUTION_POINTS):
        if oid in certificate.critical_extensions:
            yield "an extension of status addresses is critical"


LINT = Lint("status-addresses", "4.10.1", "RFC 5280, 4.2.1.13 and 4.2.2.1", check)
