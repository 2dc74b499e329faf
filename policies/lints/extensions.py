"""No extension stands that no profile asks for: names of machines and people least of all."""

from collections.abc import Iterator

from kernel.asn1 import der
from policies import oids
from policies.lints.framework import Candidate, Lint

_ORDER = (
    oids.AUTHORITY_KEY_IDENTIFIER,
    oids.SUBJECT_KEY_IDENTIFIER,
    oids.SUBJECT_ALTERNATIVE_NAME,
    oids.KEY_USAGE,
    oids.CERTIFICATE_POLICIES,
    oids.BASIC_CONSTRAINTS,
    oids.EXTENDED_KEY_USAGE,
    oids.CRL_DISTRIBUTION_POINTS,
    oids.AUTHORITY_INFORMATION_ACCESS,
    oids.OCSP_NOCHECK,
)
_PLACES = {der.oid(dotted): place for place, dotted in enumerate(_ORDER)}
_EXTENSIONS_TAG = 0xA3


def check(candidate: Candidate) -> Iterator[str]:
    tbs = candidate.certificate.tbs
    last = list(der.children(tbs, der.read(tbs)))[-1]
    if last.tag != _EXTENSIONS_TAG:
        yield "no extensions"
        return
    (listed,) = der.children(tbs, last)
    places = []
    for extension in der.children(tbs, listed):
        kind = next(der.children(tbs, extension))
        place = _PLACES.get(tbs[kind.start : kind.end])
        if place is None:
            yield "an extension that no profile has"
        else:
            places.append(place)
    if places != sorted(set(places)):
        yield "extensions repeated or not in this house's order"


LINT = Lint("extensions", "7.1.2", "RFC 5280, 4.2; the profile as a closed list", check)
