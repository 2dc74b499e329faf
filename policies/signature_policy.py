"""Explicit signature policies (EPES; EN 319 122-1, 5.2.9; EN 319 132-1, 5.2.9), as data.

One file in `signature_policies/explicit/` is one policy and its own document: a signature names
its OID and holds the digest of the file's octets.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from policies.data_file import InvalidPolicyFile, PolicyData, load_policy_file

DIRECTORY = Path(__file__).with_name("signature_policies") / "explicit"

Oid = Annotated[str, StringConstraints(pattern=r"^[0-2](\.(0|[1-9]\d*))+$", max_length=128)]


class PolicyTerms(PolicyData):
    """What one policy says."""

    oid: Oid
    name_zh: str = Field(min_length=1, max_length=120)
    name_en: str = Field(min_length=1, max_length=120)
    judged_under: str = Field(min_length=1, max_length=256)
    """Identifier of the validation policy."""
    commitments: tuple[Oid, ...] = ()
    """Of which a signature makes one; empty: none is asked for."""
    statement_zh: str = Field(min_length=1)
    statement_en: str = Field(min_length=1)


@dataclass(frozen=True)
class SignaturePolicy:
    """One policy with its document."""

    terms: PolicyTerms
    document: bytes

    @cached_property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.document).digest()

    def is_document(self, digest: str, value: bytes) -> bool:
        """Whether `value` is the document's digest under hashlib's name `digest`."""
        if digest not in {"sha256", "sha384", "sha512"}:
            return False
        return hashlib.new(digest, self.document).digest() == value


def load_signature_policies(directory: Path = DIRECTORY) -> dict[str, SignaturePolicy]:
    """Every explicit policy by its OID. Raises InvalidPolicyFile."""
    found: dict[str, SignaturePolicy] = {}
    for file in sorted(directory.glob("*.toml")):
        terms = load_policy_file(file, PolicyTerms)
        if terms.oid in found:
            raise InvalidPolicyFile(file, "oid", "another policy has this identifier")
        found[terms.oid] = SignaturePolicy(terms, file.read_bytes())
    return found


@lru_cache(maxsize=1)
def known_signature_policies() -> dict[str, SignaturePolicy]:
    """Those that come with the product, read once."""
    return load_signature_policies()
