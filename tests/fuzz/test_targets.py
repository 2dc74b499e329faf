"""A short, bounded run of each fuzz target: any octets give a result or a refusal, in bounds."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

if importlib.util.find_spec("atheris") is None:
    pytest.skip("atheris has no wheel for this platform", allow_module_level=True)

from tests.fuzz.targets import TARGETS

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every target left what it told. In a process of its own: libFuzzer ends it."""
    directory = tmp_path_factory.mktemp("fuzz")
    command = [sys.executable, "-m", "tests.fuzz", "--briefly", str(directory)]
    subprocess.run(command, cwd=_ROOT, check=True, timeout=280)
    return directory


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_any_input_gives_a_result_or_a_refusal(name: str, told: Path) -> None:
    log = (told / f"{name}.log").read_text(encoding="utf-8", errors="replace")
    failing = {found.name: found.read_bytes() for found in told.glob(f"{name}-*-*")}

    assert (told / f"{name}.status").read_text(encoding="ascii") == "0", (failing, log[-6000:])
    assert f"Done {TARGETS[name].runs} runs" in log


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_well_formed_enough_to_start_from(name: str) -> None:
    """A target whose seeds are refused at the door would be fuzzed at the door alone."""
    target = TARGETS[name]
    seeds = target.seeds()

    assert seeds
    assert all(len(seed) <= target.max_bytes for seed in seeds)
    assert target.read(seeds[0]) is not None
