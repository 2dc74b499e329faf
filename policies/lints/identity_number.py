"""No subject holds the number of an identity card: certificates are public."""

from collections.abc import Iterator

from policies.identity_number import holds_identity_number
from policies.lints.framework import Candidate, Lint
from policies.oids import SUBJECT_ATTRIBUTES

# An enterprise's own code has 18 characters too and may look like one by chance.
_ENTERPRISE = SUBJECT_ATTRIBUTES["organization_identifier"]


def check(candidate: Candidate) -> Iterator[str]:
    for oid, values in candidate.certificate.subject.items():
        if oid != _ENTERPRISE and any(holds_identity_number(value) for value in values):
            yield "an identity card's number stands in the subject"


LINT = Lint("identity-number", "9.4.2", "Personal Information Protection Law, 28", check)
