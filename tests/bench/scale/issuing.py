"""Certificates issued and committed on PostgreSQL: in batches by two nodes, and one alone.

The nodes are processes, as in earnest: drafting, linting and signing take a core each, while the
database commits what the other has made.
"""

import json
import os
import statistics
import subprocess
import sys
import time

from tests.bench.scale import register
from tests.bench.site import Site
from tests.bench.timing import Pace, Row, best, repeating

_LIMIT = "signatures of the raw token (python-pkcs11)"
_NODES = 2
_SINGLES = 200
_PROGRAM = "tests.bench.scale.issuing_node"


def issuing(site: Site, pace: Pace) -> list[Row]:
    limit = best({"limit": repeating(site.raw_token_signature())}, pace)["limit"]
    rate = best({"ours": lambda seconds: _by_nodes(site, seconds)}, pace)["ours"]
    return [
        Row("issue.postgresql", rate, limit, _LIMIT),
        Row("issue.single.ms", _single(site), unit="ms"),
    ]


def _by_nodes(site: Site, seconds: float) -> float:
    """Certificates a second by all nodes together, counted in the database."""
    environment = {**os.environ, "PORTSEAL_CONFIG": str(site.settings_file)}
    command = [sys.executable, "-m", _PROGRAM, str(seconds)]
    nodes = [
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(_NODES)
    ]
    try:
        for node in nodes:  # keys and requests are made before the clock runs
            assert node.stdout is not None
            assert node.stdout.readline().strip() == "ready"
        before, started = register.issued(site.house.database), time.perf_counter()
        told = []
        for node in nodes:
            assert node.stdin is not None
            node.stdin.write("go\n")
            node.stdin.flush()
        for node in nodes:
            assert node.stdout is not None
            told.append(json.loads(node.stdout.readline()))
        elapsed = time.perf_counter() - started
        made = register.issued(site.house.database) - before
    finally:
        for node in nodes:
            node.communicate(timeout=60)
    assert made == sum(told) > 0
    return made / elapsed


def _single(site: Site) -> float:
    """The median, in milliseconds, from request to commit."""
    authority = site.house.authorities.issuing
    times = []
    for request in site.requests(_SINGLES):
        started = time.perf_counter()
        authority.issue(authority.prepare("operator", request))
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000
