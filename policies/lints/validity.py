"""The period of validity lies inside the profile's and the issuer's."""

from collections.abc import Iterator
from datetime import timedelta

from policies.lints.framework import Candidate, Lint


def check(candidate: Candidate) -> Iterator[str]:
    certificate, profile, issuer = candidate.certificate, candidate.profile, candidate.issuer
    if certificate.not_after <= certificate.not_before:
        yield "the end of validity is not after its beginning"
    # Both ends belong to the period (RFC 5280, 4.1.2.5), hence the second.
    period = certificate.not_after - certificate.not_before + timedelta(seconds=1)
    if period > timedelta(days=profile.validity_days):
        yield f"valid for more than the profile's {profile.validity_days} days"
    if issuer is not None:
        if certificate.not_before < issuer.not_before:
            yield "valid before its issuer"
        if certificate.not_after > issuer.not_after:
            yield "valid after its issuer"


LINT = Lint("validity", "6.3.2", "RFC 5280, 4.1.2.5; the profile's validity_days", check)
