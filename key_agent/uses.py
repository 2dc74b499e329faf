"""The agent's own log: every use of it, for its user to read. No PIN and no secret.

No document either; but of one that a page wants signed, beside its digest, the lines of the
question to the user: the fields of a declaration, the first lines of a text, of a bundle its first
documents.
"""

import heapq
import json
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from kernel.clock import Clock

MAX_FILE_BYTES = 4 * 1024 * 1024
KEPT_FILES = 4
_NAMED = {"time", "origin", "method", "outcome"}


class UseLog:
    """JSON lines, newest last. A full file is put aside; the oldest of them goes.

    What the user agreed to stands in a file of its own: no page can fill that one without the
    user, and so none can wash out the evidence of a signature.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._agreed = path.with_name(f"{path.stem}-agreed{path.suffix}")
        self._clock = clock
        self._lock = threading.Lock()

    def write(
        self, origin: str, method: str, outcome: str, *, agreed: bool = False, **facts: Any
    ) -> None:
        """One use. `outcome` is `done` or the code of a refusal; `agreed`: done, and the user was
        asked for it in a window."""
        path = self._agreed if agreed else self._path
        entry = {
            "time": self._clock.now().isoformat(timespec="milliseconds"),
            "origin": origin,
            "method": method,
            "outcome": outcome,
            **facts,
        }
        # In ASCII: whatever a page put into it, nothing but its end looks like the end of a line.
        line = json.dumps(entry).encode("ascii") + b"\n"
        with self._lock:
            _make_room(path, len(line))
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "a+b") as file:
                file.write(line if _ends_well(file) else b"\n" + line)

    def entries(self) -> Iterator[dict[str, Any]]:
        """The oldest first. A line that a power cut tore is left out."""
        files = (_read(self._agreed), _read(self._path))
        return heapq.merge(*files, key=lambda entry: str(entry.get("time")))

    def agreed(self) -> Iterator[dict[str, Any]]:
        """Only what the user was asked about and agreed to; the oldest first."""
        return _read(self._agreed)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    for number in range(KEPT_FILES, -1, -1):
        with suppress(FileNotFoundError):
            for line in _aside(path, number).read_bytes().split(b"\n"):
                entry = _entry(line)
                if entry is not None:
                    yield entry


def _entry(line: bytes) -> dict[str, Any] | None:
    with suppress(ValueError, RecursionError):
        entry = json.loads(line.decode("utf-8"))
        if isinstance(entry, dict) and entry.keys() >= _NAMED:
            return entry
    return None


def _ends_well(file: BinaryIO) -> bool:
    """Whether the last line is whole: a power cut may have torn it."""
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _aside(path: Path, number: int) -> Path:
    return path if number == 0 else path.with_suffix(f".{number}.jsonl")


def _make_room(path: Path, size: int) -> None:
    try:
        full = path.stat().st_size + size > MAX_FILE_BYTES
    except FileNotFoundError:
        return
    if not full:
        return
    for number in range(KEPT_FILES, 0, -1):
        with suppress(FileNotFoundError):
            os.replace(_aside(path, number - 1), _aside(path, number))
