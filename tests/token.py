"""Real tokens for tests: SoftHSM2 in a directory of the test session's own."""

import os
import secrets
from pathlib import Path
from typing import ClassVar

import pytest

from hsm.admin import initialise_token
from hsm.pins import EnvironmentPin
from hsm.token import Token

SOFTHSM_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
)


def softhsm_module() -> str:
    """The path of the SoftHSM2 module on this machine."""
    return next(path for path in SOFTHSM_MODULES if Path(path).exists())


def softhsm_configuration(directory: Path) -> Path:
    """Write a SoftHSM2 configuration whose tokens live under `directory`."""
    tokens = directory / "tokens"
    tokens.mkdir(parents=True, exist_ok=True)
    path = directory / "softhsm2.conf"
    path.write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    return path


class TokenBench:
    """Makes tokens in one SoftHSM2 directory.

    A process initialises a PKCS#11 module once, with one configuration: whichever bench comes
    first in a process decides, and later ones share its directory.
    """

    _first: ClassVar[Path | None] = None

    def __init__(self, directory: Path) -> None:
        self.module = softhsm_module()
        if TokenBench._first is None:
            TokenBench._first = softhsm_configuration(directory)
        self._shared: dict[str, Token] = {}
        self.configuration = TokenBench._first
        os.environ["SOFTHSM2_CONF"] = str(self.configuration)

    def new_token(self, label: str, sessions: int = 4) -> Token:
        """A fresh token whose PIN stands in an environment variable of its own."""
        pin = secrets.token_hex(8)
        variable = self.pin_variable(label)
        os.environ[variable] = pin
        initialise_token(self.module, label, so_pin=secrets.token_hex(8), pin=pin)
        return Token(self.module, label, EnvironmentPin(variable), sessions)

    def shared_token(self, label: str) -> Token:
        """One for all who name it, made by the first: fixtures that two rooms' tests import."""
        if label not in self._shared:
            self._shared[label] = self.new_token(label)
        return self._shared[label]

    @property
    def environment(self) -> dict[str, str]:
        """For a child process that shall see the same tokens, whatever other tests have set."""
        return {**os.environ, "SOFTHSM2_CONF": str(self.configuration)}

    @staticmethod
    def pin_variable(label: str) -> str:
        return "PIN_" + "".join(c if c.isalnum() else "_" for c in label).upper()


@pytest.fixture(scope="session")
def token_bench(tmp_path_factory: pytest.TempPathFactory) -> TokenBench:
    """SoftHSM2 for this test session. One process has one PKCS#11 configuration."""
    return TokenBench(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture(scope="session")
def authority_token(token_bench: TokenBench) -> Token:
    """A token for the authority's keys."""
    return token_bench.new_token("authority")
