"""What is removed for good waits for a backup: the one removes while the other does not read.

A backup reads on for minutes after the database's moment. What that moment names (an object of the
archive, a key of the token) is there until the last part is read: whoever removes such a thing does
so inside `permitted`, and a backup is made inside `held_off`. Both end with their process, however
it ends.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from kernel.refusals import Conflict
from records import named_lock
from records.database import Database

_NAME = "removals"
_BESIDE = text("SELECT pg_try_advisory_xact_lock_shared(hashtextextended(:name, 0))")


@contextmanager
def held_off(database: Database) -> Iterator[None]:
    """For a backup: nothing is removed. Waits for what is just being removed, and for another
    backup. Raises Unavailable, also at the end, when the database went away meanwhile."""
    with named_lock.held(database, _NAME):
        yield


@contextmanager
def permitted(database: Database) -> Iterator[bool]:
    """Whether something may be removed inside; False while a backup is made, without waiting.

    Raises Unavailable.
    """
    if database.file is None:
        with database.transaction() as connection:
            yield bool(connection.execute(_BESIDE, {"name": _NAME}).scalar_one())
    else:
        with named_lock.lock_file(database, _NAME) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


@contextmanager
def required(database: Database) -> Iterator[None]:
    """As `permitted`. Raises Conflict `backup.running` while a backup is made."""
    with permitted(database) as may:
        if not may:
            raise Conflict(
                "backup.running", "a backup is being made; nothing is removed until it is whole"
            )
        yield
