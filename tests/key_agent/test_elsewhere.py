"""Windows and macOS: the way that the agent's code takes there. Not run on either of them."""

import json
import os
import plistlib
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def found(system: str, directory: Path, **environment: str) -> dict[str, Any]:
    kept = {
        n: v for n, v in os.environ.items() if n not in {"PORTSEAL_AGENT_HOME", "XDG_STATE_HOME"}
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.key_agent.elsewhere", system, directory],
        cwd=ROOT, env={**kept, "HOME": str(directory), **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    directory = tmp_path_factory.mktemp("windows")
    (directory / "pinentry").mkdir()
    local, roaming = directory / "AppData" / "Local", directory / "AppData" / "Roaming"
    programs = {"PROGRAMFILES": r"D:\Programs"}
    told = found("win32", directory, LOCALAPPDATA=str(local), APPDATA=str(roaming), **programs)
    return directory, told


@pytest.fixture(scope="module")
def macos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    directory = tmp_path_factory.mktemp("macos")
    programs = directory / "bin"
    programs.mkdir()
    for name in ("pinentry", "pinentry-mac"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    return directory, found("darwin", directory, PATH=f"{programs}:{os.environ['PATH']}")


def test_on_windows_nothing_of_posix_alone_is_needed(
    windows: tuple[Path, dict[str, Any]],
) -> None:
    _, told = windows
    assert "key_agent.cli" in told["modules"]
    assert "key_agent.terminal" in told["modules"]
    assert len(told["modules"]) > 25


def test_on_windows_files_stand_where_windows_has_them(
    windows: tuple[Path, dict[str, Any]],
) -> None:
    directory, told = windows
    started = told["autostart"]
    assert started["home"] == str(directory / "AppData" / "Local" / "PortSeal" / "agent")
    startup = "Microsoft/Windows/Start Menu/Programs/Startup/portseal-agent.cmd"
    assert started["file"] == str(directory / "AppData" / "Roaming" / startup)
    assert started["content"].startswith('@start "" /min "')
    assert '"run" "--windows" "pinentry"' in started["content"]
    assert started["content"].count("\n") == 1
    assert started["same"]
    assert started["off"] == [True, False]


def test_on_windows_cryptoki_is_called_as_its_header_packs_it(
    windows: tuple[Path, dict[str, Any]], macos: tuple[Path, dict[str, Any]]
) -> None:
    """PKCS#11 2.40, 2.1: packed to one octet there, and nowhere else."""
    assert windows[1]["function list"] == 2
    assert macos[1]["function list"] == 8
    assert all(path.startswith("D:\\Programs") for path in windows[1]["libraries"])
    assert all(path.startswith("/") for path in macos[1]["libraries"])


def test_on_windows_two_processes_do_not_change_one_file(
    windows: tuple[Path, dict[str, Any]],
) -> None:
    assert windows[1]["lock"] == {"second": "file.locked", "again": True}


def test_on_windows_a_pin_is_read_key_by_key_without_echo(
    windows: tuple[Path, dict[str, Any]],
) -> None:
    assert windows[1]["keyboard"] == {
        "pin": "123456",
        "agreed": True,
        "escape": "agent.cancelled",
        "echoed": False,
    }


def test_on_macos_launchd_reads_how_it_is_started(macos: tuple[Path, dict[str, Any]]) -> None:
    directory, told = macos
    started = told["autostart"]
    assert started["home"] == str(directory / "Library/Application Support/portseal-agent")
    assert started["file"] == str(directory / "Library/LaunchAgents/org.portseal.agent.plist")
    job = plistlib.loads(started["content"].encode())
    assert job["Label"] == "org.portseal.agent"
    assert job["RunAtLoad"] is True
    assert job["ProgramArguments"][-3:] == ["run", "--windows", "pinentry"]
    assert Path(job["ProgramArguments"][0]).exists()
    assert told["pinentry"] == str(directory / "bin" / "pinentry-mac")


def test_on_linux_the_desktop_reads_how_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Desktop Entry Specification, "The Exec key": each argument in quotes of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "key_agent", "autostart"],
        env={**os.environ, "PORTSEAL_AGENT_HOME": str(tmp_path / "home")}, check=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    entry = (tmp_path / "autostart" / "portseal-agent.desktop").read_text(encoding="utf-8")
    (line,) = [each for each in entry.splitlines() if each.startswith("Exec=")]
    command = shlex.split(line.removeprefix("Exec="))
    assert command[-3:] == ["run", "--windows", "pinentry"]
    told = subprocess.run(
        [*command[:-3], "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "version" in told.stdout
