"""Directories that a demonstration may erase: its own, known by a file that it left there."""

import shutil
from pathlib import Path

from kernel.refusals import Conflict

_MARK = ".portseal-demonstration"


def require_ours(directory: Path) -> None:
    """Raises Conflict `demo.not-ours`: something is there that no demonstration made."""
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise Conflict("demo.not-ours", f"{directory} is not a directory")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / _MARK).is_file():
        raise Conflict(
            "demo.not-ours",
            f"{directory} holds files that no demonstration made: name another directory",
        )


def renew(directory: Path) -> None:
    """Empty the directory, or make it. Raises as `require_ours`."""
    require_ours(directory)
    if directory.is_dir():
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    (directory / _MARK).touch()
