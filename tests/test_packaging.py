"""What is pinned is what is asked for, with hashes, and without naming where it came from; a wheel
holds all that the rooms need."""

import gettext
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = ("requirements.txt", "requirements-dev.txt")
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


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout of git")
def test_a_wheel_from_a_clean_checkout_holds_every_file_of_the_rooms_and_the_catalogues(
    tmp_path: Path,
) -> None:
    export, files = tmp_path / "export", tracked()
    for name in files:
        (export / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, export / name)
    subprocess.run(
        [
            sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
            "--disable-pip-version-check", "--wheel-dir", str(tmp_path), str(export),
        ],
        check=True,
    )  # fmt: skip
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    rooms = {pattern.rstrip("*") for pattern in packages["packages"]["find"]["include"]}
    ours = {name for name in files if name.partition("/")[0] in rooms}
    assert {Path(name).suffix for name in ours} >= {".py", ".xml", ".html", ".toml", ".po", ".js"}
    with zipfile.ZipFile(next(tmp_path.glob("portseal-*.whl"))) as wheel:
        assert ours - set(wheel.namelist()) == set()
        catalogues = [name for name in ours if name.endswith(".po")]
        for name in catalogues:
            with wheel.open(f"{name.removesuffix('.po')}.mo") as compiled:
                words = gettext.GNUTranslations(compiled)
            assert words.info()["language"] == "zh_Hans"
    assert len(catalogues) == 3
