"""Proofs of existence (EN 319 102-1, 5.6.2.3): what is proven to have existed, and when."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Proof:
    """One object existed at this time, and what proves it."""

    at: datetime
    by: str
    """`the time of validation`, or the timestamp's serial number and authority."""


@dataclass
class ProofsOfExistence:
    """Proofs by the object's SHA-256. Collected while one signature is validated."""

    _proofs: dict[bytes, Proof] = field(default_factory=dict)

    def add(self, thing: bytes, proof: Proof) -> None:
        """Keep the earliest proof for each object."""
        key = hashlib.sha256(thing).digest()
        known = self._proofs.get(key)
        if known is None or proof.at < known.at:
            self._proofs[key] = proof

    def earliest(self, thing: bytes) -> Proof | None:
        return self._proofs.get(hashlib.sha256(thing).digest())
