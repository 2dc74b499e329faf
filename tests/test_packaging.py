"""What is pinned is what is asked for, with hashes, and without naming where it came from."""

import re
import tomllib
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
