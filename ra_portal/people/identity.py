"""Who acts: the person behind a signed-in card, as the portal's use cases see it."""

from dataclasses import dataclass
from enum import StrEnum

from kernel.refusals import Forbidden
from policies.permissions import permissions


class HolderKind(StrEnum):
    """Whom a card is made for."""

    LEGAL_PERSON = "legal-person"
    OPERATOR = "operator"
    OFFICER = "officer"


class Role(StrEnum):
    """What an officer is; what each may do stands in `policies/permissions.toml`."""

    REGISTRAR = "registrar"
    """Examines applications and registers them."""
    APPROVER = "approver"
    """Approves what another officer registered."""
    ADMINISTRATOR = "administrator"
    """Business administrator: officers of the counter, cards, revocation."""
    SYSTEM_ADMINISTRATOR = "system-administrator"
    """Runs the machines, and decides nothing about holders."""
    AUDIT_ADMINISTRATOR = "audit-administrator"
    """Appoints auditors and reads the journal."""
    AUDITOR = "auditor"
    """Reads the journal, and does nothing that it tells of."""
    RECOVERY_OFFICER = "recovery-officer"
    """Of the key-management centre: records orders to recover an encryption key."""
    RECOVERY_APPROVER = "recovery-approver"
    """Of the key-management centre: approves recoveries."""


@dataclass(frozen=True)
class Identity:
    """Somebody signed in with a card, or the machine's console."""

    kind: HolderKind | None
    """None: a command at the machine's console."""
    subject: str
    name: str
    roles: frozenset[Role] = frozenset()
    enterprise_id: str | None = None
    branch: str | None = None
    """The branch that an officer works at, by id; None: the head office, which sees all."""

    @property
    def actor(self) -> str:
        """As the journal names the actor."""
        return f"{self.kind or 'console'}:{self.subject}"

    def may(self, permission: str) -> bool:
        """Whether the card, or the console, carries a permission of `policies/permissions.toml`.

        Of what the console may do only at first or in an emergency, it says yes:
        `cards.charge.require_first` looks whether this is the first time.
        """
        if self.kind is None:
            return permissions()[permission].console != "never"
        return self.kind is HolderKind.OFFICER and permissions().allows(self.roles, permission)

    def require(self, permission: str) -> None:
        """Raises Forbidden `role.missing`."""
        if not self.may(permission):
            raise Forbidden(
                "role.missing", "your card does not carry this role", permission=permission
            )

    def require_one_of(self, *asked: str) -> None:
        """Any one of several permissions. Raises Forbidden `role.missing`."""
        if not any(self.may(permission) for permission in asked):
            self.require(asked[0])

    def require_legal_person(self) -> str:
        """The enterprise's id. Raises Forbidden `legal-person.required`."""
        if self.kind is not HolderKind.LEGAL_PERSON or self.enterprise_id is None:
            raise Forbidden(
                "legal-person.required", "only the enterprise's legal-person card may do this"
            )
        return self.enterprise_id


def console(user: str) -> Identity:
    """Somebody with access to the machine itself."""
    return Identity(kind=None, subject=user, name=user)
