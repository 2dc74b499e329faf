"""certificatePolicies are the profile's, in its order, not critical, each naming the statement."""

from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint
from policies.oids import CERTIFICATE_POLICIES


def check(candidate: Candidate) -> Iterator[str]:
    certificate, profile = candidate.certificate, candidate.profile
    if certificate.policies != profile.policy_oids:
        yield "other policies than the profile's: " + (", ".join(certificate.policies) or "none")
    if CERTIFICATE_POLICIES in certificate.critical_extensions:
        yield "certificatePolicies is critical"
    statements = certificate.policy_statements
    if len(statements) != len(certificate.policies) or len(set(statements)) > 1:
        yield "not every policy names the one practice statement"
    if any(not url.startswith("http://") for url in statements):
        yield "the practice statement is not at an http address"


LINT = Lint("certificate-policies", "7.1.6", "RFC 5280, 4.2.1.4", check)
