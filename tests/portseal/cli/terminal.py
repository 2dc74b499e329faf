"""A terminal in which `portseal` asks for PINs, and plain runs of it beside."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

PORTSEAL = (sys.executable, "-m", "portseal.cli")
_SECONDS = 30
Answer = str | Callable[[], str]


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said on which stream."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    fds: Sequence[int] = (),
    seconds: float = 60,
    program: Sequence[str] = PORTSEAL,
) -> Outcome:
    """`portseal` without a terminal: no prompt can be answered."""
    done = subprocess.run(
        ["setsid", *program, *arguments],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        pass_fds=tuple(fds),
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def run_with_pin(arguments: Sequence[str], environment: Mapping[str, str], pin: str) -> Outcome:
    """`portseal ... --pin-fd N` with the PIN in a pipe."""
    reader, writer = os.pipe()
    try:
        os.write(writer, pin.encode() + b"\n")
        os.close(writer)
        return run([*arguments, "--pin-fd", str(reader)], environment, [reader])
    finally:
        os.close(reader)


def converse(
    arguments: Sequence[str], environment: Mapping[str, str], answers: Sequence[tuple[str, Answer]]
) -> Outcome:
    """`portseal` in a terminal of its own: each question is waited for, then answered. An answer
    that is only known then, such as a code that was sent, is a function."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *PORTSEAL, *arguments],
        env=dict(environment),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    try:
        for question, answer in answers:
            start = len(said)
            while question.encode() not in said[start:]:
                more = _read(ours)
                assert more, f"ended without asking {question!r}: {said!r}"
                said += more
            typed = answer if isinstance(answer, str) else answer()
            os.write(ours, typed.encode() + b"\n")
        while more := _read(ours):
            said += more
        return Outcome(process.wait(_SECONDS), said.decode(), "")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


def _read(terminal: int) -> bytes:
    """What is said next; empty at the end."""
    deadline = time.monotonic() + _SECONDS
    ready, _, _ = select.select([terminal], [], [], deadline - time.monotonic())
    assert ready, "nothing was said in time"
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other side closed the terminal
        return b""
