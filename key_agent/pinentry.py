"""Windows drawn by a pinentry: GnuPG's small program that asks for PINs, on every desktop.

(pinentry manual, "Protocol".) What is shown stands in the same window as the entry, so that a PIN
is never typed without it; what is too long for one window is confirmed page by page before.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from kernel.refusals import Unavailable
from key_agent.assuan import MAX_LINE, AbandonedError, AssuanClient, AssuanError, escaped
from key_agent.windows import (
    MAX_LINES,
    SECONDS,
    Abandoned,
    View,
    cancelled,
    timed_out,
)
from key_agent.words import Words

_CANCELED, _NOT_CONFIRMED, _TIMEOUT = 99, 114, 62
"""GPG_ERR_CANCELED, GPG_ERR_NOT_CONFIRMED and GPG_ERR_TIMEOUT of libgpg-error."""
_ROOM = MAX_LINE - len("SETDESC ") - 8
_WINDOWS_PLACES = (
    r"C:\Program Files (x86)\GnuPG\bin\pinentry-basic.exe",
    r"C:\Program Files\Gpg4win\bin\pinentry.exe",
    r"C:\Program Files (x86)\Gpg4win\bin\pinentry.exe",
)


def find_pinentry(named: str | None) -> str | None:
    """The path of a pinentry: the one named, else the system's choice; None without any."""
    if named is not None:
        return shutil.which(named)
    names = ("pinentry-mac", "pinentry") if sys.platform == "darwin" else ("pinentry",)
    places = _WINDOWS_PLACES if sys.platform == "win32" else names
    return next((found for each in places if (found := shutil.which(each))), None)


class Pinentry:
    """`key_agent.windows.Windows`, each question a process of its own."""

    def __init__(self, program: str, words: Words, terminal: str | None = None) -> None:
        """`terminal` is the device for a pinentry that draws in one."""
        self._program = program
        self._words = words
        self._terminal = terminal

    def confirm(self, shown: View, abandoned: Abandoned) -> bool:
        *before, last = pages(shown)
        try:
            with self._open(abandoned) as client:
                for page in before:
                    self._page(client, shown.title, page)
                self._describe(client, shown.title, last)
                client.ask("SETOK", self._words("allow"))
                client.ask("SETNOTOK", self._words("refuse"))
                client.ask("SETCANCEL", self._words("cancel"))
                client.ask("CONFIRM")
        except AssuanError as error:
            if error.number == _NOT_CONFIRMED:
                return False
            raise _meaning(error) from None
        return True

    def pin(self, shown: View, prompt: str, abandoned: Abandoned) -> str:
        return self._secret(shown, prompt, None, abandoned)

    def new_pin(self, shown: View, prompt: str, again: str, abandoned: Abandoned) -> str:
        return self._secret(shown, prompt, again, abandoned)

    def _secret(self, shown: View, prompt: str, again: str | None, abandoned: Abandoned) -> str:
        *before, last = pages(shown)
        try:
            with self._open(abandoned) as client:
                for page in before:
                    self._page(client, shown.title, page)
                self._describe(client, shown.title, last)
                client.ask("SETPROMPT", prompt)
                if again is not None:
                    client.ask("SETREPEAT", again)
                    client.ask("SETREPEATERROR", self._words("differ"))
                value = client.ask("GETPIN")
        except AssuanError as error:
            raise _meaning(error) from None
        if not value:
            raise cancelled()
        return value

    @contextmanager
    def _open(self, abandoned: Abandoned) -> Iterator[AssuanClient]:
        """A conversation with its options set; an option that a pinentry does not know is left."""
        environment = self._environment()
        try:
            with AssuanClient([self._program], environment, abandoned, SECONDS) as client:
                for command, argument in self._options():
                    with suppress(AssuanError):
                        client.ask(command, argument)
                yield client
        except AbandonedError:
            raise (cancelled() if abandoned() else timed_out()) from None

    def _options(self) -> Iterator[tuple[str, str]]:
        yield "OPTION", "grab"
        if self._terminal is not None:
            yield "OPTION", f"ttyname={self._terminal}"
            yield "OPTION", f"ttytype={os.environ.get('TERM', 'xterm')}"
        yield "OPTION", "lc-ctype=C.UTF-8"
        yield "SETTIMEOUT", str(SECONDS)

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, **({} if self._terminal is None else {"GPG_TTY": self._terminal})}

    def _page(self, client: AssuanClient, title: str, page: str) -> None:
        self._describe(client, title, page)
        client.ask("SETOK", self._words("next"))
        client.ask("SETCANCEL", self._words("cancel"))
        client.ask("CONFIRM")

    @staticmethod
    def _describe(client: AssuanClient, title: str, page: str) -> None:
        client.ask("SETTITLE", title)
        client.ask("SETDESC", page)


def pages(shown: View) -> list[str]:
    """What is shown, in parts that fit a window and a line of the protocol. Each begins with the
    heading: who asks; where there are several, the last one holds the summary."""
    heading, rest = shown.lines[: shown.heading], shown.lines[shown.heading :]
    first = "\n".join(heading)
    parts: list[list[str]] = [[]]
    room = whole = _ROOM - sum(map(_size, heading)) - len(" (99/99)")
    for line in rest:
        if parts[-1] and (_size(line) > room or len(parts[-1]) >= MAX_LINES - len(heading)):
            parts.append([])
            room = whole
        parts[-1].append(line)
        room -= _size(line)
    if len(parts) > 1:
        again = [line for line in shown.summary if line not in parts[-1]]
        if again and not _fits([*again, *parts[-1]], MAX_LINES - len(heading), whole):
            again = list(shown.summary)  # a page of its own, where it stands together
            parts.append([])
        while not _fits([*again, *parts[-1]], MAX_LINES - len(heading), whole):
            again.pop()  # an origin of hundreds of characters leaves less room
        parts[-1][:0] = again
    count = len(parts)
    return [
        "\n".join((f"{first} ({number}/{count})" if count > 1 else first, *part))
        for number, part in enumerate(parts, 1)
    ]


def _fits(lines: list[str], most: int, room: int) -> bool:
    return len(lines) <= most and sum(map(_size, lines)) <= room


def _size(line: str) -> int:
    """Octets that a line of the description takes in the protocol, its end included."""
    return len(escaped(line).encode()) + len("%0A")


def _meaning(error: AssuanError) -> Exception:
    if error.number == _TIMEOUT:
        return timed_out()
    if error.number in (_CANCELED, _NOT_CONFIRMED):
        return cancelled()
    return Unavailable("window.failed", "the pinentry program failed", error=str(error)[:120])


def own_terminal() -> str | None:
    """The device of the terminal that the agent was started in."""
    for descriptor in (0, 1, 2):
        try:
            name = os.ttyname(descriptor)
        except (OSError, AttributeError):
            continue
        return name if Path(name).exists() else None
    return None
