"""Processor time of a server and of everything that it started, from /proc."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME = 11
"""Place of utime after the process's name; stime, cutime and cstime follow (proc(5))."""


def processor_seconds(*roots: int) -> float:
    """Seconds that these processes and their children, living and waited for, have spent."""
    return sum(_spent(process) for root in roots for process in _tree(root)) / _TICKS


def _tree(root: int) -> list[int]:
    found = [root]
    for process in found:
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def _spent(process: int) -> int:
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return 0  # it ended meanwhile, and its parent has what it spent
    fields = text.rpartition(")")[2].split()
    return sum(int(each) for each in fields[_UTIME : _UTIME + 4])
