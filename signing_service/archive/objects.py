"""Where the archive's bytes lie: objects named by their SHA-256, whatever holds them."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import BinaryIO, Protocol

from kernel.refusals import Unavailable

ARCHIVE_FULL = "archive.full"
_PIECE_BYTES = 1 << 20


class ObjectStore(Protocol):
    """Keeps objects under the SHA-256 of their content, hexadecimal. Thread-safe."""

    def put(self, data: bytes) -> str:
        """Keep `data` durably and return its address; what is there already is kept once.

        Raises Unavailable `archive.full`, `archive.unavailable`; nothing is half-stored then.
        """
        ...

    def put_pieces(self, pieces: Iterable[bytes | memoryview]) -> tuple[str, int]:
        """The same for an object that comes in pieces: its address and size. Memory stays at one
        piece. Raises as `put`, and what the pieces raise."""
        ...

    def get(self, address: str) -> bytes:
        """The object, compared with its address.

        Raises Unavailable `archive.missing`, `archive.damaged`, `archive.unavailable`.
        """
        ...

    def open(self, address: str) -> BinaryIO:
        """The object as a seekable file on disk, to be closed by the caller. It is not compared
        with its address: `pieces_of` does so.

        Raises Unavailable `archive.missing`, `archive.unavailable`.
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
        raise _damaged(address)
    return data


def _damaged(address: str) -> Unavailable:
    return Unavailable("archive.damaged", "an archived object was changed", object=address)


def pieces_of(store: ObjectStore, address: str) -> Iterator[bytes]:
    """An object of any size, piece by piece; after the last it is compared with its address.

    Raises as `ObjectStore.open`; Unavailable `archive.damaged` at the end.
    """
    running = hashlib.sha256()
    with store.open(address) as file:
        while piece := file.read(_PIECE_BYTES):
            running.update(piece)
            yield piece
    if running.hexdigest() != address:
        raise _damaged(address)


def object_digest(store: ObjectStore, address: str, name: str) -> bytes:
    """The object's digest under hashlib's `name`. Raises as `pieces_of`."""
    if name == "sha256":
        return bytes.fromhex(address)
    running = hashlib.new(name)
    for piece in pieces_of(store, address):
        running.update(piece)
    return running.digest()
