"""Several nodes on one PostgreSQL: real processes, one of them killed in the middle of a job."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import requests
from cryptography.x509 import ocsp
from dbos import DBOSClient
from sqlalchemy import text

from ca.inventory import RevocationReason
from kernel.clock import SystemClock
from kernel.refusals import Unavailable
from portseal.jobs import JOBS
from portseal.node import Silence
from portseal.sandbox.ports import free_port
from portseal.sandbox.postgresql import PostgreSQL
from portseal.status import status_of
from portseal.wiring import House
from records import heartbeat, job_runs
from records.journal import records
from tests.bench.loopback import serving
from tests.bench.scale.growth import request
from tests.bench.site import Site, open_site
from tests.token import TokenBench

pytestmark = pytest.mark.postgresql

_IDLE = {
    "logout", "notices", "publish", "reissue", "escrow", "mass actions", "card codes", "references",
    "recoveries asked", "access codes",
}  # fmt: skip
"""Jobs that look first whether there is work, and have none here: `test_deliveries` has, for the
first four."""
_BUSY = {each.name for each in JOBS} - _IDLE

_SILENCE = 8
_WAIT_SECONDS = 100.0


class Cluster:
    """One authority; its nodes are started as processes."""

    def __init__(self, site: Site, tokens: TokenBench) -> None:
        self.site = site
        self.house = site.house
        self._engine: DBOSClient | None = None
        self._environment = {
            **tokens.environment,
            "PORTSEAL_CONFIG": str(site.settings_file),
            "PORTSEAL_NODES__SILENCE_SECONDS": str(_SILENCE),
        }

    @contextmanager
    def worker(self, name: str) -> Iterator["subprocess.Popen[bytes]"]:
        command = [sys.executable, "-m", "portseal.cli", "worker"]
        with (self.site.directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(30)

    @contextmanager
    def server(self, name: str) -> Iterator[str]:
        origin = f"http://127.0.0.1:{(port := free_port())}"
        own = {
            "PORTSEAL_WEB__PORT": str(port),
            "PORTSEAL_WEB__ORIGIN": origin,
            "PORTSEAL_STATUS__BASE_URL": self.site.origin,
            "PORTSEAL_DATA_DIRECTORY": str(self.site.directory / name),
        }
        command = [sys.executable, "-m", "portseal.cli", "serve"]
        with serving(command, f"{origin}/health/ready", {**self._environment, **own}):
            yield origin

    def nodes(self) -> list[str]:
        with self.house.database.reading() as connection:
            return [each.node for each in heartbeat.every(connection)]

    def runs(self) -> dict[str, job_runs.JobRun]:
        with self.house.database.reading() as connection:
            return job_runs.last_runs(connection)

    def engine(self) -> DBOSClient:
        """Its own history of runs; made when the nodes have made their tables."""
        if self._engine is None:
            url = self.house.settings.database.url.get_secret_value()
            self._engine = DBOSClient(system_database_url=url, dbos_system_schema="portseal_jobs")
        return self._engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.destroy()


@pytest.fixture(scope="module")
def cluster(
    postgresql_server: PostgreSQL,
    token_bench: TokenBench,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    with (
        postgresql_server.fresh_database() as url,
        open_site(tmp_path_factory.mktemp("cluster"), token_bench, url) as site,
    ):
        made = Cluster(site, token_bench)
        yield made
        made.close()


def wait_for(what: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


@pytest.mark.long
def test_each_due_job_runs_once_and_outlives_the_node_that_died_in_it(cluster: Cluster) -> None:
    house = cluster.house
    serials = [made.serial for made in cluster.site.issue(50)]
    job = house.mass_revocation.plan(serials, RevocationReason.SUPERSEDED, "test")
    blocker = house.database.engine.connect()
    with cluster.worker("first") as first, cluster.worker("second") as second:
        wait_for(lambda: cluster.runs().keys() == _BUSY, "every job runs")
        wait_for(lambda: len(cluster.nodes()) == 2, "both nodes tell that they live")
        wait_for(lambda: house.mass_revocation.progress(job).left == 0, "the job is done")
        # From now on whoever revokes stands still in the middle of its transaction.
        again = house.mass_revocation.plan(
            [made.serial for made in cluster.site.issue(50)], RevocationReason.SUPERSEDED, "test"
        )
        blocker.execute(text("SELECT * FROM ca_status_versions FOR UPDATE"))
        wait_for(lambda: at_work(cluster, "mass revocation"), "a node takes the job")
        doomed = at_work(cluster, "mass revocation")[0]
        victim = first if doomed.endswith(f":{first.pid}") else second
        victim.send_signal(signal.SIGKILL)
        blocker.rollback()
        blocker.close()
        wait_for(lambda: house.mass_revocation.unfinished() == [], "the other node goes on")
        assert house.mass_revocation.progress(again).revoked == 50
        wait_for(lambda: doomed not in cluster.nodes(), "the dead node is forgotten")
        # The job is done a moment before its run is recorded.
        wait_for(
            lambda: cluster.runs()["mass revocation"].node != doomed, "the other node's run ends"
        )
        survivor = cluster.runs()["mass revocation"].node
        wait_for(
            lambda: (
                cluster.runs()["ocsp"].node == survivor and cluster.runs()["crl"].node == survivor
            ),
            "the schedule goes on",
        )
    with house.database.reading() as connection:
        told = [each.event for each in records(connection, doomed)]
        revoked = Counter(
            each.subject for each in records(connection) if each.event == "certificate.revoked"
        )
        assert house.journal.verify(connection).intact
    assert told == ["node.lost"]
    assert len(revoked) == 100
    assert set(revoked.values()) == {1}
    assert_every_run_was_done_once(cluster)


def at_work(cluster: Cluster, job: str) -> list[str]:
    """The nodes that are in the middle of this job."""
    return [
        str(run.executor_id)
        for run in cluster.engine().list_workflows(status="PENDING")
        if run.input is not None and run.input["args"][0] == job
    ]


def assert_every_run_was_done_once(cluster: Cluster) -> None:
    """As the engine's own history tells: no number of a job was run by two nodes."""
    done = Counter(
        (run.input["args"][0], run.input["args"][1])
        for run in cluster.engine().list_workflows(status="SUCCESS")
        if run.output is True and run.input is not None
    )
    assert {name for name, _ in done} == _BUSY
    assert set(done.values()) == {1}
    assert {name: run.number for name, run in cluster.runs().items()} == Counter(
        name for name, _ in done.elements()
    )


