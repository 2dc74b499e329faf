"""What is pinned is what is asked for, with hashes, and without naming where it came from; a wheel
holds all that the rooms need."""

import gettext
import importlib.metadata
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from key_agent import VERSION

ROOT = Path(__file__).parent.parent
FILES = ("requirements.txt", "requirements-dev.txt", "scripts/audit-requirements.txt")
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^ ;]+)", re.MULTILINE)


def normalized(name: str) -> str:
    """PyPA's normal form of a project name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> dict[str, str]:
    return {normalized(name): version for name, version in PIN.findall((ROOT / file).read_text())}


def declared(*groups: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted: list[str] = [*project["dependencies"]]
    for group in groups:
        wanted += project["optional-dependencies"][group]
    matches = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in wanted)
    return {normalized(match.group()) for match in matches if match}


def test_every_dependency_is_pinned() -> None:
    assert declared() <= pins("requirements.txt").keys()
    assert declared("dev") <= pins("requirements-dev.txt").keys()


def test_tests_run_on_the_versions_that_are_shipped() -> None:
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()


@pytest.mark.parametrize("file", FILES)
def test_every_pin_has_a_hash(file: str) -> None:
    for requirement in re.split(r"(?<!\\)\n", (ROOT / file).read_text()):
        if requirement and not requirement.startswith("#"):
            assert PIN.match(requirement), requirement
            assert "--hash=sha256:" in requirement


@pytest.mark.parametrize("file", FILES)
def test_no_index_address_is_recorded(file: str) -> None:
    assert not re.search(r"://|^--?[a-z]", (ROOT / file).read_text(), re.MULTILINE)


def tracked() -> list[str]:
    """Every file of this checkout that git tracks, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


_CHECKOUT = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout of git")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PortSeal's wheel, from a clean checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    for name in tracked():
        (directory / "export" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, directory / "export" / name)
    pip("wheel", "--no-build-isolation", "--wheel-dir", directory, directory / "export")
    return next(directory.glob("portseal-*.whl"))


def pip(command: str, *arguments: str | Path, into: Path | None = None) -> None:
    """Without an index: nothing is fetched."""
    where: list[str | Path] = [] if into is None else ["--python", into / "bin" / "python"]
    options = [] if command == "uninstall" else ["--no-deps", "--no-index"]
    subprocess.run(
        [
            sys.executable, "-m", "pip", *where, command, "--quiet",
            "--disable-pip-version-check", *options, *arguments,
        ],
        timeout=120, check=True,
    )  # fmt: skip


@pytest.mark.slow
@_CHECKOUT
def test_a_wheel_from_a_clean_checkout_holds_every_file_of_the_rooms_and_the_catalogues(
    wheel: Path,
) -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    rooms = {pattern.rstrip("*") for pattern in packages["packages"]["find"]["include"]}
    ours = {name for name in tracked() if name.partition("/")[0] in rooms}
    assert {Path(name).suffix for name in ours} >= {".py", ".xml", ".html", ".toml", ".po", ".js"}
    with zipfile.ZipFile(wheel) as opened:
        assert ours - set(opened.namelist()) == set()
        catalogues = [name for name in ours if name.endswith(".po")]
        for name in catalogues:
            with opened.open(f"{name.removesuffix('.po')}.mo") as compiled:
                words = gettext.GNUTranslations(compiled)
            assert words.info()["language"] == "zh_Hans"
    assert {name.partition("/")[0] for name in catalogues} == {
        "key_centre", "portseal", "ra_portal", "signing_service",
    }  # fmt: skip


@pytest.mark.long
@pytest.mark.slow
@_CHECKOUT
def test_portseal_and_the_key_agent_live_in_one_environment_and_leave_it_one_by_one(
    wheel: Path, tmp_path: Path
) -> None:
    built = subprocess.run(
        [sys.executable, ROOT / "scripts" / "build_agent.py", tmp_path],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    agent, home = Path(built.stdout.strip()), tmp_path / "environment"
    venv.create(home, with_pip=False, symlinks=True)
    site = next(home.glob("lib/python*/site-packages"))
    # What both depend on; a path in a .pth file brings no editable installation of ours along.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip("install", "--no-compile", wheel, agent, into=home)
    found = {
        each.name: {str(file) for file in each.files or ()}
        for each in importlib.metadata.distributions(path=[str(site)])
    }
    shared = found["portseal"] & found["portseal-agent"]
    assert {Path(name).name for name in shared} == {"portseal-agent"}, "but for the program"

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    python, where = home / "bin" / "python", "import kernel; print(kernel.__file__)"
    assert run(python, "-c", where).strip() == str(site / "kernel" / "__init__.py")
    assert "Exit codes" in run(home / "bin" / "portseal", "--help")
    assert VERSION in run(home / "bin" / "portseal-agent", "--version")
    pip("uninstall", "--yes", "portseal-agent", into=home)
    assert "Exit codes" in run(home / "bin" / "portseal", "--help")
    assert VERSION in run(python, "-m", "key_agent", "--version")
    pip("install", "--no-compile", agent, into=home)
    pip("uninstall", "--yes", "portseal", into=home)
    assert VERSION in run(python, "-m", "portseal_agent", "--version")
