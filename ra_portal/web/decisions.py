"""Reasons for a decision, as a review page's form gives them."""

from flask import request

from policies.registration import RegistrationPolicy

_REMARK = "remark-"
"""How a form names the reason given for a field."""


def given_remarks() -> dict[str, str]:
    """Field -> code of a reason."""
    return {
        name.removeprefix(_REMARK): code
        for name, code in request.form.items()
        if name.startswith(_REMARK) and code
    }


def given_reasons(policy: RegistrationPolicy) -> str:
    """A reason of the list, in both languages as everybody may read it, and what was added."""
    prose = request.form.get("reasons", "")
    reason = policy.reason(request.form.get("refusal", ""))
    if reason is None:
        return prose
    return f"{reason.name_zh} / {reason.name_en}\n{prose}".strip()
