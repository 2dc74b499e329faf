"""id-pkix-ocsp-nocheck stands in certificates of OCSP responders and nowhere else."""

from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint


def check(candidate: Candidate) -> Iterator[str]:
    if candidate.certificate.has_ocsp_nocheck is not candidate.profile.ocsp_nocheck:
        yield "id-pkix-ocsp-nocheck does not stand as the profile says"


LINT = Lint("ocsp-nocheck", "7.1.2", "RFC 6960, 4.2.2.2.1", check)
