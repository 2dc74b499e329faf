"""Who acts: the person behind a signed-in card, as the portal's use cases see it."""

from dataclasses import dataclass
from enum import StrEnum

from kernel.refusals import Forbidden


class HolderKind(StrEnum):
    """Whom a card is made for."""

    LEGAL_PERSON = "legal-person"
    OPERATOR = "operator"
    OFFICER = "officer"


class Role(StrEnum):
    """What an officer may do."""

    REGISTRAR = "registrar"
    """Examines applications and registers them."""
    APPROVER = "approver"
    """Approves what another officer registered."""
    ADMINISTRATOR = "administrator"
    """Adds officers, revokes cards, reads the journal."""


@dataclass(frozen=True)
class Identity:
    """Somebody signed in with a card, or the machine's console."""

    kind: HolderKind | None
    """None: a command at the machine's console."""
    subject: str
    name: str
    roles: frozenset[Role] = frozenset()
    enterprise_id: str | None = None

    @property
    def actor(self) -> str:
        """As the journal names the actor."""
        return f"{self.kind or 'console'}:{self.subject}"

    def require_role(self, role: Role) -> None:
        """Raises Forbidden `role.missing`."""
        if self.kind is None:
            return
        if self.kind is not HolderKind.OFFICER or role not in self.roles:
            raise Forbidden("role.missing", "your card does not carry this role", role=role)

    def require_one_of(self, *roles: Role) -> None:
        """An officer, in person, with one of the roles. Raises Forbidden `role.missing`."""
        if self.kind is not HolderKind.OFFICER or self.roles.isdisjoint(roles):
            raise Forbidden("role.missing", "your card does not carry this role")

    def require_officer(self) -> None:
        """Raises Forbidden `role.missing`."""
        if self.kind is not HolderKind.OFFICER and self.kind is not None:
            raise Forbidden("role.missing", "only an officer may do this")

    def require_legal_person(self) -> str:
        """The enterprise's id. Raises Forbidden `legal-person.required`."""
        if self.kind is not HolderKind.LEGAL_PERSON or self.enterprise_id is None:
            raise Forbidden(
                "legal-person.required", "only the enterprise's legal-person card may do this"
            )
        return self.enterprise_id


def console(user: str) -> Identity:
    """Somebody with access to the machine itself: may do what an administrator may."""
    return Identity(kind=None, subject=user, name=user, roles=frozenset({Role.ADMINISTRATOR}))
