"""Starting servers: what is missing is named, what fails says why, nothing is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from portseal.sandbox import processes
from portseal.sandbox.slapd import Slapd

PARENT = """
import os, sys
from portseal.sandbox.slapd import Slapd
server = Slapd()
server.start()
print(server.directory, (server.directory / "slapd.pid").read_text().strip(), flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_missing_program_is_named() -> None:
    with pytest.raises(processes.ServerUnavailableError, match="no-such-server is not installed"):
        processes.find_program("no-such-server", "/usr/lib/*/bin")


def test_the_newest_version_of_a_program_is_taken(tmp_path: Path) -> None:
    for version in ("9", "16", "15"):
        program = tmp_path / version / "bin" / "initdb"
        program.parent.mkdir(parents=True)
        program.touch()
    assert processes.find_program("initdb", f"{tmp_path}/*/bin").parts[-3] == "16"


def test_a_server_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    account = processes.unprivileged_account()
    log = tmp_path / "server.log"
    process = processes.start_as(
        account,
        ["sh", "-c", "echo cannot open database >&2; exit 3"],
        log=log,
        end_signal=signal.SIGTERM,
    )
    with pytest.raises(processes.ServerUnavailableError, match=r"status 3.*cannot open database"):
        processes.wait_until_ready(process, lambda: False, name="server", log=log)


@pytest.mark.directory
def test_a_server_ends_when_its_parent_is_killed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARENT], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    directory, pid = done.stdout.split()
    try:
        wait_for_end(int(pid))
    finally:
        leftover = Slapd(Path(directory))
        leftover.remove()


def wait_for_end(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select

    try:
        readable, _, _ = select.select([descriptor], [], [], 20)
        assert readable, "the server still runs"
    finally:
        os.close(descriptor)
