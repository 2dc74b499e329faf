"""Objects as files: written aside, synchronised, renamed; compared with their name when read."""

import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from kernel.refusals import Unavailable
from signing_service.archive.objects import ARCHIVE_FULL, address_of, checked

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REMEMBERED = 4096
_ADDRESS = re.compile(r"[0-9a-f]{64}")


class FileStore:
    """Files `ab/abcd...` below one directory, readable by the service alone."""

    def __init__(self, directory: Path, reserve_bytes: int = 64 << 20) -> None:
        """`reserve_bytes` stay free on the disk: the archive is full before the disk is."""
        self._directory = directory
        self._incoming = directory / "incoming"
        self._reserve_bytes = reserve_bytes
        self._synchronised: set[str] = set()  # what need not be synchronised again

    def put(self, data: bytes) -> str:
        address = address_of(data)
        path = self._path(address)
        with _refusing():
            if self._is_there(path, data):
                return address
            self._make(self._incoming)
            self._require_room(len(data))
            self._make(path.parent)
            self._write(path, data)
        return address

    def put_pieces(self, pieces: Iterable[bytes | memoryview]) -> tuple[str, int]:
        running, size = hashlib.sha256(), 0
        with _refusing():
            self._make(self._incoming)
            aside, file = self._new()
        try:
            with file:
                for piece in pieces:
                    running.update(piece)
                    size += len(piece)
                    with _refusing():
                        self._require_room(len(piece))
                        file.write(piece)
                with _refusing():
                    file.flush()
                    os.fsync(file.fileno())
            with _refusing():
                path = self._path(running.hexdigest())
                self._make(path.parent)
                self._settle(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        return path.name, size

    def get(self, address: str) -> bytes:
        with self.open(address) as file, _refusing():
            data = file.read()
        return checked(data, address)

    def open(self, address: str) -> BinaryIO:
        with _refusing():
            try:
                return self._path(address).open("rb")
            except FileNotFoundError:
                raise Unavailable(
                    "archive.missing", "an archived object is missing", object=address
                ) from None

    def addresses(self) -> Iterator[str]:
        for path in self._directory.glob("??/*"):
            if _ADDRESS.fullmatch(path.name):
                yield path.name

    def remove(self, address: str, put_before: datetime) -> bool:
        """Taken away first and judged then, so that a `put` at this moment writes it anew."""
        path = self._path(address)
        aside = self._incoming / secrets.token_hex(8)
        with _refusing():
            self._make(self._incoming)
            try:
                if _put_at(path) >= put_before:
                    return False
                path.rename(aside)
            except FileNotFoundError:
                return False
            if _put_at(aside) >= put_before:
                aside.rename(path)
                return False
            aside.unlink()
            self._synchronised.discard(address)
        return True

    def tidy(self, put_before: datetime) -> None:
        """Remove what a dead process left half-written."""
        for path in self._incoming.glob("*"):
            with suppress(FileNotFoundError):
                if _put_at(path) < put_before:
                    path.unlink()

    def _path(self, address: str) -> Path:
        if not _ADDRESS.fullmatch(address):
            raise Unavailable("archive.missing", "not an object's address")
        return self._directory / address[:2] / address

    def _is_there(self, path: Path, data: bytes) -> bool:
        """Whether the same bytes are kept already; if so, marked as wanted from now on."""
        try:
            if path.read_bytes() != data:
                return False
            os.utime(path)
        except FileNotFoundError:
            return False
        if path.name not in self._synchronised:
            _synchronise(path.parent)  # its writer may have died before doing so
            self._remember(path.name)
        return True

    def _remember(self, address: str) -> None:
        if len(self._synchronised) >= _REMEMBERED:
            self._synchronised.clear()
        self._synchronised.add(address)

    def _write(self, path: Path, data: bytes) -> None:
        aside, file = self._new()
        try:
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._settle(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise

    def _new(self) -> tuple[Path, BinaryIO]:
        """A file that nobody reads yet."""
        aside = self._incoming / secrets.token_hex(8)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return aside, open(descriptor, "wb")

    def _settle(self, aside: Path, path: Path) -> None:
        """A whole file gets its name."""
        aside.replace(path)
        _synchronise(path.parent)
        self._remember(path.name)

    def _require_room(self, size: int) -> None:
        if shutil.disk_usage(self._incoming).free < self._reserve_bytes + size:
            raise _full()

    def _make(self, directory: Path) -> None:
        """The directory with those above it, each recorded durably in its parent."""
        if directory.is_dir():
            return
        if not directory.parent.is_dir():
            self._make(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        _synchronise(directory.parent)


def _put_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _synchronise(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full() from None
        raise Unavailable(
            "archive.unavailable", "the archive's disk does not answer", error=error.strerror
        ) from error


def _full() -> Unavailable:
    return Unavailable(ARCHIVE_FULL, "the archive is full: nothing is accepted until it has room")
