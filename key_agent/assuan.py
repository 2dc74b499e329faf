"""The Assuan protocol, as much as a pinentry speaks (Libassuan manual, "Client requests")."""

import queue
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from kernel.refusals import Unavailable

MAX_LINE = 1000
"""Octets of a line without its end (Libassuan manual, 3.1)."""
_LOOK_SECONDS = 0.2
_LONGEST_ANSWER = 4096


class AssuanError(Exception):
    """The server answered ERR."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.number = code & 0xFFFF
        """The part of libgpg-error's code that says what, without where."""


class AbandonedError(Exception):
    """Whoever waits for the answer is gone, or it took too long."""


class AssuanClient:
    """One conversation with a program over its standard input and output."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        abandoned: Callable[[], bool],
        seconds: float,
    ) -> None:
        """Raises Unavailable `window.failed` when the program does not start."""
        self._abandoned = abandoned
        self._deadline = time.monotonic() + seconds
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(environment),
                close_fds=True,
            )
        except OSError as error:
            raise Unavailable("window.failed", "the pinentry program does not start") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._data = bytearray()
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        # A thread reads, because no other way to wait for a pipe exists on every system.
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "AssuanClient":
        self._reader.start()
        try:
            self._answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._to, self._from):
            with suppress(OSError):
                pipe.close()
        self._data[:] = bytes(len(self._data))

    def ask(self, command: str, argument: str = "") -> str:
        """One command; the data of its answer. Raises AssuanError, AbandonedError and
        Unavailable `window.failed`."""
        line = (f"{command} {escaped(argument)}" if argument else command).encode()
        if len(line) > MAX_LINE:
            raise Unavailable("window.failed", "too much for one window")
        try:
            self._to.write(line + b"\n")
            self._to.flush()
        except OSError:
            raise _gone() from None
        return self._answer()

    def _answer(self) -> str:
        self._data[:] = b""
        while True:
            line = self._line()
            word, _, rest = line.partition(b" ")
            if word == b"OK":
                return _unescaped(bytes(self._data)).decode("utf-8", "replace")
            if word == b"D":
                self._data += rest
            elif word == b"ERR":
                code, _, text = rest.partition(b" ")
                raise AssuanError(
                    int(code) if code.isdigit() else 0, text.decode("utf-8", "replace")
                )
            elif word == b"INQUIRE":
                self._to.write(b"CAN\n")
                self._to.flush()
            # S (status) and # (comment) lines say nothing that is needed.

    def _line(self) -> bytes:
        while not self._abandoned() and time.monotonic() < self._deadline:
            try:
                line = self._lines.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
            if not line.endswith(b"\n"):
                raise _gone()
            return line[:-1]
        raise AbandonedError

    def _read(self) -> None:
        """Lines until the end, which is told by one without a line end."""
        while line := self._from.readline(_LONGEST_ANSWER):
            self._lines.put(line)
        self._lines.put(b"")


def escaped(text: str) -> str:
    """With `%` and line ends written as the protocol wants them."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _unescaped(data: bytes) -> bytes:
    head, *parts = data.split(b"%")
    found = bytearray(head)
    for part in parts:
        found += bytes([int(part[:2], 16)]) + part[2:]
    return bytes(found)


def _gone() -> Unavailable:
    return Unavailable("window.failed", "the pinentry program ended without an answer")
