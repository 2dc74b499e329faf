"""How long the machine works to replace all cards, told from the rates of one run."""

from collections.abc import Sequence

from ca.mass.reissue import BATCH
from portseal.jobs import BATCHES_IN_A_RUN, JOBS
from portseal.node import TICK_SECONDS
from tests.bench.timing import Row

CARDS = 2_700_000
_DAY = 24 * 60.0
"""Minutes."""
_IN_A_TURN = BATCH * BATCHES_IN_A_RUN
_REST = next(job.every.total_seconds() for job in JOBS if job.name == "reissue") + TICK_SECONDS
"""Seconds between two turns of the re-issue, at most."""


def replaced_in(rows: Sequence[Row]) -> str:
    """The machine's part of the plan in docs/benchmarks.md, step by step, in Markdown."""
    of = {row.name: row.ours for row in rows}
    steps = {
        "certificates re-issued by the job, one node (`reissue.postgresql`)": CARDS
        / of["reissue.postgresql"],
        f"its rests of {_REST:.0f} s after each {_IN_A_TURN:,}, as the schedule has them": CARDS
        / _IN_A_TURN
        * _REST,
        "OCSP answers signed, one worker (`ocsp.http.nonce`)": CARDS / of["ocsp.http.nonce"],
        "old ones revoked (`revoke.100k.seconds`, 27 times)": CARDS
        / 100_000
        * of["revoke.100k.seconds"],
        "a complete list of them (`crl.1m.seconds`, 2.7 times)": CARDS
        / 1_000_000
        * of["crl.1m.seconds"],
    }
    minutes = {step: seconds / 60 for step, seconds in steps.items()}
    total = sum(minutes.values())
    fits = "fits" if total < _DAY else "does not fit"
    lines = [f"- {step}: {took:,.1f} minutes" for step, took in minutes.items()]
    return "\n".join(
        [
            f"All {CARDS:,} cards at the rates of this run, one step after the other:",
            "",
            *lines,
            "",
            f"Together {total:,.0f} minutes of machine time, which {fits} into the 24 hours.",
        ]
    )
