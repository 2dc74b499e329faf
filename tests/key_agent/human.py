"""The person in front of the agent's windows, as a test plays them."""

import json
import queue
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Answer = dict[str, Any]
_SECONDS = 30


@dataclass(frozen=True)
class Window:
    """What a pinentry was asked to show."""

    command: str
    title: str
    description: str
    prompt: str
    repeat: str | None

    @property
    def lines(self) -> list[str]:
        return self.description.split("\n")


class Human:
    """Answers every window with `answer`, a function of it, and remembers what was shown.

    By default the PIN of the token that the window names is typed, and questions are agreed to.
    """

    def __init__(self, pins: dict[str, str]) -> None:
        self.pins = pins
        self.windows: list[Window] = []
        self.opened: queue.Queue[Window] = queue.Queue()
        """Each window as it opens, for a test that waits for one."""
        self.answer: Callable[[Window], Answer] = self.agree
        self._directory = tempfile.TemporaryDirectory(prefix="portseal-human-")
        self.socket = Path(self._directory.name) / "socket"
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(self.socket))
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._server.close()
        self._directory.cleanup()

    def agree(self, window: Window) -> Answer:
        if window.command == "CONFIRM":
            return {"ok": True}
        for line in window.lines:
            label = line.partition("USB key: ")[2]
            if label in self.pins:
                return {"pin": self.pins[label]}
        return {"cancel": True}

    def look(self) -> Window:
        """The next window that opens."""
        return self.opened.get(timeout=_SECONDS)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def _listen(self, connection: socket.socket) -> None:
        with suppress(OSError):  # a window may be closed while the person thinks
            self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rw", encoding="utf-8") as conversation:
            told = json.loads(conversation.readline())
            window = Window(
                told["command"],
                told.get("title", ""),
                told.get("desc", ""),
                told.get("prompt", ""),
                told.get("repeat"),
            )
            self.windows.append(window)
            self.opened.put(window)
            conversation.write(json.dumps(self.answer(window)) + "\n")
            conversation.flush()
