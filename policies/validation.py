"""Validation policies: what the verdict engine accepts, as data (EN 319 102-1, clause 5.1.4).

One file in `signature_policies/` is one policy: its constraints on signatures, certificates,
revocation and cryptography.
"""

import hashlib
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, StringConstraints, model_validator

from kernel.algorithms import DIGEST_OIDS, SUITES
from policies.data_file import PolicyData, load_policy_file

DIRECTORY = Path(__file__).with_name("signature_policies")

Oid = Annotated[str, StringConstraints(pattern=r"^[0-2](\.(0|[1-9]\d*))+$", max_length=128)]
KeyUsage = Literal["digitalSignature", "nonRepudiation"]
Level = Literal["not AdES", "B-B", "B-T", "B-LT", "B-LTA"]


class SignatureConstraints(PolicyData):
    levels: tuple[Level, ...] = Field(min_length=1)
    require_signing_certificate_reference: bool
    require_signing_time: bool
    max_clock_skew_seconds: int = Field(ge=0, le=86_400)


class SignerConstraints(PolicyData):
    key_usage_any_of: tuple[KeyUsage, ...] = Field(min_length=1)
    extended_key_usage_any_of: tuple[Oid, ...] = ()
    """Purposes of which one must be named; empty: none is asked for."""
    certificate_policies: tuple[Oid, ...] = ()
    """Certificate policies of which the path must hold one; empty: any."""


class TimestampAuthorityConstraints(PolicyData):
    key_usage_any_of: tuple[KeyUsage, ...] = Field(min_length=1)
    extended_key_usage: Oid
    """RFC 3161, 2.3: critical, and the only purpose."""
    policies: tuple[Oid, ...] = ()
    """TSA policies accepted; empty: any."""
    max_accuracy_seconds: float = Field(ge=0)


class RevocationConstraints(PolicyData):
    required: bool
    max_age_seconds: int = Field(gt=0)
    max_ca_age_seconds: int = Field(default=366 * 86_400, gt=0)
    """The same for authorities' certificates, whose lists are made seldom."""


class KeyConstraints(PolicyData):
    min_rsa_bits: int = Field(ge=1024, le=8192)
    curves: tuple[str, ...]


class AcceptedAlgorithm(PolicyData):
    suite: str
    until: date

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.suite not in SUITES:
            raise ValueError(f"no such algorithm suite: {self.suite}")
        if self.until > SUITES[self.suite].acceptable_until:
            raise ValueError(f"{self.suite} is accepted later than the algorithm table allows")
        return self


class AcceptedDigest(PolicyData):
    name: str
    until: date

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.name not in DIGEST_OIDS:
            raise ValueError(f"no such digest: {self.name}")
        return self


class ValidationPolicy(PolicyData):
    """Everything that the engine is told about what is acceptable."""

    identifier: str = Field(min_length=1, max_length=256)
    name_zh: str = Field(min_length=1, max_length=120)
    name_en: str = Field(min_length=1, max_length=120)
    signature: SignatureConstraints
    signer: SignerConstraints
    timestamp_authority: TimestampAuthorityConstraints
    revocation: RevocationConstraints
    keys: KeyConstraints
    algorithms: tuple[AcceptedAlgorithm, ...] = Field(min_length=1)
    digests: tuple[AcceptedDigest, ...] = Field(min_length=1)
    _sha256: str | None = PrivateAttr(None)

    @property
    def sha256(self) -> str | None:
        """Of the policy's file, hexadecimal; None where it was not read from one."""
        return self._sha256

    @model_validator(mode="after")
    def _names_each_algorithm_once(self) -> Self:
        names = [entry.suite for entry in self.algorithms] + [d.name for d in self.digests]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name} stands twice")
        return self

    @cached_property
    def suites_until(self) -> dict[str, date]:
        """Last day of acceptance by suite name."""
        return {entry.suite: entry.until for entry in self.algorithms}

    @cached_property
    def digests_until(self) -> dict[str, date]:
        """Last day of acceptance by hashlib's name."""
        return {entry.name: entry.until for entry in self.digests}


def load_validation_policy(
    name: str = "declaration", directory: Path = DIRECTORY
) -> ValidationPolicy:
    """Read one policy by its file's name. Raises InvalidPolicyFile."""
    file = directory / f"{name}.toml"
    policy = load_policy_file(file, ValidationPolicy)
    policy._sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return policy
