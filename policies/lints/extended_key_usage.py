"""extKeyUsage is exactly the profile's; timeStamping is critical and alone."""

from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint
from policies.oids import EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGES

_TIME_STAMPING = EXTENDED_KEY_USAGES["timeStamping"]


def check(candidate: Candidate) -> Iterator[str]:
    certificate, profile = candidate.certificate, candidate.profile
    purposes = certificate.extended_key_usage
    critical = EXTENDED_KEY_USAGE in certificate.critical_extensions
    if purposes != frozenset(profile.extended_key_usage_oids):
        yield "other purposes than the profile's: " + (", ".join(sorted(purposes)) or "none")
    if critical is not (bool(purposes) and profile.extended_key_usage_critical):
        yield "its criticality is not the profile's"
    if _TIME_STAMPING in purposes and (len(purposes) > 1 or not critical):
        yield "timeStamping is not alone, or not critical"


LINT = Lint("extended-key-usage", "6.1.7", "RFC 5280, 4.2.1.12; RFC 3161, 2.3", check)
