"""The agent's code as it is read on Windows or macOS, in a process of its own:
`python -m tests.key_agent.elsewhere win32|darwin DIRECTORY`. Prints what it finds as JSON.

What the interpreter itself says of its system is changed before the agent is imported, and what is
not there is taken away. The libraries are loaded before, with the agent as it is here: they are not
what is tried. Nothing here shows that the agent runs on such a system; it shows which way the code
takes there.
"""

import builtins
import fcntl
import importlib
import json
import os
import pkgutil
import sys
import types
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

_HOUSE = ("hsm", "kernel", "key_agent", "policies", "signing_service")
_POSIX_ALONE = ("fcntl", "termios", "tty", "pty", "pwd", "grp", "resource", "readline")
_POSIX_FUNCTIONS = ("getuid", "geteuid", "ttyname", "fork", "mkfifo")


class Keyboard(types.ModuleType):
    """`msvcrt`, as much of it as the agent uses."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.keys: deque[str] = deque()

    def kbhit(self) -> bool:
        return bool(self.keys)

    def getwch(self) -> str:
        return self.keys.popleft()

    def locking(self, descriptor: int, mode: int, octets: int) -> None:
        """A lock of this system in the place of that one: both go when the file is closed."""
        assert (mode, octets) == (self.LK_NBLCK, 1)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def become(system: str, keyboard: Keyboard) -> None:
    modules()
    for name in [each for each in sys.modules if each.partition(".")[0] in _HOUSE]:
        del sys.modules[name]
    sys.platform = system
    if system == "win32":
        for name in _POSIX_ALONE:
            sys.modules[name] = None  # type: ignore[assignment]
        for name in _POSIX_FUNCTIONS:
            delattr(os, name)
        sys.modules["msvcrt"] = keyboard


def modules() -> list[str]:
    """Every module of the agent, imported."""
    package = importlib.import_module("key_agent")
    found = [f"key_agent.{each.name}" for each in pkgutil.iter_modules(package.__path__)]
    wanted = [name for name in found if not name.endswith(("__main__", "standalone"))]
    for name in wanted:
        importlib.import_module(name)
    return wanted


def autostart() -> dict[str, Any]:
    from key_agent import autostart as tried
    from key_agent.places import autostart_file, home

    told = {"home": str(home()), "file": str(tried.switch_on())}
    told["content"] = Path(told["file"]).read_text(encoding="utf-8")
    return {
        **told,
        "same": told["file"] == str(autostart_file()),
        "off": [tried.switch_off(), tried.switch_off()],
    }


def lock(directory: Path) -> dict[str, Any]:
    """One at a time, and again when it was let go."""
    from kernel.refusals import Unavailable
    from key_agent import file_lock

    file_lock.WAIT_SECONDS = 0.05
    code = None
    with file_lock.locked(directory / "origins.json"):
        try:
            with file_lock.locked(directory / "origins.json"):
                pass
        except Unavailable as refusal:
            code = refusal.code
    with file_lock.locked(directory / "origins.json"):
        return {"second": code, "again": True}


def terminal(keyboard: Keyboard) -> dict[str, Any]:
    """A PIN with a mistake mended, a yes, and a window that is closed with Escape."""
    from kernel.refusals import Refusal
    from key_agent.terminal import Terminal
    from key_agent.windows import view
    from key_agent.words import Words

    sys.stdin.isatty = lambda: True  # type: ignore[method-assign]
    asked = Terminal(Words("en"))
    shown = view("title", "Site: https://id.example")
    said: list[str] = []
    builtins.print = lambda *_, **__: None
    import click

    click.echo = lambda text="", **_: said.append(str(text))
    keyboard.keys.extend("1234x\b56\r")
    pin = asked.pin(shown, "PIN:", lambda: False)
    keyboard.keys.extend("y\r")
    agreed = asked.confirm(shown, lambda: False)
    keyboard.keys.extend("12\x1b")
    try:
        asked.pin(shown, "PIN:", lambda: False)
        escaped = "not noticed"
    except Refusal as refusal:
        escaped = refusal.code
    return {"pin": pin, "agreed": agreed, "escape": escaped, "echoed": "1" in "".join(said)}


def main() -> None:
    system, directory = sys.argv[1], Path(sys.argv[2])
    keyboard = Keyboard()
    out = print
    become(system, keyboard)
    found: dict[str, Any] = {"modules": modules()}
    from hsm.cryptoki import _FunctionList
    from hsm.libraries import known_libraries
    from key_agent.peers import require_own_user
    from key_agent.pinentry import find_pinentry, own_terminal

    found["function list"] = _FunctionList.functions.offset
    found["libraries"] = known_libraries()
    found["autostart"] = autostart()
    with suppress(AttributeError):
        found["terminal device"] = own_terminal()
    require_own_user(1, 2)  # not told there, and so not refused
    found["pinentry"] = find_pinentry(None)
    if system == "win32":
        found["lock"] = lock(directory)
        found["keyboard"] = terminal(keyboard)
    out(json.dumps(found))


if __name__ == "__main__":
    main()
