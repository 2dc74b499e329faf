"""keyUsage is critical and exactly the profile's."""

from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint
from policies.oids import KEY_USAGE


def check(candidate: Candidate) -> Iterator[str]:
    certificate, profile, issuer = candidate.certificate, candidate.profile, candidate.issuer
    if not certificate.has_key_usage:
        yield "no keyUsage"
        return
    if KEY_USAGE not in certificate.critical_extensions:
        yield "keyUsage is not critical"
    if certificate.key_usage != frozenset(profile.key_usage):
        yield "other key usages than the profile's: " + ", ".join(sorted(certificate.key_usage))
    if "keyCertSign" in certificate.key_usage and not certificate.is_ca:
        yield "keyCertSign without CA"
    if issuer is not None and "keyCertSign" not in issuer.key_usage:
        yield "the issuer's key may not sign certificates"


LINT = Lint("key-usage", "RFC 5280, 4.2.1.3", check)
