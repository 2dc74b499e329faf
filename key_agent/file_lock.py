"""One process at a time: the agent and its commands change the same small files."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kernel.refusals import Unavailable

WAIT_SECONDS = 10.0
"""What is done under the lock takes milliseconds; only a stopped process holds it for longer."""
_LOOK_SECONDS = 0.01

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of `path`, in a file beside it that stays. The operating system lets go of it
    when its process ends, however that ends: no lock is ever left over.

    Raises Unavailable `file.locked`.
    """
    beside = path.with_name(f"{path.name}.lock")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait(descriptor, path.name)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, name: str) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return _take(descriptor)
        except OSError:
            if time.monotonic() > until:
                raise Unavailable(
                    "file.locked", "another process of the agent does not let go of this file",
                    file=name,
                ) from None  # fmt: skip
        time.sleep(_LOOK_SECONDS)
