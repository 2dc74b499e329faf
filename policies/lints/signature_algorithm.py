"""The signature algorithm is a current one, and one that the issuer's key can make."""

from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint

_LEAST_STRENGTH = 112


def check(candidate: Candidate) -> Iterator[str]:
    certificate = candidate.certificate
    suite = certificate.signature_suite
    if suite is None:
        yield "the signature algorithm is unknown or encoded unusually"
        return
    if suite.strength < _LEAST_STRENGTH:
        yield f"{suite.name} is too weak"
    if certificate.not_before.date() > suite.acceptable_until:
        yield f"{suite.name} is not acceptable any more"
    signer = candidate.issuer or certificate
    if not signer.public_key.fits(suite):
        yield "the issuer's key cannot make such a signature"


LINT = Lint("signature-algorithm", "7.1.3", "RFC 5280, 4.1.1.2; NIST SP 800-57", check)
