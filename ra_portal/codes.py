"""Secrets that a person copies from a page, and numbers that a person reads aloud."""

import hashlib
from enum import StrEnum

from kernel.clock import Clock
from kernel.entropy import Entropy

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 characters that are not mistaken for each other."""

_CODE_LENGTH = 28
"""Characters of 5 bits each: 140 bits, so that guessing is hopeless at any rate."""

_LONGEST_INPUT = 100


class CodePurpose(StrEnum):
    """What a code opens; part of the hash, so that one kind never passes for the other."""

    ACCESS = "access"
    ACTIVATION = "activation"
    DRAFT = "draft"


def new_code(entropy: Entropy) -> str:
    """A secret of 140 random bits: seven groups of four characters."""
    return new_secret(entropy, _CODE_LENGTH)


def new_secret(entropy: Entropy, characters: int) -> str:
    """So many characters of 5 random bits each, in groups of four."""
    text = _draw(entropy, characters)
    return "-".join(text[i : i + 4] for i in range(0, characters, 4))


def code_hash(purpose: CodePurpose, code: str) -> str:
    """What is stored of a code: SHA-256, hexadecimal. Spaces, hyphens and case do not count.

    A code has the full entropy of its hash's useful part, so it needs neither salt nor a slow
    hash; and looking it up by its hash tells nothing of the code through time.
    """
    plain = "".join(c for c in code[:_LONGEST_INPUT].upper() if c.isalnum())
    return hashlib.sha256(f"PortSeal {purpose} code:{plain}".encode()).hexdigest()


def new_number(prefix: str, clock: Clock, entropy: Entropy) -> str:
    """A readable number, unique by 40 random bits: `OP-2026-7QK4ZP2M`."""
    return f"{prefix}-{clock.now().year}-{_draw(entropy, 8)}"


def _draw(entropy: Entropy, length: int) -> str:
    number = int.from_bytes(entropy.token((length * 5 + 7) // 8), "big")
    return "".join(_ALPHABET[(number >> (5 * i)) & 31] for i in range(length))
