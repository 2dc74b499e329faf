"""The memory of other processes, as the kernel keeps its peaks."""

import os
from collections.abc import Iterable
from pathlib import Path

from tests.portseal.service import children_of


def servers_of() -> list[int]:
    """The processes that this one started, and those that they started: the running service."""
    started = children_of(os.getpid())
    return [*started, *(each for one in started for each in children_of(one))]


def forget_peaks(processes: Iterable[int]) -> None:
    """From now on only new peaks count."""
    for process in processes:
        Path(f"/proc/{process}/clear_refs").write_text("5")


def peak_mebibytes(process: int) -> int:
    """Raises FileNotFoundError or ProcessLookupError for a process that ended, ValueError for
    one that has no memory any more."""
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = (each for each in status.splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) // 1024
