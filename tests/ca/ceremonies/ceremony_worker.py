"""Ceremonies in processes of their own, each killed at a chosen step.

Arguments: database URL, token label, then steps: `line:N` (when the N-th line of the transcript is
told), or `issue:1` or `write:1`: before the first new certificate, signed already, is recorded, or
is written to the token. Prints how each process ended.
"""

import os
import signal
import sys
from typing import Any

import pytest

from ca.authority import Authority
from hsm.pins import EnvironmentPin
from hsm.token import Token
from records.database import Database
from tests.ca.world import ceremony_of, new_clock
from tests.database import load_all_tables
from tests.token import TokenBench, softhsm_module


def _silent(line: str) -> None:
    pass


class Countdown:
    """Wraps what is done at a step; the process dies before it is done for the N-th time."""

    def __init__(self, left: int) -> None:
        self._left = left

    def before(self, step: Any) -> Any:
        def counted(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                sys.stdout.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*arguments)

        return counted


def hold(url: str, label: str, step: str) -> None:
    what, _, count = step.partition(":")
    token = Token(softhsm_module(), label, EnvironmentPin(TokenBench.pin_variable(label)))
    progress: Any = _silent
    countdown = Countdown(int(count))
    patch = pytest.MonkeyPatch()
    if what == "line":
        progress = countdown.before(_silent)
    elif what == "issue":
        patch.setattr(Authority, "_record", countdown.before(Authority._record))
    else:
        patch.setattr(Token, "write_certificate", countdown.before(Token.write_certificate))
    ceremony_of(token, Database(url), new_clock(), progress).run()


def main(url: str, label: str, *steps: str) -> None:
    """Forks before anything is opened, which is quicker than to start Python again."""
    load_all_tables()
    for step in steps:
        child = os.fork()
        if child == 0:
            try:
                hold(url, label, step)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
