"""A SoftHSM2 token behind a server process of its own (`p11-kit server`), which can be killed.

The process that uses it loads a copy of p11-kit's client module, and reaches the token through a
socket: a network HSM in small.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hsm.pins import EnvironmentPin
from hsm.token import Token
from tests.token import softhsm_configuration, softhsm_module

_CLIENTS = (
    "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so",
    "/usr/lib/aarch64-linux-gnu/pkcs11/p11-kit-client.so",
)
_SECONDS = 20


_PREPARE = """
import os, secrets
from hsm.admin import initialise_token
from hsm.backup import back_up, restore
from hsm.generation import Export
from hsm.pins import EnvironmentPin
from hsm.secret_keys import SecretUse
from hsm.token import Token
from kernel.algorithms import ECDSA_P256_SHA256
from kernel.clock import SystemClock
from tests.token import softhsm_module
one, two = (Token(softhsm_module(), label, EnvironmentPin("PIN_SERVED"))
            for label in ("one", "two")
            if not initialise_token(softhsm_module(), label, "so-73519", os.environ["PIN_SERVED"]))
MAKE_KEYS
key = secrets.token_bytes(32)
document, _ = back_up(one, key, SystemClock().now())
restore(two, document, key)
"""
"""p11-kit's client carries neither AES-GCM nor AES key wrap: the tokens get their keys before."""


SIMPLE_KEYS = """
one.generate("issuing", ECDSA_P256_SHA256, export=Export.WRAPPED)
one.generate_secret("index", SecretUse.MAC, export=Export.WRAPPED)
"""


def make_tokens(directory: Path, make_keys: str) -> dict[str, str]:
    """Tokens `one` and `two`: `make_keys` makes keys in `one`, and a backup brings them to `two`.
    The environment for their servers."""
    os.environ["PIN_SERVED"] = secrets.token_hex(8)
    environment = {**os.environ, "SOFTHSM2_CONF": str(softhsm_configuration(directory))}
    subprocess.run(
        [sys.executable, "-c", _PREPARE.replace("MAKE_KEYS", make_keys)],
        env=environment,
        check=True,
    )
    return environment


class TokenServer:
    """One token and the process that serves it."""

    def __init__(self, directory: Path, label: str, environment: dict[str, str]) -> None:
        self.label = label
        self._directory = directory / label
        self._directory.mkdir()
        self._environment = environment
        self.client = self._directory / "client.so"
        found = next((path for path in _CLIENTS if Path(path).exists()), None)
        assert found is not None, "p11-kit-modules is not installed: scripts/setup.sh test"
        shutil.copy(found, self.client)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"unix:path={self._socket}"

    @property
    def _socket(self) -> Path:
        return self._directory / "socket"

    def start(self) -> None:
        self._socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            ["p11-kit", "server", "--foreground", "--name", str(self._socket), "--provider",
             softhsm_module(), f"pkcs11:token={self.label}"],
            env=self._environment, start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + _SECONDS
        while not self._socket.exists():
            assert self._process.poll() is None
            assert time.monotonic() < deadline, "p11-kit server did not start"
            time.sleep(0.01)

    def signal(self, number: signal.Signals) -> None:
        """To the server and to what it started for each connection."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """No goodbye: connections break in the middle of a call."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def open(
        self, limit_seconds: float | None = None, write_limit_seconds: float | None = None
    ) -> Token:
        return Token(
            str(self.client), self.label, EnvironmentPin("PIN_SERVED"),
            server_address=self.address, limit_seconds=limit_seconds,
            write_limit_seconds=write_limit_seconds,
        )  # fmt: skip


class Told(list[tuple[str, str | None]]):
    """What a pool told, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def __call__(self, token: str, failure: str | None) -> None:
        with self._changed:
            self.append((token, failure))
            self._changed.notify_all()

    def await_(self, wanted: Callable[["Told"], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self), timeout=60), list(self)

    def await_left_out(self, token: str) -> str:
        """Until the last that was told of this token is that it failed; the refusal's code."""
        self.await_(lambda told: told.last_of(token) is not None)
        return str(self.last_of(token))

    def await_return(self, token: str) -> None:
        """After it was left out."""
        self.await_(lambda told: told.last_of(token) is None)

    def last_of(self, token: str) -> str | None:
        return next((failure for name, failure in reversed(self) if name == token), None)


@contextmanager
def two_servers(directory: Path, make_keys: str = SIMPLE_KEYS) -> Iterator[list[TokenServer]]:
    """Two tokens with the same keys, each behind its own process."""
    environment = make_tokens(directory, make_keys)
    servers = [TokenServer(directory, label, environment) for label in ("one", "two")]
    try:
        yield servers
    finally:
        for server in servers:
            server.kill()
