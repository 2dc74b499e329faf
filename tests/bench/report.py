"""The results: a table to read, JSON for programs, and the table in docs/benchmarks.md."""

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench.promises import faster, met, promised
from tests.bench.timing import Row

BENCH, SCALE = "tests.bench", "tests.bench.scale"
"""The programs that write tables."""
_COLUMNS = (
    *("name", "ours", "promised", "is it met", "limit", "of limit", "limit is"),
    *("peer", "times peer", "peer is"),
)
_LIBRARIES = ("cryptography", "python-pkcs11", "granian", "lxml", "pyhanko", "signxml")


def write_json(rows: Sequence[Row], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    objects = [
        {key: _rounded(value) if isinstance(value, float) else value for key, value in row}
        for row in (asdict(row).items() for row in rows)
    ]
    path.write_text(json.dumps(objects, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def text_table(rows: Sequence[Row]) -> str:
    """For a terminal, in columns. All rates are per second, but for what names its unit."""
    lines = [_COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    numbers = {1, 4, 5, 7, 8}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def machine() -> str:
    """What was measured on, from /proc and the interpreter."""
    cpus = re.findall(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    release = re.search(r'^PRETTY_NAME="?([^"\n]+)', _read("/etc/os-release"), re.MULTILINE)
    facts = [
        f"{os.cpu_count()} x {cpus[0] if cpus else platform.machine()}",
        f"{int(memory[1]) / 2**20:.1f} GiB of memory" if memory else "",
        release[1] if release else platform.system(),
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        *(f"{name} {version(name)}" for name in _LIBRARIES),
    ]
    return ", ".join(fact for fact in facts if fact)


def write_document(
    rows: Sequence[Row], path: Path, program: str = BENCH, remarks: str = ""
) -> None:
    """Replace the part of the document that this program makes by this run's results, with
    `remarks` on them behind.

    Raises ValueError where the document has no place for them.
    """
    begin, end = f"<!-- made by: python -m {program} --document -->\n", "<!-- end -->\n"
    before, found, rest = path.read_text(encoding="utf-8").partition(begin)
    _, also_found, after = rest.partition(end)
    if not found or not also_found:
        raise ValueError(f"{path} has no place for the results of {program}")
    cells = [_COLUMNS, ("---",) * len(_COLUMNS), *(_cells(row) for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in cells)
    made = f"\nMeasured on {datetime.now(UTC):%Y-%m-%d}: {machine()}.\n\n{table}\n\n"
    if remarks:
        made += f"{remarks}\n\n"
    path.write_text(before + begin + made + end + after, encoding="utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        _number(row.ours, row.unit),
        promised(row),
        met(row),
        _number(row.limit, row.unit),
        f"{faster(row, row.limit):.0%}" if row.limit else "-",
        row.limit_name or "-",
        _number(row.peer, row.unit),
        f"{faster(row, row.peer):.1f}" if row.peer else "-",
        row.peer_name or "-",
    )


def _rounded(value: float) -> float:
    """To a tenth, and never to fewer than four significant digits."""
    return round(value, 1) if abs(value) >= 1000 else float(f"{value:.4g}")


def _number(value: float | None, unit: str) -> str:
    """Three significant digits at least."""
    if value is None:
        return "-"
    if unit == "1/s" and value >= 100:
        return f"{value:,.0f}"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")
    return text if unit == "1/s" else f"{text} {unit}"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
