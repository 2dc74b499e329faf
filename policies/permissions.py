"""Who may do what (`permissions.toml`): roles, their families, permissions."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, ValidationInfo, model_validator

from policies.data_file import PolicyData, load_policy_file

PERMISSIONS_FILE = Path(__file__).with_name("permissions.toml")

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]*(\.[a-z][a-z-]*)*$", max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class Family(PolicyData):
    """People of two families are never the same."""

    code: Code
    name_zh: Name
    name_en: Name


class RoleRow(PolicyData):
    code: Code
    family: Code
    name_zh: Name
    name_en: Name


class Permission(PolicyData):
    """One kind of act, and who may do it."""

    code: Code
    roles: tuple[Code, ...] = Field(min_length=1)
    console: Literal["never", "first", "emergency", "always"] = "never"
    """Whether a command at the machine's console may do it without a card; `first`: while nobody
    who holds an active card may; `emergency`: then, or with a reason that is told."""
    second: Literal["nobody", "another-officer"] = "nobody"
    second_permission: Code | None = None
    """What the second person must be permitted."""
    law: str = Field(default="", max_length=200)
    """Why, where a rule says so."""


class PermissionTable(PolicyData):
    """The whole table."""

    families: tuple[Family, ...] = Field(min_length=1)
    roles: tuple[RoleRow, ...] = Field(min_length=1)
    permissions: tuple[Permission, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_coherent(self, _info: ValidationInfo) -> Self:
        for what, rows in (
            ("family", self.families),
            ("role", self.roles),
            ("permission", self.permissions),
        ):
            codes = [row.code for row in rows]
            twice = {code for code in codes if codes.count(code) > 1}
            if twice:
                raise ValueError(f"{what} {min(twice)} stands twice")
        families, roles = {row.code for row in self.families}, {row.code for row in self.roles}
        permissions = {row.code for row in self.permissions}
        for role in self.roles:
            if role.family not in families:
                raise ValueError(f"role {role.code}: unknown family {role.family}")
        for row in self.permissions:
            unknown = set(row.roles) - roles
            if unknown:
                raise ValueError(f"permission {row.code}: unknown role {min(unknown)}")
            if (row.second == "nobody") != (row.second_permission is None):
                raise ValueError(f"permission {row.code}: second and second_permission go together")
            if row.second_permission is not None and row.second_permission not in permissions:
                raise ValueError(f"permission {row.code}: {row.second_permission} is unknown")
        self._audit_stands_apart()
        return self

    def _audit_stands_apart(self) -> None:
        """Who reads the journal does nothing that it is about, but for appointing auditors."""
        audit = {role.code for role in self.roles if role.family == "audit"}
        for row in self.permissions:
            own = row.code.startswith(("journal.", "officer."))
            if not own and audit & set(row.roles):
                raise ValueError(f"permission {row.code}: the audit audits it and cannot do it")
            if row.code.startswith("journal.") and not audit.issuperset(row.roles):
                raise ValueError(f"permission {row.code}: the journal is the audit's alone")

    def __getitem__(self, code: str) -> Permission:
        """Raises KeyError: a permission that no table names is a mistake of the program."""
        return {row.code: row for row in self.permissions}[code]

    def allows(self, roles: Iterable[str], code: str) -> bool:
        """Whether one of the roles carries the permission."""
        return not set(self[code].roles).isdisjoint(roles)

    def families_of(self, roles: Iterable[str]) -> frozenset[str]:
        held = set(roles)
        return frozenset(row.family for row in self.roles if row.code in held)


def load_permissions(file: Path = PERMISSIONS_FILE) -> PermissionTable:
    """Read the table. Raises InvalidPolicyFile."""
    return load_policy_file(file, PermissionTable)


@cache
def permissions() -> PermissionTable:
    """The product's own table, read once."""
    return load_permissions()
