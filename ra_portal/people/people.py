"""Enterprises, officers and operators: the holders of cards."""

from dataclasses import dataclass
from datetime import datetime

from kernel.refusals import Conflict
from policies.permissions import permissions
from ra_portal.cards.card import Holder
from ra_portal.people.identity import HolderKind, Role
from ra_portal.people.personal_data import SealedNumber


@dataclass(frozen=True)
class Enterprise:
    """An approved enterprise, holder of a legal-person card."""

    id: str
    uscc: str
    """Unified social credit code (GB 32100-2015), 18 characters."""
    name: str
    customs_code: str
    legal_representative: str
    region: str
    created_at: datetime
    closed_at: datetime | None = None
    """Its legal-person card was revoked for `cessationOfOperation`; None: active."""
    branch_id: str | None = None
    """Where its papers and cards are dealt with; None: the head office."""
    identity: SealedNumber | None = None
    """Of the legal representative, sealed for `enterprises:<id>`."""

    def is_closed_at(self, at: datetime) -> bool:
        return self.closed_at is not None and at >= self.closed_at

    def require_active(self) -> None:
        """Raises Conflict `enterprise.closed`."""
        if self.closed_at is not None:
            raise Conflict("enterprise.closed", "the enterprise is closed")

    @property
    def holder(self) -> Holder:
        return Holder(HolderKind.LEGAL_PERSON, self.id)


@dataclass(frozen=True)
class Officer:
    """Somebody who works for the authority."""

    id: str
    name: str
    roles: frozenset[Role]
    created_at: datetime
    branch_id: str | None = None
    """None: at the head office, sees every branch."""
    retired_at: datetime | None = None
    """Has left, for good; None: works here."""

    def require_here(self) -> None:
        """Raises Conflict `officer.retired`."""
        if self.retired_at is not None:
            raise Conflict("officer.retired", "this officer has left")

    @property
    def family(self) -> str:
        """The family of `policies/permissions.toml` that all the roles belong to."""
        (family,) = permissions().families_of(self.roles)
        return family

    @property
    def holder(self) -> Holder:
        return Holder(HolderKind.OFFICER, self.id)


@dataclass(frozen=True)
class Operator:
    """Somebody who signs for an enterprise."""

    id: str
    enterprise_id: str
    name: str
    employee_number: str
    created_at: datetime
    identity: SealedNumber | None = None
    """Sealed for `operators:<id>`."""

    @property
    def holder(self) -> Holder:
        return Holder(HolderKind.OPERATOR, self.id)


@dataclass(frozen=True)
class Grant:
    """A right that an operator holds, or held, from one moment to another."""

    id: str
    operator_id: str
    right: str
    """A code of `policies/rights.toml`."""
    valid_from: datetime
    valid_until: datetime | None
    """None: until withdrawn. The moment itself lies outside."""
    granted_by: str
    withdrawn_by: str | None = None

    def holds_at(self, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)

    def overlaps(self, other: "Grant") -> bool:
        return (other.valid_until is None or self.valid_from < other.valid_until) and (
            self.valid_until is None or other.valid_from < self.valid_until
        )
