"""The list of rights and of the declarations that they let one file (`rights.toml`)."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, ValidationInfo, model_validator

from policies.data_file import PolicyData, load_policy_file

RIGHTS_FILE = Path(__file__).with_name("rights.toml")

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
_STEP = r"[A-Za-z_][A-Za-z0-9_.-]*"
FieldPath = Annotated[str, StringConstraints(pattern=rf"^{_STEP}(/{_STEP})*$", max_length=256)]
"""Child elements from the root down, in the root's namespace: `DecHead/IEFlag`."""
Act = Literal["enter", "declare"]
"""What a declaration does: 录入, saved for somebody who will declare it, or 申报, declared."""


class Right(PolicyData):
    """What an operator may be granted."""

    code: Code
    name_zh: Name
    name_en: Name
    files: tuple[Code, ...] = Field(min_length=1)
    """Kinds of declaration that this right lets its holder file."""
    acts: tuple[Act, ...] = Field(("enter", "declare"), min_length=1)
    """Who may declare may enter as well, unless the file says otherwise."""


class Condition(PolicyData):
    """A field that must hold exactly this text."""

    path: FieldPath
    equals: str = Field(min_length=1, max_length=64)


class Declarant(PolicyData):
    """The field that names the enterprise that declares."""

    path: FieldPath
    identifies: Literal["uscc", "customs-code"]


class Acts(PolicyData):
    """The field that says whether a declaration is entered or declared, and its two values."""

    path: FieldPath
    enter: str = Field(min_length=1, max_length=64)
    declare: str = Field(min_length=1, max_length=64)

    def named(self, value: str) -> Act | None:
        acts: dict[str, Act] = {self.enter: "enter", self.declare: "declare"}
        return acts.get(value)

    @model_validator(mode="after")
    def _tell_them_apart(self) -> Self:
        if self.enter == self.declare:
            raise ValueError("enter and declare are told by the same value")
        return self


class ShownField(PolicyData):
    """A field shown to the person who signs."""

    path: FieldPath
    name_zh: Name
    name_en: Name


class DeclarationKind(PolicyData):
    """How a kind of declaration is recognised and what it says of its declarant."""

    code: Code
    name_zh: Name
    name_en: Name
    namespace: str = Field(min_length=1, max_length=256)
    root: str = Field(pattern=rf"^{_STEP}$")
    conditions: tuple[Condition, ...] = ()
    acts: Acts | None = None
    """None: a document of this kind is always declared."""
    declarant: Declarant
    shown: tuple[ShownField, ...] = ()

    def told_apart_from(self, other: "DeclarationKind") -> bool:
        """Whether no document can be of both kinds."""
        if (self.namespace, self.root) != (other.namespace, other.root):
            return True
        mine = {condition.path: condition.equals for condition in self.conditions}
        return any(
            condition.path in mine and mine[condition.path] != condition.equals
            for condition in other.conditions
        )


class RightsCatalogue(PolicyData):
    """Every right and every kind of declaration that the house knows."""

    rights: tuple[Right, ...] = Field(min_length=1)
    kinds: tuple[DeclarationKind, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_coherent(self, _info: ValidationInfo) -> Self:
        _unique("rights", [right.code for right in self.rights])
        _unique("kinds", [kind.code for kind in self.kinds])
        known = {kind.code for kind in self.kinds}
        for right in self.rights:
            unknown = set(right.files) - known
            if unknown:
                raise ValueError(f"right {right.code} files unknown kinds {sorted(unknown)}")
        unfiled = {kind.code for kind in self.kinds if not self.rights_to_file(kind, "declare")}
        if unfiled:
            raise ValueError(f"no right lets anybody file {sorted(unfiled)}")
        for index, kind in enumerate(self.kinds):
            for other in self.kinds[index + 1 :]:
                if not kind.told_apart_from(other):
                    raise ValueError(f"kinds {kind.code} and {other.code} cannot be told apart")
        return self

    def right(self, code: str) -> Right | None:
        return next((right for right in self.rights if right.code == code), None)

    def kind(self, code: str) -> DeclarationKind | None:
        return next((kind for kind in self.kinds if kind.code == code), None)

    def rights_to_file(self, kind: DeclarationKind, act: Act) -> tuple[Right, ...]:
        """The rights any one of which is enough to enter or declare one of this kind."""
        return tuple(
            right for right in self.rights if kind.code in right.files and act in right.acts
        )


def load_rights(file: Path = RIGHTS_FILE) -> RightsCatalogue:
    """Read the list of rights. Raises InvalidPolicyFile."""
    return load_policy_file(file, RightsCatalogue)


def _unique(what: str, codes: list[str]) -> None:
    for code in codes:
        if codes.count(code) > 1:
            raise ValueError(f"{what}: {code} stands twice")
