"""Makes of PKCS#11 module that have nothing in common, each with a fresh token.

A process has one state of a module, so each test runs its program in a process of its own.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.servers.tpm import tpm_token
from tests.token import softhsm_configuration, softhsm_module

PIN, SO_PIN = "right-73519", "so-73519"
_PRELUDE = """
import json, sys
from hsm.generation import Export
from hsm.module import Module
from hsm.secret_keys import SecretUse
from hsm.token import Token
from kernel.algorithms import SUITES
from kernel.refusals import Refusal
module, label, parameters, pin, so_pin, prepare, export = json.loads(sys.argv[1])
export = Export(export)
class Pin:
    attended = False
    def __init__(self, value): self.value = value
    def pin(self, token): return self.value
Module.load(module, None, parameters)
if prepare:
    from hsm.admin import initialise_token
    initialise_token(module, label, so_pin, pin)
def opened(value=pin): return Token(module, label, Pin(value), parameters=parameters)
def code_of(work):
    try:
        work()
        return "done"
    except Refusal as refusal:
        return refusal.code
token = opened()
def told(value): print(json.dumps(value))
"""


@dataclass(frozen=True)
class Make:
    """A token of one make, ready to be used."""

    name: str
    module: str
    environment: dict[str, str] = field(repr=False)
    label: str = "contract"
    parameters: str | None = None
    prepares: bool = True
    """Whether `initialise_token` makes the token."""
    export: str = "never"
    """How its keys are made; `wrapped` where it does not keep those that must stay."""

    def run(self, program: str) -> Any:
        """What the program told. It finds `token`, `opened`, `code_of` and our modules."""
        arguments = [
            self.module,
            self.label,
            self.parameters,
            PIN,
            SO_PIN,
            self.prepares,
            self.export,
        ]
        done = subprocess.run(
            [sys.executable, "-c", _PRELUDE + program, json.dumps(arguments)],
            env=self.environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@contextmanager
def _softhsm(directory: Path) -> Iterator[Make]:
    configuration = str(softhsm_configuration(directory))
    yield Make("SoftHSM2", softhsm_module(), {**os.environ, "SOFTHSM2_CONF": configuration})


@contextmanager
def _tpm(directory: Path) -> Iterator[Make]:
    with tpm_token() as found:
        yield Make("tpm2-pkcs11", found.module, found.environment)


@contextmanager
def _nss(directory: Path) -> Iterator[Make]:
    """softokn's token is initialised by NSS's own certutil, and named by a parameter."""
    module = next(Path("/usr/lib").glob("*/libsoftokn3.so"), None)
    assert module is not None, "libnss3 is not installed: scripts/setup.sh test"
    assert shutil.which("certutil") is not None, "libnss3-tools is not installed"
    (directory / "pin").write_text(PIN + "\n")
    command = ["certutil", "-N", "-d", f"sql:{directory}", "-f", str(directory / "pin")]
    subprocess.run(command, check=True, capture_output=True)
    parameters = (
        f"configdir='sql:{directory}' certPrefix='' keyPrefix='' secmod='secmod.db' flags= "
        "dbTokenDescription='contract'"
    )
    yield Make(
        "NSS softokn", str(module), dict(os.environ), parameters=parameters, prepares=False,
        export="wrapped",
    )  # fmt: skip


MAKES: dict[str, Callable[[Path], AbstractContextManager[Make]]] = {
    "SoftHSM2": _softhsm,
    "tpm2-pkcs11": _tpm,
    "NSS softokn": _nss,
}


@pytest.fixture(params=MAKES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """A fresh token of each make in turn."""
    with MAKES[request.param](tmp_path) as made:
        yield made
