"""subjectAltName stands where the profile says: DNS names alone, the common name among them."""

from collections.abc import Iterator

from policies.dns_names import MOST_NAMES, fault_of_dns_name
from policies.lints.framework import Candidate, Lint
from policies.oids import SUBJECT_ALTERNATIVE_NAME, SUBJECT_ATTRIBUTES


def check(candidate: Candidate) -> Iterator[str]:
    certificate = candidate.certificate
    stands = certificate.extension(SUBJECT_ALTERNATIVE_NAME) is not None
    if stands is not (candidate.profile.alternative_names == "dns"):
        yield f"it stands: {stands}, but the profile says otherwise"
    if not stands:
        return
    names = certificate.dns_names
    if not 1 <= len(names) <= MOST_NAMES or len(set(names)) != len(names):
        yield f"not 1 to {MOST_NAMES} different DNS names"
    if certificate.alternative_name_count != len(names):
        yield "a name of another kind"
    for name in names:
        fault = fault_of_dns_name(name)
        if fault is not None:
            yield f"{name}: {fault.said()}"
    if certificate.attribute(SUBJECT_ATTRIBUTES["common_name"]) not in names:
        yield "the common name is not among the names"
    if SUBJECT_ALTERNATIVE_NAME in certificate.critical_extensions:
        yield "subjectAltName is critical though the subject has a name"


LINT = Lint("alternative-names", "7.1.4", "RFC 5280, 4.2.1.6; CA/B BR, 7.1.2.7", check)
