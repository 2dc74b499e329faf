"""basicConstraints says what the profile says: nobody becomes an authority by mistake."""

from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint
from policies.oids import BASIC_CONSTRAINTS


def check(candidate: Candidate) -> Iterator[str]:
    certificate, profile, issuer = candidate.certificate, candidate.profile, candidate.issuer
    if certificate.extension(BASIC_CONSTRAINTS) is None:
        yield "no basicConstraints"
        return
    if BASIC_CONSTRAINTS not in certificate.critical_extensions:
        yield "basicConstraints is not critical"
    if certificate.is_ca is not profile.ca:
        yield f"CA is {certificate.is_ca}, but the profile says {profile.ca}"
    if certificate.path_length != profile.path_length:
        yield "another path length than the profile's"
    if issuer is None:
        return
    if not issuer.is_ca:
        yield "the issuer is not an authority"
    if certificate.is_ca and issuer.path_length is not None:
        own = certificate.path_length
        if issuer.path_length == 0 or own is None or own >= issuer.path_length:
            yield "deeper than the issuer's path length allows"


LINT = Lint("basic-constraints", "7.1.2", "RFC 5280, 4.2.1.9", check)
