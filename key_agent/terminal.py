"""Windows in the terminal that the agent was started in, where there is no pinentry."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from kernel.refusals import Unavailable
from key_agent.windows import SECONDS, Abandoned, View, cancelled, timed_out
from key_agent.words import Words

_LOOK_SECONDS = 0.2
_LONGEST = 256


class Terminal:
    """`key_agent.windows.Windows`; one question at a time."""

    def __init__(self, words: Words) -> None:
        """Raises Unavailable `window.failed` without a terminal."""
        self._words = words
        self._lock = threading.Lock()
        if not sys.stdin.isatty():
            raise Unavailable(
                "window.failed", "there is neither a pinentry nor a terminal to ask the user in"
            )

    def confirm(self, shown: View, abandoned: Abandoned) -> bool:
        with self._lock:
            _show(shown)
            question = f"{self._words('allow')} (y) / {self._words('refuse')} (n): "
            answer = _read(question, abandoned, echo=True).strip().lower()
        if answer in {"y", "yes", "是"}:
            return True
        if answer in {"n", "no", "否"}:
            return False
        raise cancelled()

    def pin(self, shown: View, prompt: str, abandoned: Abandoned) -> str:
        with self._lock:
            _show(shown)
            return _secret(prompt, abandoned)

    def new_pin(self, shown: View, prompt: str, again: str, abandoned: Abandoned) -> str:
        with self._lock:
            _show(shown)
            while True:
                first = _secret(prompt, abandoned)
                if _secret(again, abandoned) == first:
                    return first
                click.echo(self._words("differ"))


def _show(shown: View) -> None:
    click.echo(f"\n=== {shown.title} ===")
    for line in shown.lines:
        click.echo(line)


def _secret(prompt: str, abandoned: Abandoned) -> str:
    value = _read(f"{prompt} ", abandoned, echo=False)
    click.echo()
    if not value:
        raise cancelled()
    return value


def _read(question: str, abandoned: Abandoned, *, echo: bool) -> str:
    """One line. Raises Cancelled."""
    characters: list[str] = []
    deadline = time.monotonic() + SECONDS
    with _keys(echo=echo) as key:
        # Asked only when the terminal no longer echoes what is typed.
        click.echo(question, nl=False)
        while len(characters) < _LONGEST:
            if abandoned():
                raise cancelled()
            if time.monotonic() > deadline:
                raise timed_out()
            character = key()
            if character in {"\r", "\n"}:
                break
            if character in {"\x03", "\x04", "\x1b"}:
                raise cancelled()
            if character in {"\x7f", "\b"}:
                del characters[-1:]
            elif character:
                characters.append(character)
                if echo:
                    click.echo(character, nl=False)
    return "".join(characters)


if sys.platform == "win32":
    import msvcrt

    class _Keys:
        def __call__(self) -> str:
            if msvcrt.kbhit():
                return msvcrt.getwch()
            time.sleep(_LOOK_SECONDS / 4)
            return ""

    @contextmanager
    def _keys(*, echo: bool) -> Iterator[_Keys]:
        yield _Keys()

else:
    import os
    import select
    import termios

    class _Keys:
        """The next character, or nothing when none came for a moment."""

        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor
            self._part = b""

        def __call__(self) -> str:
            ready, _, _ = select.select([self._descriptor], [], [], _LOOK_SECONDS)
            if not ready:
                return ""
            octet = os.read(self._descriptor, 1)
            if not octet:
                return "\x04"
            self._part += octet
            try:
                character = self._part.decode("utf-8")
            except UnicodeDecodeError:
                if len(self._part) >= 4:
                    self._part = b""
                return ""
            self._part = b""
            return character

    @contextmanager
    def _keys(*, echo: bool) -> Iterator[_Keys]:
        """Key by key and without the terminal's own echo; as before afterwards."""
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        changed = termios.tcgetattr(descriptor)
        changed[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, changed)
        try:
            yield _Keys(descriptor)
        finally:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
