"""A re-issue in a process of its own, killed at a chosen step.

Arguments: database URL, token label, job, step: `intend:N` (before the N-th batch's intents are
recorded), `record:N` (before its certificates are, signed already), `note:N` (before its outcomes
are), `write:N` (before these are committed). A batch is two certificates.
"""

import os
import signal
import sys
from typing import Any

import pytest

from ca.authority import Authority
from ca.mass.reissue import Reissue
from ca.revocation import Revocation
from hsm.pins import EnvironmentPin
from hsm.token import Token
from records.database import Database
from tests.ca.world import new_clock, open_world
from tests.database import load_all_tables
from tests.token import TokenBench, softhsm_module


def main(url: str, label: str, job: str, step: str) -> None:
    load_all_tables()
    token = Token(softhsm_module(), label, EnvironmentPin(TokenBench.pin_variable(label)))
    world = open_world(token, Database(url), new_clock())
    what, _, left = step.partition(":")
    count = [int(left)]

    def dying(method: Any) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            count[0] -= 1
            if count[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments, **named)

        return counted

    patch = pytest.MonkeyPatch()
    owner: Any = Authority if what in ("intend", "record") else Reissue
    patch.setattr(owner, f"_{what}", dying(getattr(owner, f"_{what}")))
    w = world
    jobs = Reissue(
        w.database, w.journal, w.clock, Revocation(w.database, w.journal, w.outbox, w.clock)
    )
    jobs.run(job, world.authorities["issuing-2"].authority, batch=2)


if __name__ == "__main__":
    main(*sys.argv[1:])
