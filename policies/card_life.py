"""The policy of a card's life, from `card_life.toml`."""

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from policies.data_file import PolicyData, load_policy_file

_FILE = Path(__file__).parent / "card_life.toml"
_Days = Annotated[int, Field(ge=1, le=3650)]


class RenewalPolicy(PolicyData):
    window_days: _Days
    """Before its end a card renews itself."""
    self_renewals: Annotated[int, Field(ge=0, le=100)]
    """In a row, without an officer."""
    grace_days: _Days
    """After a change of data, to renew in."""

    @property
    def window(self) -> timedelta:
        return timedelta(days=self.window_days)

    @property
    def grace(self) -> timedelta:
        return timedelta(days=self.grace_days)


class NoticePolicy(PolicyData):
    expiry_days: Annotated[tuple[_Days, ...], Field(min_length=1, max_length=10)]
    """Before a card's end; each once."""
    right_days: _Days
    """Before a right's end; once for each period."""


class RecoveryPolicy(PolicyData):
    approvals: Annotated[int, Field(ge=2, le=10)]
    """Officers who must agree: nobody recovers a card alone."""
    hours: Annotated[int, Field(ge=1, le=168)]
    """That the one-time secret holds."""
    contact_days: _Days
    """After a change of the contact, in which one officer more must agree."""

    @property
    def lifetime(self) -> timedelta:
        return timedelta(hours=self.hours)

    def needed(self, contact_changed_at: datetime | None, now: datetime) -> int:
        """Approvals of a recovery whose secret goes to a contact of that age."""
        cooling = timedelta(days=self.contact_days)
        is_new = contact_changed_at is not None and now < contact_changed_at + cooling
        return self.approvals + is_new


class CardLifePolicy(PolicyData):
    renewal: RenewalPolicy
    notices: NoticePolicy
    recovery: RecoveryPolicy


@cache
def card_life_policy() -> CardLifePolicy:
    """Raises `policies.data_file.InvalidPolicyFile`."""
    return load_policy_file(_FILE, CardLifePolicy)
