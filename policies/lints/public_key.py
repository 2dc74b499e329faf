"""The subject's key is strong enough and of a kind that the profile allows."""

from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint


def check(candidate: Candidate) -> Iterator[str]:
    key = candidate.certificate.public_key
    weakness = key.weakness()
    if weakness is not None:
        yield weakness.said()
    if not candidate.profile.accepts_key(key):
        yield "the profile does not allow this kind of key"
    issuer = candidate.issuer
    if issuer is not None and issuer.public_key.spki == key.spki:
        yield "the subject's key is the issuer's own"


LINT = Lint("public-key", "6.1.5", "RFC 5280, 4.1.2.7; CA/B Baseline Requirements, 6.1.5", check)
