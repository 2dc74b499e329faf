"""Identity numbers: encrypted with a key of the token, found by a blind index, shown masked.

What is stored is AES-GCM ciphertext, bound to its row so that it cannot be moved to another
person's, and an HMAC of the number, so that equal numbers are found without decrypting any. Both
keys live in the token: the database alone says nothing, not even to somebody who tries all numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kernel.refusals import Malformed


class Cipher(Protocol):
    """A secret key that encrypts."""

    def encrypt(self, plaintext: bytes, associated: bytes = b"") -> bytes: ...

    def decrypt(self, ciphertext: bytes, associated: bytes = b"") -> bytes: ...


class Mac(Protocol):
    """A secret key that authenticates."""

    def mac(self, message: bytes) -> bytes: ...


@dataclass(frozen=True)
class SealedNumber:
    """An identity number as its row holds it."""

    cipher: bytes
    index: str
    """HMAC-SHA256 of the number, hexadecimal."""


class PersonalData:
    """Seals and opens; the keys are looked for when first needed."""

    def __init__(self, cipher: Callable[[], Cipher], mac: Callable[[], Mac]) -> None:
        self._cipher = cipher
        self._mac = mac

    def seal(self, number: str, row: str) -> SealedNumber:
        """For the row `row` (`applications:<id>`). Raises Unavailable from the token."""
        sealed = self._cipher().encrypt(number.encode(), _bound("identity", row))
        return SealedNumber(sealed, self.index(number))

    def seal_optional(self, number: str | None, row: str) -> SealedNumber | None:
        return None if number is None else self.seal(number, row)

    def open(self, sealed: SealedNumber, row: str) -> str:
        """Raises Unprocessable `secret.not-authentic` when it was sealed for another row."""
        return self._cipher().decrypt(sealed.cipher, _bound("identity", row)).decode()

    def masked(self, sealed: SealedNumber | None, row: str) -> str | None:
        """As people see it: `330201********002X`."""
        return None if sealed is None else mask(self.open(sealed, row))

    def index(self, number: str) -> str:
        """What equal numbers have in common; normalised as `fields.identity_number`."""
        return self._mac().mac(f"PortSeal identity number:{number}".encode()).hex()

    def index_text(self, text: str, purpose: str) -> str:
        """As `index`, of anything else; `purpose` keeps one kind apart from the others."""
        return self._mac().mac(f"PortSeal {purpose}:{text}".encode()).hex()

    def seal_text(self, text: str, purpose: str, row: str) -> bytes:
        """Anything else that holds personal data, at most 64 KiB. Raises TooLarge."""
        return self._cipher().encrypt(text.encode(), _bound(purpose, row))

    def open_text(self, sealed: bytes, purpose: str, row: str) -> str:
        """Raises as `open`."""
        return self._cipher().decrypt(sealed, _bound(purpose, row)).decode()


def mask(number: str) -> str:
    """Region and the last four of an identity card; of another document the ends alone."""
    if len(number) == 18:
        return number[:6] + "*" * 8 + number[-4:]
    if len(number) < 5:
        raise Malformed("field.identity-check", "too short to be an identity number")
    return number[:2] + "*" * (len(number) - 4) + number[-2:]


def _bound(purpose: str, row: str) -> bytes:
    return f"PortSeal {purpose}:{row}".encode()
