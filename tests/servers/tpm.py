"""A TPM in software and the PKCS#11 token on it: one that locks after too many wrong PINs."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_MODULES = ("*/pkcs11/libtpm2_pkcs11.so", "*/libtpm2_pkcs11.so.1", "*/libtpm2_pkcs11.so.0")
_READY_SECONDS = 10


@dataclass(frozen=True)
class LockingToken:
    """The module, and the environment in which it finds its TPM and its empty store."""

    module: str
    environment: dict[str, str]

    def tool(self, *command: str) -> None:
        """A TPM tool of strangers, on this TPM."""
        environment = {**self.environment, "TPM2TOOLS_TCTI": self.environment["TPM2_PKCS11_TCTI"]}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def import_key(self, label: str, key: Path, pin: str) -> None:
        """A private key in PEM, into the token `tpm`. Beside it no process uses the TPM."""
        for kind in ("-t", "-l", "-s"):  # a process that ended left its objects in the TPM
            self.tool("tpm2_flushcontext", kind)
        self.tool(
            "tpm2_ptool", "import", "--label", "tpm", "--key-label", label, "--userpin", pin,
            "--privkey", str(key), "--algorithm", "ecc",
            "--path", self.environment["TPM2_PKCS11_STORE"],
        )  # fmt: skip
        self.tool("tpm2_flushcontext", "-t")

    def end_lockout(self) -> None:
        """As the TPM's owner may, before its own time has passed (TPM 2.0 Part 3, 25.2)."""
        self.tool("tpm2_dictionarylockout", "--clear-lockout")


def _find_module() -> Path | None:
    found = (path for pattern in _MODULES for path in Path("/usr/lib").glob(pattern))
    return next(found, None)


@pytest.fixture
def locking_token() -> Iterator[LockingToken]:
    with tpm_token() as made:
        yield made


@contextmanager
def tpm_token() -> Iterator[LockingToken]:
    """tpm2-pkcs11 on a fresh swtpm, whose lockout (TPM 2.0 Part 1, 19.8) is the real one."""
    program, module = shutil.which("swtpm"), _find_module()
    if program is None or module is None:
        pytest.skip("no software TPM here; install swtpm and libtpm2-pkcs11-1")
    directory = Path(tempfile.mkdtemp(prefix="portseal-tpm-"))
    for name in ("state", "store"):
        (directory / name).mkdir()
    socket = directory / "socket"
    server = subprocess.Popen(
        [
            program, "socket", "--tpm2", "--tpmstate", f"dir={directory / 'state'}",
            "--server", f"type=unixio,path={socket},disconnect=false",
            "--ctrl", f"type=unixio,path={socket}.ctrl", "--flags", "not-need-init,startup-clear",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while not socket.exists():
            assert server.poll() is None, server.stderr.read() if server.stderr else ""
            assert time.monotonic() < deadline, "swtpm does not start"
            time.sleep(0.01)
        yield LockingToken(
            str(module),
            {
                **os.environ,
                "TPM2_PKCS11_TCTI": f"swtpm:path={socket}",
                "TPM2_PKCS11_STORE": str(directory / "store"),
                "TPM2_PKCS11_BACKEND": "esysdb",
            },
        )
    finally:
        server.kill()
        server.communicate()
        shutil.rmtree(directory)
