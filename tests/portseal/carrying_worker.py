"""Ceremonies on two tokens, in processes of their own that break off while keys are carried over.

Arguments: directory, then steps. `init` initialises the tokens, `away` pulls the second, `strange`
makes another authority's key in it, `compare` compares two; the others hold the ceremony. `kill:N`:
killed before the N-th line of the carrying is told. `half:N`: killed between the two halves of the
N-th pair. `pull:N`: the second token is pulled before the N-th line, and plugged in afterwards.
`whole`: to the end. Prints how each ended.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hsm.wrapping
from hsm.admin import initialise_token
from hsm.generation import Export
from hsm.pins import FilePin
from hsm.same_keys import require_same_secrets, require_signing, shown_keys
from hsm.token import Token
from kernel.algorithms import ECDSA_P256_SHA256
from kernel.refusals import Refusal
from policies.ceremony_plan import load_ceremony_plan
from portseal.cli.ceremony import hold
from portseal.cli.ceremony_output import CeremonyDirectory
from portseal.demo.tokens import FIRST, LABELS, SECOND, AuthorityTokens
from portseal.settings import Settings, read_settings
from tests.database import load_all_tables
from tests.token import softhsm_module

_OF_CARRYING = ("Second token", "carried wrapped", "found in token portseal-second")


def _at(count: int, act: Callable[[], None], before: Callable[..., Any]) -> Callable[..., Any]:
    """`before`, with `act` done first at its N-th call."""
    left = count

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            act()
        return before(*arguments, **named)

    return counted


def _die() -> None:
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def _initialise(tokens: AuthorityTokens) -> str:
    tokens.prepare()
    for label in LABELS:
        so_pin, pin = (file(label).read_text() for file in (tokens.so_pin_file, tokens.pin_file))
        initialise_token(softhsm_module(), label, so_pin, pin)
    return "ready"


def _compare(tokens: AuthorityTokens) -> str:
    one, two = (
        Token(softhsm_module(), label, FilePin(tokens.pin_file(label))) for label in (FIRST, SECOND)
    )
    shown = shown_keys(two)
    assert shown == shown_keys(one)
    require_signing(two, shown)
    assert one.secret_labels() == two.secret_labels()
    require_same_secrets(two, [one])
    assert one.certificates() == two.certificates()
    for label in shown:
        two.require_guarded(label, Export.WRAPPED)
    return ",".join(sorted(shown))


def _make_another_key(tokens: AuthorityTokens) -> str:
    token = Token(softhsm_module(), SECOND, FilePin(tokens.pin_file(SECOND)))
    token.generate("issuing", ECDSA_P256_SHA256)
    return "made"


def _pull(tokens: AuthorityTokens) -> str:
    tokens.pull(SECOND)
    return "pulled"


_PREPARATIONS = {
    "init": _initialise, "away": _pull, "compare": _compare, "strange": _make_another_key,
}  # fmt: skip


def _attempt(directory: Path, settings: Settings, step: str) -> str:
    what, _, count = step.partition(":")
    tokens = AuthorityTokens(directory)
    if what in _PREPARATIONS:
        return _PREPARATIONS[what](tokens)
    patch = pytest.MonkeyPatch()
    if what == "half":
        patch.setattr(
            hsm.wrapping, "create_public", _at(int(count), _die, hsm.wrapping.create_public)
        )
    elif what != "whole":
        act = _die if what == "kill" else lambda: tokens.pull(SECOND)
        write, counted = CeremonyDirectory.write_line, _at(int(count), act, lambda: None)

        def write_line(self: CeremonyDirectory, line: str) -> None:
            if any(words in line for words in _OF_CARRYING):
                counted()
            write(self, line)

        patch.setattr(CeremonyDirectory, "write_line", write_line)
    try:
        hold(load_ceremony_plan("pool"), settings, "Test", directory / "out", True, "test")
    except Refusal as refusal:
        return refusal.code
    return "finished"


def main(directory: str, *steps: str) -> None:
    """Forks before anything is opened, which is quicker than to start Python again."""
    load_all_tables()
    settings, place = read_settings(), Path(directory)
    for step in steps:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            try:
                os.write(write, _attempt(place, settings, step).encode())
            finally:
                os._exit(0)
        os.close(write)
        _, status = os.waitpid(child, 0)
        with os.fdopen(read) as told:
            code = os.waitstatus_to_exitcode(status)
            print(told.read() if code == 0 else code, flush=True)
        if step.startswith("pull"):
            AuthorityTokens(place).plug_in(SECOND)


if __name__ == "__main__":
    main(*sys.argv[1:])
