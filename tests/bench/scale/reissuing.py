"""The re-issue of all cards under a new authority: the schedule's own job, turn after turn.

A turn is what the worker does before the other jobs have theirs. The rest between two turns is
left out of the rate, and `all_cards` tells of it.
"""

import time

from ca.ceremonies.conduct import Conduct, Watchers
from policies.ceremony_plan import load_ceremony_plan
from portseal.jobs import JOBS
from portseal.wiring import House, conduct_ceremony
from tests.bench.site import Site
from tests.bench.timing import Pace, Row, best, repeating

CARDS = 6000
_LIMIT = "signatures of the raw token (python-pkcs11)"
_AT_ONCE = 200


def reissuing(site: Site, pace: Pace, cards: int = CARDS) -> list[Row]:
    """`site`: one that others need no more, for it is rolled over."""
    limit = best({"limit": repeating(site.raw_token_signature())}, pace)["limit"]
    for _ in range(0, cards, _AT_ONCE):
        site.issue(_AT_ONCE)
    plan = load_ceremony_plan("roll-over")
    conduct_ceremony(site.house.settings, plan, Conduct("Bench", "bench"), Watchers())
    after = House(site.house.settings)
    try:
        return [Row("reissue.postgresql", _rate(after, cards), limit, _LIMIT)]
    finally:
        after.close()


def _rate(house: House, cards: int) -> float:
    """Certificates a second by one node, from the first turn to the job's end, counted by the
    job's own records."""
    turn = next(job for job in JOBS if job.name == "reissue")
    job = house.reissue.plan("issuing", house.authorities.current, "bench")
    started = time.perf_counter()
    while turn.wanted(house):
        turn.act(house, False)
    elapsed = time.perf_counter() - started
    done = house.reissue.progress(job)
    assert done.reissued == done.total >= cards
    return done.reissued / elapsed
