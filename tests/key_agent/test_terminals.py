"""Windows in a terminal: Debian's own pinentries and the agent's own, in a pseudo-terminal."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_PROGRAM = """
import os, sys
from key_agent.pinentry import Pinentry
from key_agent.terminal import Terminal
from key_agent.windows import view
from key_agent.words import Words
from kernel.refusals import Refusal
kind, question = sys.argv[1:3]
words = Words("en")
windows = Terminal(words) if kind == "own" else Pinentry(kind, words, os.ttyname(0))
shown = view("PortSeal key agent", "Site: https://portal.example", "It asks you to sign: 报关单")
never = lambda: False
try:
    if question == "pin":
        answer = repr(windows.pin(shown, "PIN:", never))
    elif question == "new":
        answer = repr(windows.new_pin(shown, "New PIN:", "New PIN again:", never))
    elif question == "abandoned":
        answer = repr(windows.pin(shown, "PIN:", lambda: True))
    else:
        answer = repr(windows.confirm(shown, never))
except Refusal as refusal:
    answer = refusal.code
print("\\r\\n<<" + answer + ">>", flush=True)
"""


class Screen:
    """A program in a pseudo-terminal."""

    def __init__(self, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        os.close(slave)

    def until(self, text: str) -> str:
        """Everything that was written, once `text` has been."""
        deadline = time.monotonic() + 30
        while text not in self.seen:
            assert time.monotonic() < deadline, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")
        return self.seen

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def screens() -> Iterator[list[Screen]]:
    made: list[Screen] = []
    yield made
    for each in made:
        each.close()


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.parametrize("name", ["pinentry-tty", "pinentry-curses", "own"])
def test_a_pin_is_typed_without_being_shown(name: str, screens: list[Screen]) -> None:
    screen = Screen("own" if name == "own" else program(name), "pin")
    screens.append(screen)
    before = screen.until("PIN")
    assert "https://portal.example" in before
    assert "报关单" in before
    screen.type("secret 91\r")
    after = screen.until("<<")
    assert "'secret 91'>>" in screen.until(">>")
    assert "secret 91" not in after.partition("<<")[0]


@pytest.mark.parametrize(("name", "yes", "no"), [("pinentry-tty", "a", "r"), ("own", "y\r", "n\r")])
def test_a_question_takes_yes_and_no(name: str, yes: str, no: str, screens: list[Screen]) -> None:
    for typed, answer in ((yes, "True"), (no, "False")):
        screen = Screen("own" if name == "own" else program(name), "confirm")
        screens.append(screen)
        assert "https://portal.example" in screen.until("efuse")
        screen.type(typed)
        assert f"<<{answer}>>" in screen.until(">>")


@pytest.mark.parametrize("name", ["pinentry-tty", "own"])
def test_a_new_pin_is_typed_twice(name: str, screens: list[Screen]) -> None:
    screen = Screen("own" if name == "own" else program(name), "new")
    screens.append(screen)
    screen.until("New PIN:")
    screen.type("fresh 4711\r")
    screen.until("again")
    screen.type("fresh 4711\r")
    assert "<<'fresh 4711'>>" in screen.until(">>")


@pytest.mark.parametrize(
    ("name", "shown", "typed"), [("pinentry-curses", "<Cancel>", "\t\t\r"), ("own", "PIN:", "\x1b")]
)
def test_a_window_is_closed_without_a_pin(
    name: str, shown: str, typed: str, screens: list[Screen]
) -> None:
    screen = Screen("own" if name == "own" else program(name), "pin")
    screens.append(screen)
    screen.until(shown)
    screen.type(typed)
    assert "<<agent.cancelled>>" in screen.until(">>")


def test_an_empty_pin_is_a_no(screens: list[Screen]) -> None:
    screen = Screen("own", "pin")
    screens.append(screen)
    screen.until("PIN:")
    screen.type("\r")
    assert "<<agent.cancelled>>" in screen.until(">>")


@pytest.mark.parametrize("name", ["pinentry-tty", "own"])
def test_a_window_closes_when_nobody_waits_for_it(name: str, screens: list[Screen]) -> None:
    screen = Screen("own" if name == "own" else program(name), "abandoned")
    screens.append(screen)
    assert "<<agent.cancelled>>" in screen.until(">>")


def test_the_terminal_is_as_before_afterwards(screens: list[Screen]) -> None:
    screen = Screen("own", "pin")
    screens.append(screen)
    before = subprocess.run(
        ["stty", "-g"], stdin=screen.master, capture_output=True, text=True, check=True
    ).stdout
    screen.until("PIN:")
    screen.type("secret 91\r")
    screen.until(">>")
    after = subprocess.run(
        ["stty", "-g"], stdin=screen.master, capture_output=True, text=True, check=True
    ).stdout
    assert after == before


def test_without_a_pinentry_and_a_terminal_the_agent_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "key_agent", "run", "--windows", "terminal"],
        env={**os.environ, "PORTSEAL_AGENT_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "window.failed" in done.stderr
