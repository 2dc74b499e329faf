"""Version 3, no unique identifiers."""

from collections.abc import Iterator

from kernel.asn1 import der
from policies.lints.framework import Candidate, Lint

_VERSION_3 = der.explicit(0, der.integer(2))
_UNIQUE_IDENTIFIERS = (0x81, 0x82, 0xA1, 0xA2)


def check(candidate: Candidate) -> Iterator[str]:
    tbs = candidate.certificate.tbs
    fields = list(der.children(tbs, der.read(tbs)))
    if tbs[fields[0].start : fields[0].end] != _VERSION_3:
        yield "not a certificate of version 3"
    if any(field.tag in _UNIQUE_IDENTIFIERS for field in fields):
        yield "a unique identifier stands in the certificate"


LINT = Lint("version", "7.1.1", "RFC 5280, 4.1.2.1 and 4.1.2.8", check)
