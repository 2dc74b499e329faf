"""Start a server program without root's rights and see it end with its parent."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS = 30.0
STOP_SECONDS = 20.0
_POLL_SECONDS = 0.02
_LOG_TAIL_BYTES = 2000


class ServerUnavailableError(Exception):
    """A server program is missing, did not start or ended early. The message says which and why."""


@dataclass(frozen=True)
class Account:
    """The account that a server runs as."""

    name: str
    uid: int
    gid: int


def unprivileged_account(*preferred: str) -> Account:
    """The current account, or for root the first of `preferred` that exists, else `nobody`."""
    if os.geteuid() != 0:
        entry = pwd.getpwuid(os.geteuid())
        return Account(entry.pw_name, os.geteuid(), os.getegid())
    for name in (*preferred, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise ServerUnavailableError(f"none of the accounts {preferred} nor nobody exists")


def private_directory(prefix: str, account: Account) -> Path:
    """A new temporary directory, mode 0700, that belongs to `account`."""
    directory = Path(tempfile.mkdtemp(prefix=f"portseal-{prefix}-"))
    os.chown(directory, account.uid, account.gid)
    return directory


def claim_directory(directory: Path, account: Account) -> None:
    """Make `directory` (created when missing) the account's own, mode 0700, with what is in it.

    Raises `ServerUnavailableError` when the account cannot reach it.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    for path in (directory, *directory.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    probe = run_as(account, ["test", "-x", str(directory)])
    if probe.returncode != 0:
        raise ServerUnavailableError(
            f"account {account.name} cannot reach {directory}: a directory above it is closed"
        )


def find_program(name: str, *directories: str) -> Path:
    """The newest program called `name` in the directories (globs allowed), else on PATH.

    Raises `ServerUnavailableError` when there is none.
    """
    for pattern in directories:
        found = sorted(Path("/").glob(f"{pattern.lstrip('/')}/{name}"), key=_version_key)
        if found:
            return found[-1]
    on_path = shutil.which(name)
    if on_path is None:
        raise ServerUnavailableError(f"{name} is not installed; scripts/setup.sh test installs it")
    return Path(on_path)


def _version_key(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in path.parts if part.isdigit())


def run_as(
    account: Account, command: Sequence[str], *, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a short-lived program as `account` with a bare environment; both outputs in `stdout`."""
    return subprocess.run(
        [*_drop_to(account), *command],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
        env=_environment(),
    )


def start_as(
    account: Account, command: Sequence[str], *, log: Path, end_signal: signal.Signals
) -> subprocess.Popen[bytes]:
    """Start a server as `account`; output goes to `log`.

    The kernel sends it `end_signal` when the thread that started it ends, however it ends, so
    that no server is left behind: start servers from the main thread.
    """
    with log.open("ab") as output:
        os.chown(log, account.uid, account.gid)
        return subprocess.Popen(
            [*_drop_to(account, f"--pdeathsig={end_signal.name[3:]}"), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_environment(),
            # A Ctrl-C at the terminal is for the parent, which then stops its servers in order.
            start_new_session=True,
        )


def wait_until_ready(
    process: subprocess.Popen[bytes], answers: Callable[[], bool], *, name: str, log: Path
) -> None:
    """Return once `answers()`; raise `ServerUnavailableError` if the process ends or time is up."""
    deadline = time.monotonic() + READY_SECONDS
    while not answers():
        if process.poll() is not None:
            raise ServerUnavailableError(
                f"{name} ended with status {process.returncode} at its start: {_tail(log)}"
            )
        if time.monotonic() > deadline:
            stop(process, signal.SIGKILL)
            raise ServerUnavailableError(f"{name} did not answer in {READY_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def stop(process: subprocess.Popen[bytes], end_signal: signal.Signals) -> None:
    """End the server in order, or by force when it does not end in time."""
    if process.poll() is not None:
        return
    process.send_signal(end_signal)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)


def _drop_to(account: Account, *options: str) -> list[str]:
    """The `setpriv` prefix (util-linux, present on every Debian) that gives up root's rights."""
    identity = []
    if os.geteuid() == 0:
        identity = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    elif not options:
        return []
    return ["setpriv", *identity, *options, "--"]


def _environment() -> dict[str, str]:
    # PG*, LDAP* and locale settings of the caller would change what the servers do.
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def _tail(log: Path) -> str:
    try:
        return log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except OSError:
        return "(no log)"
