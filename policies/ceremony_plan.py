"""A key ceremony as data (`ceremonies/*.toml`): which keys, certificates and custodians.

The first ceremony makes an authority; a later one extends it: regional authorities, a roll-over.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from kernel.algorithms import SUITES
from kernel.refusals import NotFound
from policies.data_file import PolicyData, load_policy_file
from policies.profile import Code

DIRECTORY = Path(__file__).with_name("ceremonies")
Text = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Export = Literal["never", "wrapped", "trusted"]
PlannedTokenName = Literal["root", "issuing"]
ROLES = ("root", "issuing", "regional")
"""What an authority may be; its name is its role, or begins with it: `regional-guangdong`."""


def role_of(authority: str) -> str | None:
    """The role that an authority's name tells; None: no authority is named so."""
    role = authority.partition("-")[0]
    return role if role in ROLES else None


class PlannedKey(PolicyData):
    """A key pair that signs."""

    label: Code
    token: PlannedTokenName = "issuing"
    suite: str = "ecdsa-p256-sha256"
    export: Export = "never"
    """Whether it may leave wrapped, for a backup (docs/ceremony.md)."""

    @model_validator(mode="after")
    def _suite_is_known(self) -> Self:
        if self.suite not in SUITES or not SUITES[self.suite].is_for_new_keys:
            raise ValueError("suite: no such algorithm suite, or none to make keys for")
        return self


class PlannedSecret(PolicyData):
    """A secret key."""

    label: Code
    token: PlannedTokenName = "issuing"
    use: Literal["encrypt", "mac", "wrap"]
    export: Export = "never"


class PlannedCertificate(PolicyData):
    """A certificate; it is kept on the token under its name."""

    name: Code
    key: Code | None = None
    """Label of the key that it certifies; default: its name. Another for a link certificate."""
    profile: Code
    issuer: Code
    """Name of the authority that signs it, or `self`."""
    common_name: Text
    organizational_unit: Text | None = None

    @property
    def key_label(self) -> str:
        return self.key or self.name


class Custody(PolicyData):
    """A secret split among custodians (SLIP-39): any `threshold` of them restore it."""

    secret: Literal["root-token", "issuing-token", "backup-key"]
    """The PINs of a token, or the key that backups are wrapped under."""
    threshold: int = Field(ge=2, le=16)
    custodians: tuple[Text, ...] = Field(min_length=2, max_length=16)

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.threshold > len(self.custodians):
            raise ValueError("threshold: more than there are custodians")
        if len(set(self.custodians)) != len(self.custodians):
            raise ValueError("custodians: one stands twice")
        return self


class CeremonyPlan(PolicyData):
    """What is decided before the ceremony."""

    name: Code
    version: int = Field(ge=1)
    title_zh: str = Field(min_length=1, max_length=80)
    title_en: str = Field(min_length=1, max_length=80)
    organization: Text | None = None
    """O of every certificate made here; None: told when it is held."""
    extends: bool = False
    """An authority stands already; keys and issuers may be its."""
    key: tuple[PlannedKey, ...] = ()
    secret: tuple[PlannedSecret, ...] = ()
    certificate: tuple[PlannedCertificate, ...] = ()
    """In the order of issue."""
    custody: tuple[Custody, ...] = ()

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        labels = [*(each.label for each in self.key), *(each.label for each in self.secret)]
        names = [each.name for each in self.certificate]
        for what, found in (("key", labels), ("certificate", names)):
            for name in found:
                if found.count(name) > 1:
                    raise ValueError(f"{what}: {name} stands twice")
        splits = [each.secret for each in self.custody]
        if len(set(splits)) != len(splits):
            raise ValueError("custody: a secret is split twice")
        if not self.extends:
            self._check_whole(set(labels), names)
        return self

    def _check_whole(self, labels: set[str], names: list[str]) -> None:
        """A first ceremony has nothing to lean on."""
        made: set[str] = set()
        for each in self.certificate:
            if each.key_label not in labels:
                raise ValueError(f"certificate: {each.name} is for a key that is not made here")
            if each.issuer != "self" and each.issuer not in made:
                raise ValueError(f"certificate: {each.name} has an issuer that is not made before")
            made.add(each.name)
        for wanted in ("root", "issuing"):
            if wanted not in names:
                raise ValueError(f"certificate: the first ceremony makes {wanted}")

    def custody_of(self, secret: str) -> Custody | None:
        return next((each for each in self.custody if each.secret == secret), None)


def load_ceremony_plan(file: Path | str) -> CeremonyPlan:
    """A plan by its path, or by the name of one of ours.

    Raises InvalidPolicyFile, which names line and key; NotFound `ceremony.unknown-plan`.
    """
    path = Path(file)
    if path.suffix != ".toml":
        path = DIRECTORY / f"{file}.toml"
    if not path.is_file():
        raise NotFound("ceremony.unknown-plan", "no such ceremony plan", plan=str(file))
    return load_policy_file(path, CeremonyPlan)
