"""The agent's own log: every use of it, for its user to read. No PIN, no document, no secret."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from kernel.clock import Clock

MAX_FILE_BYTES = 4 * 1024 * 1024
KEPT_FILES = 4


class UseLog:
    """JSON lines, newest last. A full file is put aside; the oldest of them goes."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()

    def write(self, origin: str, method: str, outcome: str, **facts: Any) -> None:
        """One use. `outcome` is `done` or the code of a refusal."""
        entry = {
            "time": self._clock.now().isoformat(timespec="milliseconds"),
            "origin": origin,
            "method": method,
            "outcome": outcome,
            **facts,
        }
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        with self._lock:
            self._make_room(len(line))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(line)

    def entries(self) -> Iterator[dict[str, Any]]:
        """The oldest first. A line that a power cut tore is left out."""
        for number in range(KEPT_FILES, -1, -1):
            with suppress(FileNotFoundError):
                for line in self._aside(number).read_text(encoding="utf-8").splitlines():
                    with suppress(ValueError):
                        yield json.loads(line)

    def _aside(self, number: int) -> Path:
        return self._path if number == 0 else self._path.with_suffix(f".{number}.jsonl")

    def _make_room(self, size: int) -> None:
        try:
            full = self._path.stat().st_size + size > MAX_FILE_BYTES
        except FileNotFoundError:
            return
        if not full:
            return
        for number in range(KEPT_FILES, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(self._aside(number - 1), self._aside(number))
