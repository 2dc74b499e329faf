"""What the records and the token tell, looked at when Prometheus asks, some seconds apart."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from ca.ceremonies.labels import OCSP
from ca.crl.archive import CrlArchive
from hsm.pool import TokenPool
from kernel.refusals import Refusal
from portseal.jobs import JOBS
from portseal.wiring import House
from records import checkpoints, heartbeat, job_runs
from records.common_time import clock_difference
from records.tables import outbox

_FRESH_SECONDS = 5.0
_DAY = 86_400.0
_Part = Callable[[House], Iterable[Metric]]


class RecordsCollector(Collector):
    """Everything that is not counted as it happens. A part that fails is left out and told."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lock = threading.Lock()
        self._found: list[Metric] = []
        self._found_at = float("-inf")

    def describe(self) -> list[Metric]:
        return []  # known only when the records are asked

    def collect(self) -> list[Metric]:
        with self._lock:
            if time.monotonic() - self._found_at > _FRESH_SECONDS:
                self._found = self._look()
                self._found_at = time.monotonic()
            return self._found

    def _look(self) -> list[Metric]:
        found: list[Metric] = []
        up = _gauge("portseal_up", "Whether a part answers.", "part")
        for name, part in _PARTS.items():
            try:
                found += part(self._house)
            except Refusal:
                up.add_metric([name], 0)
            else:
                up.add_metric([name], 1)
        return [*found, up]


def _gauge(name: str, told: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, told, labels=labels)


def _queues(house: House) -> Iterator[Metric]:
    waiting = _gauge("portseal_queue_waiting", "Messages that wait.", "queue")
    oldest = _gauge("portseal_queue_oldest_seconds", "Age of the oldest that waits.", "queue")
    aside = _gauge("portseal_queue_refused", "Messages set aside for a person.", "queue")
    kind = outbox.c.channel
    pending = outbox.c.delivered_at.is_(None) & outbox.c.refused_at.is_(None)
    refused = outbox.c.refused_at.is_not(None)
    with house.database.reading() as connection:
        query = select(kind, func.count(), func.min(outbox.c.created_at)).group_by(kind)
        now = house.clock.now()
        for name, count, since in _by_queue(connection.execute(query.where(pending))):
            waiting.add_metric([name], count)
            oldest.add_metric([name], max(0.0, (now - since).total_seconds()))
        for name, count, _ in _by_queue(connection.execute(query.where(refused))):
            aside.add_metric([name], count)
    yield from (waiting, oldest, aside)


def _by_queue(rows: Iterable[tuple[str, int, datetime]]) -> list[tuple[str, int, datetime]]:
    """Channels of many platforms, `logout:...`, as one queue."""
    found: dict[str, tuple[int, datetime]] = {}
    for channel, count, since in rows:
        name = channel.partition(":")[0]
        before = found.get(name)
        found[name] = (
            (count, since) if before is None else (before[0] + count, min(before[1], since))
        )
    return [(name, count, since) for name, (count, since) in found.items()]


def _certificates(house: House) -> Iterator[Metric]:
    left = _gauge("portseal_certificate_days", "Until the certificate ends.", "certificate")
    opened, now = house.authorities, house.clock.now()
    ends = {"tsa": opened.tsa.certificate.not_after}
    for name, each in opened.by_name.items():
        own = each.own.certificate
        if own.not_after <= now and name != opened.current:
            continue  # it has served its time
        ends[name] = own.not_after
        ends[f"ocsp-{name}"] = house.responder_keys[name].certificate.not_after
    for name, end in ends.items():
        left.add_metric([name], (end - now).total_seconds() / _DAY)
    yield left


def _lists(house: House) -> Iterator[Metric]:
    left = _gauge("portseal_crl_days", "Until the complete list's nextUpdate.", "authority")
    number = _gauge("portseal_crl_number", "Of the newest complete list.", "authority")
    archive, now = CrlArchive(house.database), house.clock.now()
    for name, certificate in house.authorities.certificates.items():
        latest = archive.latest(name)
        if latest is not None and now < certificate.not_after:
            left.add_metric([name], (latest.next_update - now).total_seconds() / _DAY)
            number.add_metric([name], latest.number)
    yield from (left, number)


def _clock(house: House) -> Iterator[Metric]:
    ahead = _gauge("portseal_clock_ahead_seconds", "Of this node, ahead of the database.")
    with house.database.reading() as connection:
        ahead.add_metric([], clock_difference(connection, house.clock).total_seconds())
    yield ahead


def _nodes(house: House) -> Iterator[Metric]:
    silence = _gauge("portseal_node_silence_seconds", "Since the node's sign of life.", "node")
    ahead = _gauge("portseal_node_clock_ahead_seconds", "Of the node's clock.", "node")
    failing = _gauge("portseal_job_failing", "1: the job's last run failed.", "job")
    ended = _gauge("portseal_job_ended_seconds", "Since the end of the last run.", "job")
    now = house.clock.now()
    with house.database.reading() as connection:
        for each in heartbeat.every(connection):
            silence.add_metric([each.node], (now - each.at).total_seconds())
            ahead.add_metric([each.node], each.skew_ms / 1000)
        runs = job_runs.last_runs(connection)
    for job in JOBS:
        run = runs.get(job.name)
        if run is not None:
            failing.add_metric([job.name], 1 if run.failure else 0)
            ended.add_metric([job.name], (now - run.ended_at).total_seconds())
    yield from (silence, ahead, failing, ended)


def _journal(house: House) -> Iterator[Metric]:
    count = _gauge("portseal_journal_records", "Records in the journal.")
    bare = _gauge("portseal_journal_unwitnessed_records", "Since the newest checkpoint.")
    house.journal_gate.check()
    with house.database.reading() as connection:
        head, newest = checkpoints.head(connection), checkpoints.newest(connection)
    position = 0 if head is None else head[0]
    count.add_metric([], position)
    bare.add_metric([], position - (0 if newest is None else newest.position))
    yield from (count, bare)


def _console(house: House) -> Iterator[Metric]:
    told = _gauge("portseal_console_exceptions", "Acts without a card, not acknowledged.")
    told.add_metric([], house.console_acts.count_unacknowledged())
    yield told


def _token(house: House) -> Iterator[Metric]:
    """Signs and verifies: a token that answers but signs wrongly is not up."""
    took = _gauge("portseal_token_signature_seconds", "One signature of the OCSP key, verified.")
    if isinstance(house.token, TokenPool):
        house.token.login()
        out = _gauge("portseal_token_left_out", "1: of several, not used now.", "token", "code")
        for token, code in house.token.left_out.items():
            out.add_metric([token, code], 1)
        yield out
    started = time.perf_counter()
    house.token.key(OCSP).self_test()
    took.add_metric([], time.perf_counter() - started)
    yield took


_PARTS: dict[str, _Part] = {
    "database": _queues,
    "certificates": _certificates,
    "lists": _lists,
    "clock": _clock,
    "nodes": _nodes,
    "journal": _journal,
    "console": _console,
    "token": _token,
}
