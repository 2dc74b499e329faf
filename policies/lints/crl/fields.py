"""Version 2, the issuer's name octet for octet, and an algorithm that the issuer's key can make."""

from collections.abc import Iterator

from kernel.algorithms import SUITES_BY_SIGNATURE_ALGORITHM
from policies.lints.crl.framework import ListLint, RevocationList


def check(candidate: RevocationList) -> Iterator[str]:
    if candidate.version != b"\x02\x01\x01":
        yield "not version 2"
    if candidate.issuer_name != candidate.issuer.subject_der:
        yield "the issuer's name is not the certificate's"
    suite = SUITES_BY_SIGNATURE_ALGORITHM.get(candidate.algorithm)
    if suite is None or not candidate.issuer.public_key.fits(suite):
        yield "the issuer's key cannot make such a signature"


LINT = ListLint("crl-fields", "7.2.1", "RFC 5280, 5.1.2.1 to 5.1.2.3", check)
