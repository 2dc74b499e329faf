"""Randomness as an argument."""

import os
from typing import Protocol


class Entropy(Protocol):
    """Gives unpredictable bytes."""

    def token(self, length: int) -> bytes:
        """Return `length` random bytes."""
        ...


class SystemEntropy:
    """The operating system's CSPRNG."""

    def token(self, length: int) -> bytes:
        return os.urandom(length)
