"""Custodians at the terminal: each sees or enters one share, alone, and it goes nowhere else.

The terminal itself is written and read, never a standard stream: what is redirected into a file
or a log holds no share.
"""

import getpass
import secrets

from hsm.shares import ShareBox, SplitSecret, token_pins
from kernel.refusals import Unavailable, Unprocessable

_CLEAR = "\x1b[2J\x1b[3J\x1b[H"
_WORDS_ASKED = 3
_TRIES = 3


def hand_out(what: str, split: SplitSecret, custodians: tuple[str, ...]) -> None:
    """Show each custodian one share, and have three of its words told back.

    Raises Unavailable `custody.no-terminal`, Unprocessable `custody.not-confirmed`.
    """
    for custodian, share in zip(custodians, split.shares, strict=True):
        _ask(f"{what}: {custodian} alone at the screen, then Enter: ")
        words = share.split()
        _show(
            f"{_CLEAR}Share of {custodian} in {what} (set {split.set_number}). Write it down.\n"
            + "".join(f"{number:3d} {word}\n" for number, word in enumerate(words, start=1))
        )
        _ask("Written down, then Enter: ")
        _show(_CLEAR)
        asked = sorted(secrets.SystemRandom().sample(range(len(words)), _WORDS_ASKED))
        numbers = ", ".join(str(number + 1) for number in asked)
        for _ in range(_TRIES):
            told = _ask(f"{custodian}, tell words {numbers}: ").lower().split()
            if told == [words[number] for number in asked]:
                break
            _show("These are not the words.\n")
        else:
            raise Unprocessable("custody.not-confirmed", "a custodian did not confirm the share")
        _show(f"{custodian} holds a share of {what}.\n")


def collect(what: str) -> bytes:
    """The secret, from as many custodians as it takes, one after the other.

    Raises Unavailable `custody.no-terminal`, Unprocessable `share.*` after three wrong entries.
    """
    box, wrong = ShareBox(), 0
    while box.missing is None or box.missing > 0:
        left = "" if box.missing is None else f", {box.missing} more"
        try:
            box.add(_ask(f"Share of {what}{left} (not shown): "))
        except Unprocessable as refusal:
            wrong += 1
            if wrong >= _TRIES:
                raise
            _show(f"{refusal.detail}.\n")
    _show(f"Enough shares of {what}.\n")
    return box.restore()


class CustodiansPin:
    """The PIN of a token, from its custodians' shares; asked for once in a process."""

    attended = True

    def __init__(self) -> None:
        self._pins: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return "CustodiansPin()"

    def pin(self, token: str) -> str:
        return self._both(token)[0]

    def so_pin(self, token: str) -> str:
        """The security officer's."""
        return self._both(token)[1]

    def _both(self, token: str) -> tuple[str, str]:
        if self._pins is None:
            self._pins = token_pins(collect(f"token {token}"))
        return self._pins


def _show(text: str) -> None:
    try:
        with open("/dev/tty", "w", encoding="utf-8") as screen:
            screen.write(text)
    except OSError:
        raise _no_terminal() from None


def _ask(question: str) -> str:
    """What is typed, unseen."""
    _show("")  # getpass would fall back to a standard stream
    try:
        return getpass.getpass(question)
    except (EOFError, OSError):
        raise _no_terminal() from None


def _no_terminal() -> Unavailable:
    return Unavailable("custody.no-terminal", "custodians need a terminal")
