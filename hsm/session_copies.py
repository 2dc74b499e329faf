"""Copies of a token's private keys as objects of one session, to sign with (C_CopyObject).

A copy never leaves the token and keeps the guards of its original; it is there for modules that
are quicker so (`hsm.quirks`). The original is looked at again after a moment, so that a key
that was destroyed by another process, or a token that is gone, is noticed.
"""

import time
from dataclasses import dataclass
from typing import Any

from pkcs11 import Attribute
from pkcs11.exceptions import PKCS11Error

LOOK_AGAIN_SECONDS = 0.005
"""At the full rate one look for a hundred signatures; a key at rest is looked at each time."""
_GUARDS = [Attribute.SENSITIVE, Attribute.EXTRACTABLE, Attribute.PRIVATE]
_SUFFIX = " (copy of a session)"


class Changes:
    """Counts what this process changed in a token; a copy made before is looked at again."""

    def __init__(self) -> None:
        self.count = 0


@dataclass(slots=True)
class _Copy:
    key: Any
    looked_at: float
    change: int


class SessionCopies:
    """The copies of one session, by the label of the original. One thread at a time."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._copies: dict[str, _Copy] = {}

    def get(self, label: str) -> Any | None:
        """A copy that may be used without a look at its original."""
        copy = self._copies.get(label)
        if (
            copy is None
            or copy.change != self._changes.count
            or time.monotonic() - copy.looked_at > LOOK_AGAIN_SECONDS
        ):
            return None
        return copy.key

    def renew(self, label: str, original: Any) -> Any:
        """Look at the original, copy it where there is no copy yet; what to sign with.

        The original itself where the token does not copy it. Raises ObjectHandleInvalid when the
        original is gone.
        """
        change = self._changes.count
        original[Attribute.CLASS]
        copy = self._copies.get(label)
        if copy is None:
            copy = self._copies[label] = _Copy(_copy_of(original, label), 0.0, change)
        copy.looked_at, copy.change = time.monotonic(), change
        return copy.key


def is_copy(label: str) -> bool:
    """Whether this is the label of a copy, which is no key of the token."""
    return label.endswith(_SUFFIX)


def _copy_of(original: Any, label: str) -> Any:
    # Session objects are seen by every session of the process: the copy has a label of its own,
    # so that whoever looks for the key finds the key.
    try:
        copy = original.copy({Attribute.TOKEN: False, Attribute.LABEL: label + _SUFFIX})
        if copy.get_attributes(_GUARDS) == original.get_attributes(_GUARDS):
            return copy
        copy.destroy()
    except PKCS11Error:
        pass
    return original
