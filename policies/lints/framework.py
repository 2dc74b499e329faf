"""What a lint is: one rule, one cited clause, one file.

A lint reads a certificate beside the profile that it was made from and the issuer that is about
to sign it, and yields what it finds wrong. It judges the bytes, whoever encoded them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from kernel.asn1.certificate import Certificate
from policies.profile import CertificateProfile


class Level(StrEnum):
    ERROR = "error"
    """The certificate must not be issued."""
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    level: Level
    lint: str
    clause: str
    message: str


@dataclass(frozen=True)
class Candidate:
    """A certificate to judge; its signature value does not matter."""

    certificate: Certificate
    profile: CertificateProfile
    issuer: Certificate | None
    """None: self-signed."""


@dataclass(frozen=True)
class Lint:
    name: str
    clause: str
    """Of policies/cp-cps.md, where the authority promises it."""
    standard: str
    """Where the rule comes from."""
    check: Callable[[Candidate], Iterator[str]]
    level: Level = Level.ERROR

    def findings(self, candidate: Candidate) -> Iterator[Finding]:
        for message in self.check(candidate):
            yield Finding(self.level, self.name, cited(self.clause, self.standard), message)


def cited(clause: str, standard: str) -> str:
    """How a finding names its rule."""
    return f"CP/CPS {clause}; {standard}"
