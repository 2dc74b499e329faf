"""Run every benchmark: `python -m tests.bench [--document] [--only NAME ...]`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import report
from tests.bench.catalogue import BENCHMARKS
from tests.bench.site import open_site
from tests.bench.timing import Pace, Row
from tests.token import TokenBench

_ROOT = Path(__file__).parents[2]
_JSON = _ROOT / "var" / "bench.json"
_DOCUMENT = _ROOT / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", default=[])
    parser.add_argument("--document", action="store_true", help="write docs/benchmarks.md anew")
    asked = parser.parse_args()
    if asked.only and asked.document:
        parser.error("--document wants all of them")
    started = time.monotonic()
    print(f"{report.machine()}\nThe load generator and the servers share these cores.\n")
    rows = run(asked.only or list(BENCHMARKS))
    print(f"{report.text_table(rows)}\n")
    if not asked.only:
        report.write_json(rows, _JSON)
        print(f"{_JSON.relative_to(_ROOT)} written", end="; ")
    if asked.document:
        report.write_document(rows, _DOCUMENT)
        print(f"{_DOCUMENT.relative_to(_ROOT)} written", end="; ")
    print(f"best of the rounds, all rates per second; {time.monotonic() - started:.0f} s")


def run(names: list[str]) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="portseal-bench-") as directory:
        place = Path(directory)
        with open_site(place, TokenBench(place / "softhsm")) as site:
            for number, name in enumerate(names, start=1):
                if sys.stdout.isatty():
                    print(f"\r{number}/{len(names)} {name:40}", end="", flush=True)
                rows += BENCHMARKS[name](site, Pace())
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    return rows


if __name__ == "__main__":
    main()
