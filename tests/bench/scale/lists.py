"""Lists of a million entries, and delta lists."""

import json
import os
import subprocess
import sys
import time

from ca.inventory import RevocationReason
from tests.bench.scale import register
from tests.bench.site import Site
from tests.bench.timing import Row


def complete_list(site: Site) -> list[Row]:
    """In a process of its own, so that its memory is its own."""
    environment = {**os.environ, "PORTSEAL_CONFIG": str(site.settings_file)}
    command = [sys.executable, "-m", "tests.bench.scale.one_list"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    return [
        Row("crl.1m.seconds", told["seconds"], unit="s"),
        Row("crl.1m.rss.mb", told["megabytes"], unit="MB"),
    ]


def delta_list(site: Site, count: int = 1000) -> list[Row]:
    """After so many revocations, upon the complete list."""
    _, issuer = site.house.crl_issuers
    job = site.house.mass_revocation
    chosen = register.serials(site.house.database, count)
    job.run(job.plan(chosen, RevocationReason.SUPERSEDED, "bench"))
    issuer.issue_delta()  # pkilint sees its first delta list here
    times = []
    for _ in range(5):
        started = time.perf_counter()
        crl = issuer.issue_delta()
        times.append(time.perf_counter() - started)
        assert crl.entries == count
    return [Row("crl.delta.1k.ms", min(times) * 1000, unit="ms")]
