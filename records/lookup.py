"""One prepared look-up, asked thousands of times a second, straight from the driver.

SQLAlchemy takes several times as long to run a statement as the database takes to answer it by
an index. That does not matter anywhere but on the path of status answers.
"""

import os
import threading
from typing import Any

from kernel.refusals import Unavailable
from records.database import Database


class Lookup:
    """A SELECT with `?` for its arguments. Each thread has a connection of its own.

    Every call sees what was committed before it. Values come as the driver gives them: text and
    whole numbers are alike on every database, times are not.
    """

    def __init__(self, database: Database, statement: str) -> None:
        self._database = database
        self._statement = statement if database.is_sqlite else statement.replace("?", "%s")
        self._local = threading.local()

    def first(self, *arguments: str | int) -> Any:
        """The first row, a tuple; None: there is none. Raises Unavailable."""
        errors = self._database.driver_errors
        for attempt in (1, 2):
            try:
                return self._connection().execute(self._statement, arguments).fetchone()
            except errors as error:
                self._drop()
                # A connection that the server ended meanwhile is made anew once.
                if attempt == 2:
                    raise Unavailable(
                        "database.unavailable",
                        "the database did not answer",
                        error=type(error).__name__,
                    ) from error
        raise AssertionError("unreachable")

    def _connection(self) -> Any:
        held = getattr(self._local, "held", None)
        if held is None or held[0] != os.getpid():
            held = self._local.held = (os.getpid(), self._database.driver_connection())
        return held[1]

    def _drop(self) -> None:
        held = getattr(self._local, "held", None)
        self._local.held = None
        if held is not None and held[0] == os.getpid():
            held[1].close()
