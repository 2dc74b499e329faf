"""Where the archive's bytes lie: objects named by their SHA-256, whatever holds them."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from kernel.refusals import Unavailable

ARCHIVE_FULL = "archive.full"


class ObjectStore(Protocol):
    """Keeps objects under the SHA-256 of their content, hexadecimal. Thread-safe."""

    def put(self, data: bytes) -> str:
        """Keep `data` durably and return its address; what is there already is kept once.

        Raises Unavailable `archive.full`, `archive.unavailable`; nothing is half-stored then.
        """
        ...

    def get(self, address: str) -> bytes:
        """The object, compared with its address.

        Raises Unavailable `archive.missing`, `archive.damaged`, `archive.unavailable`.
        """
        ...

    def addresses(self) -> Iterator[str]:
        """Every object's address, in no particular order."""
        ...

    def remove(self, address: str, put_before: datetime) -> bool:
        """Remove the object unless `put` was called for it since; whether it is gone."""
        ...

    def tidy(self, put_before: datetime) -> None:
        """Remove what was begun before that time and never finished."""
        ...


def address_of(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def checked(data: bytes, address: str) -> bytes:
    """`data`, if it is what the address says. Raises Unavailable `archive.damaged`."""
    if address_of(data) != address:
        raise Unavailable("archive.damaged", "an archived object was changed", object=address)
    return data
