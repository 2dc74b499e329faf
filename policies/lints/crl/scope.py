"""The scope is critical, a delta list points at no other, addresses are plain http."""

from collections.abc import Iterator

from policies import oids
from policies.lints.crl.framework import ListLint, RevocationList


def check(candidate: RevocationList) -> Iterator[str]:
    scope = candidate.extensions.get(oids.ISSUING_DISTRIBUTION_POINT)
    if scope is not None and not scope.critical:
        yield "the issuing distribution point is not critical"
    freshest = candidate.extensions.get(oids.FRESHEST_CRL)
    if freshest is not None:
        if freshest.critical:
            yield "freshestCRL is critical"
        if oids.DELTA_CRL_INDICATOR in candidate.extensions:
            yield "a delta list names another"
    for extension in (scope, freshest):
        if extension is not None and b"http://" not in extension.value:
            yield "an address is not an http address"


LINT = ListLint("crl-scope", "7.2.2", "RFC 5280, 5.2.5 and 5.2.6", check)
