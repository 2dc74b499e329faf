"""The list of sites, which the agent and its commands change at the same time."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.clock import SystemClock
from kernel.refusals import Unavailable
from key_agent import file_lock
from key_agent.origins import Origins, Standing
from key_agent.places import ORIGINS_FILE

SITE = "https://portal.example"
_SETS = """
import sys
from pathlib import Path
from kernel.clock import SystemClock
from key_agent.origins import Origins, Standing
origins = Origins(Path(sys.argv[1]), SystemClock())
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    origins.set(f"https://{sys.argv[2]}-{number}.example", Standing.REFUSED, frozenset())
"""
_HOLDS = """
import sys
from pathlib import Path
from key_agent.file_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ORIGINS_FILE


@pytest.fixture
def origins(path: Path) -> Origins:
    return Origins(path, SystemClock())


def other_process(source: str, *arguments: str) -> "subprocess.Popen[str]":
    """Running, and past its first line of output."""
    process = subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


@pytest.fixture
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process in the middle of a change."""
    process = other_process(_HOLDS, str(path))
    yield process
    process.kill()
    process.communicate(timeout=30)


def test_two_processes_lose_nothing_of_what_each_other_write(path: Path, origins: Origins) -> None:
    processes = [other_process(_SETS, str(path), name) for name in ("agent", "command")]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    wanted = {f"https://{name}-{n}.example" for name in ("agent", "command") for n in range(60)}
    assert {each.origin for each in origins.all()} == wanted
    left = {each.name for each in path.parent.iterdir()}
    assert left == {path.name, f"{path.name}.lock"}
    assert path.stat().st_mode & 0o077 == 0


def test_a_certificate_for_a_site_that_was_refused_meanwhile_takes_no_refusal_back(
    path: Path, origins: Origins
) -> None:
    origins.set(SITE, Standing.ALLOWED, frozenset({"first"}))
    origins.grant(SITE, "second")
    assert origins.may_see(SITE) == {"first", "second"}
    Origins(path, SystemClock()).set(SITE, Standing.REFUSED, frozenset())
    origins.grant(SITE, "third")
    assert (origins.standing(SITE), origins.may_see(SITE)) == (Standing.REFUSED, frozenset())
    origins.forget(SITE)
    origins.grant(SITE, "fourth")
    assert origins.standing(SITE) is Standing.UNKNOWN


def test_a_process_that_does_not_let_go_is_told(
    holder: "subprocess.Popen[str]", path: Path, origins: Origins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_lock, "WAIT_SECONDS", 0.05)
    with pytest.raises(Unavailable) as refusal:
        origins.set(SITE, Standing.ALLOWED, frozenset())
    assert refusal.value.code == "file.locked"
    assert not path.exists()


def test_a_process_that_is_killed_leaves_no_lock(
    holder: "subprocess.Popen[str]", origins: Origins
) -> None:
    holder.kill()
    origins.set(SITE, Standing.ALLOWED, frozenset())
    assert origins.standing(SITE) is Standing.ALLOWED


def test_a_change_that_fails_leaves_the_list_as_it_was(
    path: Path, origins: Origins, monkeypatch: pytest.MonkeyPatch
) -> None:
    origins.set(SITE, Standing.ALLOWED, frozenset())
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", full)
        with pytest.raises(OSError, match="no space left"):
            origins.set(SITE, Standing.REFUSED, frozenset())
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.part"))
