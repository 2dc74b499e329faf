"""A demonstration erases what an earlier one left, and nothing else."""

from pathlib import Path

import pytest

from kernel.refusals import Conflict
from portseal.demo.ground import renew
from portseal.demo.journey import run_demo


@pytest.mark.parametrize("name", ["results", "results-authority"])
def test_a_directory_with_other_files_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    thesis = tmp_path / name / "thesis.odt"
    thesis.parent.mkdir()
    thesis.write_text("three years of work")
    with pytest.raises(Conflict, match=r"demo\.not-ours"):
        run_demo(tmp_path / "results")
    assert thesis.read_text() == "three years of work"
    assert list(tmp_path.iterdir()) == [thesis.parent]


def test_an_earlier_demonstration_is_erased(tmp_path: Path) -> None:
    for _ in range(2):
        renew(tmp_path / "results")
        assert not (tmp_path / "results" / "report.html").exists()
        (tmp_path / "results" / "report.html").touch()


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    renew(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Conflict):
        renew(tmp_path / "results")
