"""keyUsage is critical, exactly the profile's, and what the kind of key can do."""

from collections.abc import Iterator

from kernel.algorithms import KeyKind
from policies.lints.framework import Candidate, Lint
from policies.oids import KEY_USAGE


def check(candidate: Candidate) -> Iterator[str]:
    certificate, profile, issuer = candidate.certificate, candidate.profile, candidate.issuer
    if not certificate.has_key_usage:
        yield "no keyUsage"
        return
    if KEY_USAGE not in certificate.critical_extensions:
        yield "keyUsage is not critical"
    kind = certificate.public_key.kind
    if certificate.key_usage != frozenset(profile.key_usage_of(kind)):
        yield "other key usages than the profile's: " + ", ".join(sorted(certificate.key_usage))
    if kind is KeyKind.EC and "keyEncipherment" in certificate.key_usage:
        yield "an elliptic-curve key enciphers no key"
    if kind is KeyKind.RSA and "keyAgreement" in certificate.key_usage:
        yield "an RSA key agrees on no key"
    if "keyCertSign" in certificate.key_usage and not certificate.is_ca:
        yield "keyCertSign without CA"
    if issuer is not None and "keyCertSign" not in issuer.key_usage:
        yield "the issuer's key may not sign certificates"


LINT = Lint("key-usage", "6.1.7", "RFC 5280, 4.2.1.3", check)