@pytest.mark.long
def test_a_revocation_is_told_by_every_node_within_a_second(cluster: Cluster) -> None:
    first, second = cluster.site.issue(2)
    issuer = cluster.site.chain[0]
    with cluster.server("a") as a, cluster.server("b") as b:
        for origin in (a, b):  # both keep answers that say good
            for made in (first, second):
                assert asked(origin, request(issuer, made.serial, None)) == "GOOD"
        for made in (first, second):
            body = request(issuer, made.serial, None)
            cluster.house.revocation.revoke(made.serial, RevocationReason.KEY_COMPROMISE, "test")
            committed = time.monotonic()
            waiting = {a, b}
            while waiting:
                begun = time.monotonic()
                waiting -= {origin for origin in waiting if asked(origin, body) == "REVOKED"}
                assert not waiting or begun - committed < 1.0, f"{waiting} still say good"


def asked(origin: str, body: bytes) -> str:
    answer = requests.post(
        f"{origin}/ocsp", data=body, headers={"Content-Type": "application/ocsp-request"}, timeout=5
    )
    return ocsp.load_der_ocsp_response(answer.content).certificate_status.name


@pytest.mark.long
def test_nothing_is_lost_when_the_database_is_restarted(
    cluster: Cluster, postgresql_server: PostgreSQL
) -> None:
    (made,) = cluster.site.issue(1)
    house = cluster.house
    with cluster.worker("restarted") as worker:
        mine = f":{worker.pid}"
        wait_for(lambda: ran_at(cluster, "crl", mine) > 0, "the worker works")
        postgresql_server.stop()
        try:
            with pytest.raises(Unavailable, match=r"database\.unavailable"):
                house.revocation.revoke(made.serial, RevocationReason.SUPERSEDED, "test")
            with pytest.raises(Unavailable, match=r"database\.unavailable"):
                house.check()  # as /health/ready does
        finally:
            postgresql_server.start()
        before = ran_at(cluster, "crl", mine)
        house.revocation.revoke(made.serial, RevocationReason.SUPERSEDED, "test")
        wait_for(lambda: ran_at(cluster, "crl", mine) > before, "the worker goes on")
        assert worker.poll() is None
    answer = house.ocsp_responders[0].answer(request(cluster.site.chain[0], made.serial, None))
    status = ocsp.load_der_ocsp_response(answer.der).certificate_status
    assert status is ocsp.OCSPCertStatus.REVOKED
    with house.database.reading() as connection:
        assert house.journal.verify(connection).intact


def ran_at(cluster: Cluster, job: str, node: str) -> int:
    """The number of the job's last run, if that was on this node."""
    run = cluster.runs().get(job)
    return run.number if run is not None and run.node.endswith(node) else 0


def test_a_node_with_another_time_is_told_of_and_records_nothing(cluster: Cluster) -> None:
    class Ahead(SystemClock):
        def now(self):  # type: ignore[no-untyped-def]
            return super().now() + timedelta(days=1826)

    astray = House(cluster.house.settings, clock=Ahead())
    (made,) = cluster.site.issue(1)
    try:
        for act in (
            lambda: astray.revocation.revoke(made.serial, RevocationReason.SUPERSEDED, "test"),
            lambda: astray.authorities.issuing.prepare("operator", cluster.site.requests(1)[0]),
            lambda: astray.crl_issuers[1].issue(),
        ):
            with pytest.raises(Unavailable, match=r"clock\.apart") as refused:
                act()
            assert int(str(refused.value.facts["ahead_milliseconds"])) > 10**9
        fault = astray.clock_health.fault()
        assert fault is not None
        assert "from that of the database" in fault.said()
        assert cluster.house.clock_health.fault() is None
        told = heartbeat.Heartbeat("astray", SystemClock().now(), "", skew_ms=90_000)
        with cluster.house.database.transaction() as connection:
            heartbeat.beat(connection, told)
        assert "astray +90000 ms" in status_of(cluster.house)["worker"]
        with cluster.house.database.transaction() as connection:
            heartbeat.forget(connection, "astray")
    finally:
        astray.close()
    record = cluster.house.inventory.by_serial(made.serial)
    assert record is not None
    assert record.state == "issued"
    with cluster.house.database.reading() as connection:
        assert cluster.house.journal.verify(connection).intact


def test_silence_is_measured_by_the_listeners_own_clock() -> None:
    silence = Silence(10)
    assert silence.broken_off({"a": 1, "b": 1}, 0) == []
    assert silence.broken_off({"a": 2, "b": 1}, 9) == []
    assert silence.broken_off({"a": 2, "b": 1}, 11) == ["b"]
    assert silence.broken_off({"a": 2, "b": 2}, 12) == []
    assert silence.broken_off({"a": 2}, 20) == ["a"]
    assert silence.broken_off({}, 40) == []
    assert silence.broken_off({"a": 2}, 41) == []  # forgotten meanwhile, it is new
