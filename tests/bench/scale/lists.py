"""Lists of a million entries, delta lists and mass revocation."""

import json
import os
import subprocess
import sys
import time

from cryptography import x509
from cryptography.x509 import ocsp

from ca.inventory import RevocationReason
from tests.bench.scale import register
from tests.bench.scale.growth import request
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


def mass_revocation(site: Site, count: int) -> list[Row]:
    """From the recorded job to OCSP answers, complete list, parts and delta lists that say so."""
    house = site.house
    chosen = register.serials(house.database, count)
    started = time.perf_counter()
    progress = house.mass_revocation.run(
        house.mass_revocation.plan(chosen, RevocationReason.KEY_COMPROMISE, "bench")
    )
    committed = time.perf_counter() - started
    assert progress.revoked == count
    for serial in chosen[:: max(1, count // 50)]:
        body = house.ocsp_responders[0].answer(request(site.chain[0], serial, None)).der
        answer = ocsp.load_der_ocsp_response(body)
        assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    made = house.crl_issuers[1].renew()
    elapsed = time.perf_counter() - started
    (complete,) = [crl for crl in made if crl.shard == 0 and not crl.is_delta]
    listed = x509.load_der_x509_crl(complete.der)
    assert listed.get_revoked_certificate_by_serial_number(chosen[-1]) is not None
    print(f"  of this {committed:.1f} s for the job, the rest for {len(made)} lists")
    return [Row("revoke.100k.seconds", elapsed, unit="s")]
