"""Reasons of the policy that an officer gives field by field."""

from collections.abc import Mapping

from kernel.refusals import Unprocessable
from policies.registration import Decision, RegistrationPolicy


def require_known(
    policy: RegistrationPolicy, decision: Decision, remarks: Mapping[str, str]
) -> None:
    """Field -> code. Raises Unprocessable `reason.unknown`."""
    for field, code in remarks.items():
        reason = policy.reason(code)
        if reason is None or reason not in policy.reasons_for(decision, field):
            raise Unprocessable("reason.unknown", "this is no reason that may be given here")
