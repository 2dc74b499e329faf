"""Other processes of this machine that use the same module, kept out for a moment.

SoftHSM2 writes a token's file at each login; a process that reads it in that moment does not see
the token, and goes on not to see it until the next login of anybody. Whoever looks for tokens or
logs in holds a lock on the library's own file meanwhile, which is there for every process.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

if sys.platform != "win32":
    import fcntl

_LONGEST_SECONDS = 5.0
"""Then one goes on without: anybody on the machine can hold such a lock."""
_PAUSE_SECONDS = 0.002


@contextmanager
def kept_out(library: str) -> Iterator[None]:
    """No other process, and no other thread of this one, is in such a block of the same library.

    It does not nest. Where the file cannot be locked nobody is kept out; nor on Windows.
    """
    if sys.platform == "win32":  # the key agent runs there too
        yield
        return
    try:
        descriptor = os.open(library, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # a bare name, which the loader looks for itself
        yield
        return
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)  # and the lock with it


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return
            time.sleep(_PAUSE_SECONDS)
        except OSError:
            return
        else:
            return
