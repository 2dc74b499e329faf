"""The benchmark at scale still runs, on a small register, and gives the rows that it promises."""

import shutil
from pathlib import Path

import pytest

from portseal.sandbox.postgresql import PostgreSQL
from tests.bench.scale.__main__ import run
from tests.bench.scale.all_cards import replaced_in
from tests.bench.scale.reissuing import reissuing
from tests.bench.site import open_site
from tests.bench.timing import Pace, Row
from tests.token import TokenBench

NAMES = {
    "issue.postgresql",
    "issue.single.ms",
    "ocsp.http.cached",
    "ocsp.http.nonce",
    "ocsp.http.nonce.constant",
    "ocsp.growth",
    "lookup.growth",
    "search.growth",
    "search.name.growth",
    "crl.1m.seconds",
    "crl.1m.rss.mb",
    "crl.delta.1k.ms",
    "revoke.100k.seconds",
}


@pytest.mark.long
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
    assert {row.name for row in rows} == NAMES
    assert all(row.ours > 0 for row in rows)
    told = replaced_in([*rows, Row("reissue.postgresql", 500.0)])
    assert "fits into the 24 hours" in told or "does not fit" in told


@pytest.mark.slow
def test_the_job_that_re_issues_is_measured_on_an_authority_of_its_own(
    postgresql_server: PostgreSQL, token_bench: TokenBench, tmp_path: Path
) -> None:
    with postgresql_server.fresh_database() as url, open_site(tmp_path, token_bench, url) as site:
        (row,) = reissuing(site, Pace(0.1, 1), 400)
    assert row.name == "reissue.postgresql"
    assert row.ours > 0


def test_the_plan_for_all_cards_is_told_from_the_rates() -> None:
    rates = {"reissue.postgresql": 1500.0, "ocsp.http.nonce": 3000.0}
    rows = [Row(name, rate) for name, rate in rates.items()]
    rows += [Row("revoke.100k.seconds", 60.0, unit="s"), Row("crl.1m.seconds", 2.0, unit="s")]
    told = replaced_in(rows)
    assert "(`reissue.postgresql`): 30.0 minutes" in told
    assert "its rests of 2 s after each 1,000, as the schedule has them: 90.0" in told
    assert "(`revoke.100k.seconds`, 27 times): 27.0 minutes" in told
    assert "Together 162 minutes of machine time, which fits into the 24 hours." in told
    rows[0] = Row("reissue.postgresql", 30.0)
    assert "does not fit into the 24 hours" in replaced_in(rows)
