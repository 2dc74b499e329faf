"""Where a PIN comes from. It is asked for at the moment of use and kept nowhere."""

import getpass
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Protocol

from kernel.refusals import Unavailable

_LONGEST = 256


class PinSource(Protocol):
    """Gives the PIN of the named token."""

    @property
    def attended(self) -> bool:
        """A person gives it each time it is asked for, and may use a token's last try."""
        ...

    def pin(self, token: str) -> str:
        """Raises Unavailable `pin.missing` when there is none to give."""
        ...


class EnvironmentPin:
    """A PIN in a named environment variable."""

    attended = False

    def __init__(self, variable: str) -> None:
        self.variable = variable

    def pin(self, token: str) -> str:
        value = os.environ.get(self.variable)
        if not value:
            raise Unavailable("pin.missing", f"the variable {self.variable} is not set")
        return value


class FilePin:
    """A PIN in a file that nobody but its owner can read (a mounted secret)."""

    attended = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def pin(self, token: str) -> str:
        try:
            if self.path.stat().st_mode & 0o077:
                raise Unavailable("pin.exposed", "the PIN file is readable by others")
            value = self.path.read_text(encoding="utf-8")[:_LONGEST].strip()
        except OSError as error:
            raise Unavailable("pin.missing", "the PIN file cannot be read") from error
        if not value:
            raise Unavailable("pin.missing", "the PIN file is empty")
        return value


class DescriptorPin:
    """A PIN on an open file descriptor, read once and remembered only in this process."""

    attended = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._value: str | None = None

    def __repr__(self) -> str:
        return f"DescriptorPin({self._descriptor})"

    def pin(self, token: str) -> str:
        if self._value is None:
            try:
                self._value = os.read(self._descriptor, _LONGEST).decode().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise Unavailable("pin.missing", "the PIN descriptor cannot be read") from error
        if not self._value:
            raise Unavailable("pin.missing", "the PIN descriptor gave nothing")
        return self._value


class PromptPin:
    """A PIN typed by a person at a terminal, without echo."""

    attended = True

    def __init__(self, question: str = "PIN for {token}: ") -> None:
        self._question = question

    def pin(self, token: str) -> str:
        try:
            value = getpass.getpass(self._question.format(token=token))
        except (EOFError, OSError) as error:
            raise Unavailable("pin.missing", "no terminal to ask for the PIN") from error
        if not value:
            raise Unavailable("pin.missing", "no PIN was given")
        return value


class WrongPins:
    """Remembers, as a salted digest, the PIN that each token refused last.

    A PIN is presented to a token once: a service that went on trying a wrong one would lock it.
    """

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(32)
        self._refused: dict[str, bytes] = {}

    def add(self, token: str, pin: str) -> None:
        """`token`: what tells it from any other, such as its serial number."""
        self._refused[token] = self._digest(pin)

    def clear(self, token: str) -> None:
        self._refused.pop(token, None)

    def holds(self, token: str, pin: str) -> bool:
        known = self._refused.get(token)
        return known is not None and hmac.compare_digest(known, self._digest(pin))

    def _digest(self, pin: str) -> bytes:
        return hashlib.blake2b(pin.encode(), key=self._salt).digest()
