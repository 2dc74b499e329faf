"""Every lint of OCSP answers, and how they are run on the bytes that are about to be signed."""

from policies.lints.framework import Finding
from policies.lints.ocsp import extensions, responder, status, times
from policies.lints.ocsp.framework import Answer

LINTS = tuple(module.LINT for module in (responder, times, status, extensions))


def lint_answer(answer: Answer) -> list[Finding]:
    """What is wrong with an answer that its responder is about to sign; empty: nothing."""
    return [finding for lint in LINTS for finding in lint.findings(answer)]
