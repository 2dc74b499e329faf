"""The authority's tokens: the root's, pulled after the ceremony, and two that serve as one.

SoftHSM2 keeps each token in a directory of its own: moved away from where SoftHSM2 looks, the token
is pulled, for programs that run as well.
"""

import secrets
from pathlib import Path

from kernel.refusals import NotFound

FIRST, SECOND, ROOT = "portseal", "portseal-second", "portseal-root"
LABELS = (FIRST, SECOND, ROOT)
ROOT_PIN_VARIABLE = "PORTSEAL_DEMO_ROOT_PIN"
"""Told to ceremony and root session alone."""
_LABEL_BYTES = 32


class AuthorityTokens:
    """Their places below one directory, which is closed to others."""

    def __init__(self, directory: Path) -> None:
        self._slots = directory / "tokens"
        self._pins = directory / "pins"
        self._pulled = directory / "pulled"

    def prepare(self) -> None:
        """Draw the PINs."""
        for place in (self._pins, self._pulled):
            place.mkdir(mode=0o700)
        for label in LABELS:
            for file in (self.pin_file(label), self.so_pin_file(label)):
                file.touch(mode=0o600)
                file.write_text(secrets.token_hex(16))

    def pin_file(self, label: str) -> Path:
        return self._pins / label

    def so_pin_file(self, label: str) -> Path:
        return self._pins / f"{label}-so"

    def pull(self, label: str) -> None:
        """Raises NotFound `demo.token` when it is not plugged in."""
        wanted = label.encode().ljust(_LABEL_BYTES)
        for place in self._slots.iterdir():
            if wanted in (place / "token.object").read_bytes():
                (self._pulled / label).mkdir()
                place.rename(self._pulled / label / place.name)
                return
        raise NotFound("demo.token", "no such token is plugged in", token=label)

    def plug_in(self, label: str) -> None:
        """Where it was. Raises NotFound `demo.token` when it was not pulled."""
        for place in (self._pulled / label).glob("*"):
            place.rename(self._slots / place.name)
            (self._pulled / label).rmdir()
            return
        raise NotFound("demo.token", "no such token was pulled", token=label)
