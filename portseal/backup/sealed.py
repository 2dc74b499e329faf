"""Files of a backup, encrypted as they are written: AES-256-GCM in pieces, each bound to its place.

The key of each file is derived (HKDF-SHA256) from the backup's key, a salt of this backup and the
file's name, so no nonce is used twice and no file stands in for another.
"""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kernel.refusals import Malformed, Unprocessable

PIECE = 1 << 20
_TAG = 16
_KEY_DIGITS = 64


def read_key(path: Path) -> bytes:
    """The backup's key: 64 hexadecimal digits in a file that only its owner can read.

    Raises Unprocessable `backup.key`.
    """
    try:
        mode, text = path.stat().st_mode, path.read_text("ascii").strip()
        key = bytes.fromhex(text)
    except (OSError, ValueError):
        raise Unprocessable("backup.key", "the key's file cannot be read") from None
    if mode & 0o077:
        raise Unprocessable("backup.key", "others can read the key's file: chmod 600")
    if len(text) != _KEY_DIGITS:
        raise Unprocessable("backup.key", "64 hexadecimal digits: openssl rand -hex 32")
    return key


def derived(key: bytes, salt: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose of one backup."""
    return HKDF(hashes.SHA256(), 32, salt, purpose.encode()).derive(key)


class SealedWriter(io.RawIOBase):
    """A file that encrypts what is written to it. `digest` and `size` are of what it holds then."""

    def __init__(self, path: Path, key: bytes) -> None:
        """`key`: of this file alone."""
        self._file = path.open("xb")
        path.chmod(0o600)
        self._cipher = AESGCM(key)
        self._waiting = bytearray()
        self._number = 0
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        given = bytes(data)  # type: ignore[call-overload]
        self._waiting += given
        while len(self._waiting) > PIECE:  # the last piece is told apart, so one is kept back
            self._put(bytes(self._waiting[:PIECE]), last=False)
            del self._waiting[:PIECE]
        return len(given)

    def close(self) -> None:
        if not self.closed:
            self._put(bytes(self._waiting), last=True)
            self._file.close()
        super().close()

    @property
    def digest(self) -> str:
        """SHA-256, hexadecimal."""
        return self._hash.hexdigest()

    def _put(self, piece: bytes, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number, last), piece, None)
        self._number += 1
        self._hash.update(sealed)
        self.size += len(sealed)
        self._file.write(sealed)


def opened(path: Path, key: bytes) -> Iterator[bytes]:
    """What a sealed file holds, piece by piece. Raises Malformed `backup.damaged`."""
    cipher = AESGCM(key)
    with path.open("rb") as file:
        number, piece = 0, file.read(PIECE + _TAG)
        while True:
            following = file.read(PIECE + _TAG)
            try:
                yield cipher.decrypt(_nonce(number, last=not following), piece, None)
            except InvalidTag:
                raise Malformed(
                    "backup.damaged", "the file was changed, or the key is another", file=path.name
                ) from None
            if not following:
                return
            number, piece = number + 1, following


class OpenedReader(io.RawIOBase):
    """A sealed file to read from, as `tarfile` wants it."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._pieces = opened(path, key)
        self._held = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        if not self._held:
            self._held = next(self._pieces, b"")
        count = min(len(view), len(self._held))
        view[:count] = self._held[:count]
        self._held = self._held[count:]
        return count


def copy_into(source: IO[bytes], target: SealedWriter) -> None:
    while piece := source.read(PIECE):
        target.write(piece)


def _nonce(number: int, last: bool) -> bytes:
    return bytes([last]) + number.to_bytes(11, "big")
