"""The benchmark at scale still runs, on a small register, and gives the rows that it promises."""

import shutil
from pathlib import Path

import pytest

from portseal.sandbox.postgresql import PostgreSQL
from tests.bench.scale.__main__ import run
from tests.bench.site import open_site
from tests.bench.timing import Pace
from tests.token import TokenBench

_NAMES = {
    "issue.postgresql",
    "issue.single.ms",
    "ocsp.http.cached",
    "ocsp.http.nonce",
    "ocsp.growth",
    "lookup.growth",
    "search.growth",
    "crl.1m.seconds",
    "crl.1m.rss.mb",
    "crl.delta.1k.ms",
    "revoke.100k.seconds",
}


@pytest.mark.slow
def test_a_small_register_gives_every_row(
    postgresql_server: PostgreSQL, token_bench: TokenBench, tmp_path: Path
) -> None:
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    (tmp_path / "small").mkdir()
    with (
        postgresql_server.fresh_database() as url,
        postgresql_server.fresh_database() as small_url,
        open_site(tmp_path, token_bench, url) as site,
        open_site(tmp_path / "small", token_bench, small_url) as small,
    ):
        rows = run(site, small, [300, 600], 500, 100, Pace(0.1, 1))
    assert {row.name for row in rows} == _NAMES
    assert all(row.ours > 0 for row in rows)
