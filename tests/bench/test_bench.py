"""Every benchmark still runs and gives the rows that it promises."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.catalogue import BENCHMARKS
from tests.bench.promises import PROMISES
from tests.bench.scale.test_scale import NAMES
from tests.bench.site import Site, open_site
from tests.bench.timing import Pace, Row, best, repeating
from tests.token import TokenBench

TINY = Pace(seconds=0.05, rounds=1)
ROWS = [
    Row("fast", 2000.0, 4000.0, "raw", 100.0, "another"),
    Row("alone", 12.5),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, token_bench: TokenBench) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("bench"), token_bench) as opened:
        yield opened


@pytest.mark.long
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_tiny_round_gives_the_promised_row(name: str, site: Site) -> None:
    if "http" in name and shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    rows = BENCHMARKS[name](site, TINY)

    assert rows[0].name == name
    if name == "verify.rss.growth":
        assert 0 <= rows[0].ours < 8
        return
    assert all(row.ours > 0 for row in rows)
    assert all(row.limit and row.limit_name for row in rows)
    assert all((row.peer is None) == (row.peer_name is None) for row in rows)


def test_a_rate_counts_every_call() -> None:
    calls: list[None] = []
    rate = repeating(lambda: calls.append(None))(0.05)

    assert rate * 0.05 == pytest.approx(len(calls), rel=0.5)


def test_the_best_round_is_told() -> None:
    rounds = {"ours": iter([9.0, 1.0, 3.0, 2.0])}  # the first is the warm-up

    assert best({"ours": lambda _: next(rounds["ours"])}, Pace(0.01, 3)) == {"ours": 3.0}


def test_json_has_the_agreed_keys(tmp_path: Path) -> None:
    report.write_json(ROWS, tmp_path / "var" / "bench.json")

    written = json.loads((tmp_path / "var" / "bench.json").read_text())
    assert written[1] == {
        "name": "alone",
        "unit": "1/s",
        "ours": 12.5,
        "limit": None,
        "limit_name": None,
        "peer": None,
        "peer_name": None,
    }


def test_the_table_shows_ratios() -> None:
    fast = report.text_table(ROWS).splitlines()[1]

    assert re.split(r"\s{2,}", fast) == [
        "fast", "2,000", "-", "-", "4,000", "50%", "raw", "100", "20.0", "another"
    ]  # fmt: skip


def test_the_table_tells_what_was_promised_and_whether_it_is_met() -> None:
    rows = [
        Row("cades.verify.cached", 50.0, 100.0, "raw", 3.0, "pyHanko"),
        Row("cades.verify.cached", 49.0, 100.0, "raw", 3.0, "pyHanko"),
        Row("ocsp.growth", 1.54, unit="ratio"),
        Row("agent.sign.ms", 19.96, 3.0, "token", unit="ms"),
        Row("tsa.http", 100.0),  # its limit was not measured
    ]
    told = [re.split(r"\s{2,}", line)[1:4] for line in report.text_table(rows).splitlines()[1:]]
    assert told == [
        ["50.0", ">= 50% of the limit, >= 15 times the peer", "met"],
        ["49.0", ">= 50% of the limit, >= 15 times the peer", "not met"],
        ["1.54 ratio", "<= 1.5", "not met"],
        ["20.0 ms", "< 20 ms", "met"],
        ["100", ">= 50% of the limit", "-"],
    ]


def test_every_promise_is_about_a_row_that_there_is() -> None:
    assert set(PROMISES) <= {
        *BENCHMARKS, *NAMES, "cades.sign.token", "cades.verify.cached", "reissue.postgresql",
    }  # fmt: skip


def test_three_digits_of_a_ratio_are_kept(tmp_path: Path) -> None:
    report.write_json([Row("ocsp.growth", 1.5449, unit="ratio")], tmp_path / "bench.json")
    assert json.loads((tmp_path / "bench.json").read_text())[0]["ours"] == 1.545


def test_the_document_takes_the_results_between_its_marks(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(
        "before\n<!-- made by: python -m tests.bench --document -->\nold\n<!-- end -->\nafter\n"
    )
    report.write_document(ROWS, document)
    report.write_document(ROWS, document)

    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "old" not in text
    assert text.count("| fast |") == 1
