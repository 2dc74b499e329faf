"""How applications are dealt with (`registration.toml`): reasons, reminders, drafts."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from policies.data_file import PolicyData, load_policy_file
from policies.rights import Code

REGISTRATION_FILE = Path(__file__).with_name("registration.toml")

FieldName = Literal[
    "name", "uscc", "customs_code", "legal_representative", "identity_number", "region",
    "phone", "email", "branch", "licence", "attorney",
]  # fmt: skip
"""What a reason may be said of."""

Words = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Decision = Literal["return", "refuse", "refuse-change"]


class Reason(PolicyData):
    code: Code
    name_zh: Words
    name_en: Words
    decisions: tuple[Decision, ...] = Field(min_length=1, alias="for")
    fields: tuple[FieldName, ...] = ()
    """Empty: of the application as a whole."""


class RegistrationPolicy(PolicyData):
    remind_after_hours: Annotated[int, Field(ge=1, le=24 * 60)]
    escalate_after_hours: Annotated[int, Field(ge=1, le=24 * 90)]
    draft_days: Annotated[int, Field(ge=1, le=365)]
    reasons: tuple[Reason, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _codes_are_unique(self) -> Self:
        codes = [reason.code for reason in self.reasons]
        for code in codes:
            if codes.count(code) > 1:
                raise ValueError(f"reasons: {code} stands twice")
        if self.escalate_after_hours <= self.remind_after_hours:
            raise ValueError("escalate_after_hours: later than the reminder")
        return self

    @property
    def escalate_after(self) -> timedelta:
        return timedelta(hours=self.escalate_after_hours)

    @property
    def remind_after(self) -> timedelta:
        return timedelta(hours=self.remind_after_hours)

    def reason(self, code: str) -> Reason | None:
        return next((reason for reason in self.reasons if reason.code == code), None)

    def reasons_for(self, decision: Decision, field: str | None = None) -> tuple[Reason, ...]:
        """Those that may be given for a field, or (None) for the application as a whole."""
        return tuple(
            reason
            for reason in self.reasons
            if decision in reason.decisions
            and (field in reason.fields if field is not None else not reason.fields)
        )


def load_registration(file: Path = REGISTRATION_FILE) -> RegistrationPolicy:
    """Read how applications are dealt with. Raises InvalidPolicyFile."""
    return load_policy_file(file, RegistrationPolicy)
