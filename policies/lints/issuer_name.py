"""The issuer field repeats the issuer's subject, octet for octet, so that paths can be built."""

from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint


def check(candidate: Candidate) -> Iterator[str]:
    certificate, issuer = candidate.certificate, candidate.issuer
    if issuer is None:
        if not certificate.is_self_issued:
            yield "self-signed, but issuer and subject differ"
    elif certificate.issuer_der != issuer.subject_der:
        yield "the issuer is not the subject of the issuing certificate"
    elif certificate.is_self_issued is not candidate.profile.self_issued:
        yield "the subject's name is the issuer's own, or is not where it should be"


LINT = Lint("issuer-name", "7.1.4", "RFC 5280, 4.1.2.4 and 7.1", check)
