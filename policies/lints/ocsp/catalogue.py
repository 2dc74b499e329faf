"""Every lint of OCSP answers, and how they are run on the bytes that are about to be signed."""

from kernel.asn1.certificate import Certificate
from policies.lints.framework import Finding
from policies.lints.ocsp import extensions, responder, status, times
from policies.lints.ocsp.framework import read

LINTS = tuple(module.LINT for module in (responder, times, status, extensions))


def lint_answer(data: bytes, by: Certificate) -> list[Finding]:
    """What is wrong with a ResponseData that the responder `by` is about to sign; empty: nothing.

    Raises Malformed `ocsp.malformed`.
    """
    answer = read(data, by)
    return [finding for lint in LINTS for finding in lint.findings(answer)]
