"""What a holder confirms with the card beside signing in: acts, in the words that were shown.

The key agent shows the platform's name and each act in a window of its own, and the card signs
them together with the challenge. So a page that shows one act and means another gets a signature
over what its holder saw, and the service, which knows what was asked for, refuses it.
"""

import hashlib
from dataclasses import dataclass

MOST_ACTS = 5
LONGEST_LINE = 420
"""Characters: an act and its reference, of 200 each, and what stands between them."""


@dataclass(frozen=True)
class Confirmation:
    """Every text is printable (`str.isprintable`), so none holds the end of a line."""

    platform: str
    """Name of the platform that asks."""
    acts: tuple[str, ...]
    """One line each."""

    @property
    def digest(self) -> str:
        """SHA-256 over the lines in UTF-8, each ended by a line feed; hexadecimal."""
        lines = "".join(f"{line}\n" for line in (self.platform, *self.acts))
        return hashlib.sha256(lines.encode("utf-8")).hexdigest()
