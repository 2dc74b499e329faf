"""The wheel that holders install: what is in it, and that it runs without the rest of the house."""

import importlib.metadata
import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from packaging.requirements import Requirement

from key_agent import VERSION
from portseal.sandbox.ports import free_port
from portseal.web.agent_files import MINIMUM_VERSION
from tests.key_agent.running import PINENTRY
from tests.token import softhsm_configuration, softhsm_module

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "key_agent" / "pyproject.toml").read_text())["project"]
DECLARED = [Requirement(each) for each in PROJECT["dependencies"]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "build_agent.py", directory],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return Path(done.stdout.strip())


def needed(requirements: list[Requirement]) -> Iterator[str]:
    """The declared distributions and all that they need in turn."""
    seen: set[str] = set()
    wanted = [each.name for each in requirements]
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        yield name
        for each in map(Requirement, importlib.metadata.requires(name) or []):
            if each.marker is None or each.marker.evaluate({"extra": ""}):
                wanted.append(each.name)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and, of the pinned packages, only what it declares."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False, symlinks=True)
    site = next(environment.glob("lib/python*/site-packages"))
    for name in needed(DECLARED):
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}:
            source = Path(str(distribution.locate_file(top)))
            if not (site / top).exists():
                (site / top).symlink_to(source, target_is_directory=source.is_dir())
    subprocess.run(
        [
            sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install",
            "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", wheel,
        ],
        timeout=120, check=True,
    )  # fmt: skip
    return environment


def test_nothing_of_the_authority_is_in_the_wheel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "portseal_agent", f"portseal_agent-{VERSION}.dist-info",
    }  # fmt: skip
    house = "portseal_agent/house/"
    assert {name.split("/")[2] for name in names if name.startswith(house)} == {
        "hsm", "kernel", "key_agent", "policies", "signing_service",
    }  # fmt: skip
    for stranger in ("web.py", "tables.py", "engine.py", "pades/writing.py", "lints", "profiles"):
        assert not [name for name in names if stranger in name], stranger
    assert f"{house}key_agent/templates/dec-message.toml" in names
    assert f"{house}key_agent/web/portseal-agent.js" in names


def test_versions_agree() -> None:
    assert PROJECT["version"] == VERSION
    assert MINIMUM_VERSION <= VERSION


def test_what_is_declared_is_what_the_house_pins() -> None:
    pinned = (ROOT / "requirements.txt").read_text().lower()
    for each in DECLARED:
        version = importlib.metadata.version(each.name)
        assert each.specifier.contains(version), each
        assert f"{each.name.lower()}==" in pinned


def test_it_runs_in_an_environment_of_its_own(installed: Path, tmp_path: Path) -> None:
    program = installed / "bin" / "portseal-agent"
    configuration = softhsm_configuration(tmp_path / "tokens")
    surroundings = {
        "PATH": os.environ["PATH"],
        "SOFTHSM2_CONF": str(configuration),
        "PORTSEAL_AGENT_HOME": str(tmp_path / "home"),
    }
    port = free_port()
    process = subprocess.Popen(
        [
            program, "run", "--port", str(port), "--module", softhsm_module(),
            "--pinentry", PINENTRY,
        ],
        env=surroundings, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        greeting = process.stdout.readline()
        assert VERSION in greeting, greeting + process.stdout.read()
        answer = requests.post(
            f"http://127.0.0.1:{port}/v1/status",
            data=b"{}",
            headers={"Origin": "https://portal.example", "Content-Type": "application/json"},
            timeout=30,
        )
        assert answer.json()["version"] == VERSION
    finally:
        process.terminate()
        process.communicate(timeout=30)
    where = subprocess.run(
        [installed / "bin" / "python", "-c", "import portseal_agent as it; print(it.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(installed)


@pytest.mark.long
def test_pipx_installs_it_with_one_command(wheel: Path, tmp_path: Path) -> None:
    surroundings = {
        **os.environ,
        "PIPX_HOME": str(tmp_path / "pipx"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
    }
    subprocess.run(
        ["pipx", "install", "--python", sys.executable, str(wheel)],
        env=surroundings, timeout=280, check=True,
    )  # fmt: skip
    told = subprocess.run(
        [tmp_path / "bin" / "portseal-agent", "--version"],
        env=surroundings, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert VERSION in told.stdout
