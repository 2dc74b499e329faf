"""Issues certificates in child processes that are killed, each in the midst of its work.

Arguments: database URL, token label. Each line of standard input starts one child: a step of
`IssuanceStep` and a count (the child kills itself with SIGKILL when it is at that step for that
many times), or `any` and milliseconds (it is killed from outside so long after its first step). The
answer is one line for each step that the child reached, `STEP SERIAL...`, and `dead` at the end.

The modules are loaded once; PKCS#11 is initialised after the fork, in each child.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from ca.authority import Authority
from ca.issuing.steps import IssuanceStep
from ca.linting.certificates import pkilint_findings
from hsm.pins import EnvironmentPin
from hsm.token import Token
from kernel.identifiers import Serial, serial_text
from kernel.refusals import Refusal
from records.database import Database
from tests.ca.world import new_clock, open_world, operator_request
from tests.database import load_all_tables
from tests.software_keys import SoftwareAuthority
from tests.token import TokenBench, softhsm_module

_BATCH = 3


class Dying:
    """Tells every step, and kills its own process at one of them."""

    def __init__(self, fatal: str, times: int) -> None:
        self._fatal = fatal
        self._times = times

    def __call__(self, step: IssuanceStep, serials: Sequence[Serial]) -> None:
        told = " ".join([step, *map(serial_text, serials)])
        os.write(1, f"{told}\n".encode())
        if step == self._fatal:
            self._times -= 1
            if self._times == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def issue_for_ever(authority: Authority) -> None:
    while True:
        authority.issue(authority.prepare("operator", operator_request()))
        batch = [("operator", operator_request()) for _ in range(_BATCH)]
        with suppress(Refusal):  # SQLite may be held by a dead sibling's lock for a moment
            authority.issue_many(authority.prepare_many(batch))


def child(url: str, label: str, fatal: str, times: int) -> None:
    token = Token(softhsm_module(), label, EnvironmentPin(TokenBench.pin_variable(label)))
    authority = open_world(token, Database(url), new_clock()).issuing
    authority._at_step = Dying(fatal, times)
    issue_for_ever(authority)


def run(url: str, label: str, fatal: str, number: int) -> None:
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.dup2(writing, 1)
        os.close(reading)
        try:
            child(url, label, fatal, number)
        finally:
            os._exit(70)
    os.close(writing)
    if fatal == "any":
        select.select([reading], [], [], 60)
        time.sleep(number / 1000)
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    with os.fdopen(reading, "rb") as told:
        sys.stdout.write(told.read().decode())
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    print("dead" if killed else f"ended {status}", flush=True)


def main(url: str, label: str) -> None:
    load_all_tables()
    pkilint_findings(SoftwareAuthority().signer().certificate.der)  # loads pkilint, once
    print("ready", flush=True)
    for line in sys.stdin:
        fatal, number = line.split()
        run(url, label, fatal, int(number))


if __name__ == "__main__":
    main(*sys.argv[1:])
