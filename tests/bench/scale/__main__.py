"""Measure at scale: `python -m tests.bench.scale [--sizes 10000 1000000] [--entries N] ...`."""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from portseal.sandbox.postgresql import PostgreSQL
from tests.bench import report
from tests.bench.scale import all_cards, growth, lists, register, revoking
from tests.bench.scale.http import ocsp_over_http
from tests.bench.scale.issuing import issuing
from tests.bench.scale.reissuing import CARDS, reissuing
from tests.bench.site import Site, open_site
from tests.bench.timing import Pace, Row
from tests.token import TokenBench

_ROOT = Path(__file__).parents[3]
_JSON = _ROOT / "var" / "bench-scale.json"
_DOCUMENT = _ROOT / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    sizes = (10_000, 1_000_000, 2_700_000)
    parser.add_argument("--sizes", nargs="+", type=int, default=sizes, help="2700000 is all cards")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the complete list")
    parser.add_argument("--revoke", type=int, default=100_000, help="cards in one job")
    parser.add_argument("--output", type=Path, default=_JSON)
    parser.add_argument("--document", action="store_true", help="write docs/benchmarks.md anew")
    asked = parser.parse_args()
    print(f"{report.machine()}\nPostgreSQL, load generator and servers share these cores.\n")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="portseal-scale-") as directory:
        place = Path(directory)
        with PostgreSQL() as server:
            _give_memory(server)
            tokens = TokenBench(place / "softhsm")
            for name in ("small", "rolled"):
                (place / name).mkdir()
            with (
                server.fresh_database() as url,
                open_site(place / "rolled", tokens, url) as rolled,
            ):
                rows = told(reissuing(rolled, Pace(2.0, 3), CARDS))
            with (
                server.fresh_database() as url,
                server.fresh_database() as small_url,
                open_site(place, tokens, url) as site,
                open_site(place / "small", tokens, small_url) as small,
            ):
                rows += run(site, small, sorted(asked.sizes), asked.entries, asked.revoke)
    report.write_json(rows, asked.output)
    print(f"\n{report.text_table(rows)}\n\n{asked.output} written; ", end="")
    print(f"{time.monotonic() - started:.0f} s")
    plan = all_cards.replaced_in(rows)
    print(f"\n{plan}")
    if asked.document:
        report.write_document(rows, _DOCUMENT, report.SCALE, plan)
        print(f"{_DOCUMENT.relative_to(_ROOT)} written")


def run(
    site: Site,
    small: Site,
    sizes: Sequence[int],
    entries: int,
    revoked: int,
    pace: Pace | None = None,
) -> list[Row]:
    """Every row; each step prints what it found. `small` stays at the first of the sizes."""
    rows = told(issuing(site, pace or Pace(2.0, 3)))
    in_region = max(1, min(revoked, sizes[-1] // 2) // register.CARDS_EACH)
    register.grow(small.house.database, small.card, 1, sizes[0], in_region)
    specimen, have = site.card, 0
    for size in sizes:
        begun = time.monotonic()
        register.grow(site.house.database, specimen, have + 1, size, in_region)
        have = size
        loaded = time.monotonic() - begun
        first, last = growth.compare(small, site, min(growth.SAMPLE, sizes[0] // 10))
        print(
            f"{size:>9,} certificates (loaded in {loaded:.0f} s): "
            f"{_shown(last)}; beside it {sizes[0]:,}: {_shown(first)}",
            flush=True,
        )
    rows += told(
        [
            Row("ocsp.growth", last.ocsp / first.ocsp, unit="ratio"),
            Row("lookup.growth", last.lookup / first.lookup, unit="ratio"),
            Row("search.growth", last.search / first.search, unit="ratio"),
            Row("search.name.growth", last.names / first.names, unit="ratio"),
        ]
    )
    rows += told(ocsp_over_http(site, pace or Pace(2.0, 3)))
    register.list_entries(site.house.database, entries)
    rows += told(lists.complete_list(site))
    rows += told(lists.delta_list(site, min(1000, sizes[-1] // 2)))
    rows += told(revoking.mass_revocation(site))
    return rows


def _shown(speed: growth.Speed) -> str:
    return (
        f"look-up {speed.lookup:.0f} us, OCSP answer but for the token {speed.ocsp:.0f} us, "
        f"search by number {speed.search:.0f} us, by name {speed.names:.0f} us"
    )


def _give_memory(server: PostgreSQL) -> None:
    """As an operator would: the tests' 64 MB are not for a register of millions."""
    with (server.directory / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write("shared_buffers = 2GB\nmax_wal_size = 8GB\n")
    server.restart()


def told(rows: list[Row]) -> list[Row]:
    for row in rows:
        print(f"{row.name:24} {row.ours:,.1f} {row.unit}", flush=True)
    return rows


if __name__ == "__main__":
    main()
