"""Several nodes on one database: each due job is run by one of them, and outlives it.

DBOS keeps the runs in the database (decision 0026): a run that is due is put into a queue, one at
a time for each job whoever puts it there; one node takes it; and the run of a node that gives no
sign of life any more is given to another. What a run does is its own to make safe: each job
resumes from the records.
"""

import logging
import sqlite3
import threading
import time
from datetime import timedelta

from dbos import DBOS, DBOSConfig, DBOSConfiguredInstance, SetEnqueueOptions
from dbos import error as dbos_error
from sqlalchemy import make_url

from kernel.refusals import Refusal
from portseal.wiring import House
from portseal.worker import Worker
from records import heartbeat
from records.events import Event

_log = logging.getLogger("portseal.worker")

TICK_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0
"""Between two signs of life, at most."""
HISTORY = timedelta(hours=6)
"""For which ended runs are kept."""
_HISTORY_PAUSE_SECONDS = 600.0
_SCHEMA = "portseal_jobs"
_INSTANCE = "node"
_TOKEN_QUEUE, _PLAIN_QUEUE = "token-jobs", "jobs"
"""Apart, so that publication goes on while the token is at work or away."""
_STOP_SECONDS = 10


class Silence:
    """Who has not been heard of for too long, by this process's own steady clock."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._heard: dict[str, tuple[object, float]] = {}

    def broken_off(self, beats: dict[str, object], now: float) -> list[str]:
        """Nodes whose sign of life has not changed for so long. `now`: monotonic seconds."""
        for node, sign in beats.items():
            if self._heard.get(node, (None,))[0] != sign:
                self._heard[node] = (sign, now)
        self._heard = {node: self._heard[node] for node in beats}
        return [node for node, (_, at) in self._heard.items() if now - at > self._seconds]


@DBOS.dbos_class()
class Node(DBOSConfiguredInstance):
    """This process as one of the nodes; one for a process."""

    def __init__(self, house: House, worker: Worker) -> None:
        super().__init__(_INSTANCE)
        self._house = house
        self._worker = worker
        plan = house.settings.nodes
        self._silence = Silence(plan.silence_seconds)
        self._beat_seconds = min(HEARTBEAT_SECONDS, plan.silence_seconds / 3)
        self._beat_at = self._tidy_at = float("-inf")

    @DBOS.workflow(name="portseal-job")
    def job(self, name: str, number: int) -> bool:
        """One run of one job; begun anew on another node when this one dies in it."""
        return self._worker.run_due(name, number)

    def run(self, stop: threading.Event) -> None:
        """Take part until `stop` is set; what is being done then is finished, if it is quick.

        Raises Unavailable when the database does not answer at the start.
        """
        self._worker.beat()  # whoever finds our runs must find us, too
        DBOS(config=self._configuration())
        DBOS.launch()
        for name in (_TOKEN_QUEUE, _PLAIN_QUEUE):
            DBOS.register_queue(name, worker_concurrency=1, polling_interval_sec=0.25)
        try:
            while not stop.is_set():
                try:
                    self._tick()
                except Refusal as refusal:
                    _log.warning("the schedule waits: %s", refusal)
                except Exception:  # noqa: BLE001 - the engine's own troubles, which pass
                    _log.exception("the schedule waits")
                stop.wait(TICK_SECONDS)
        finally:
            DBOS.destroy(workflow_completion_timeout_sec=_STOP_SECONDS)
            with self._house.database.transaction() as connection:
                heartbeat.forget(connection, self._worker.node)

    def _configuration(self) -> DBOSConfig:
        url = make_url(self._house.settings.database.url.get_secret_value())
        if url.get_backend_name() == "sqlite":
            # A file of its own: the engine's small writes do not wait for ours, nor ours for them.
            file = f"{url.database}-jobs"
            with sqlite3.connect(file) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            connection.close()
            url = url.set(database=file)
        return {
            "name": "portseal",
            "system_database_url": url.render_as_string(hide_password=False),
            "dbos_system_schema": _SCHEMA,
            "executor_id": self._worker.node,
            "application_version": "1",
            "sys_db_pool_size": 4,
            "log_level": "WARNING",
            "enable_otlp": False,
        }

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._beat_at >= self._beat_seconds:
            self._worker.beat()
            self._beat_at = now
            self._take_over(now)
        for job, number in self._worker.due():
            queue = _TOKEN_QUEUE if job.needs_token else _PLAIN_QUEUE
            try:
                with SetEnqueueOptions(deduplication_id=job.name):
                    DBOS.enqueue_workflow(queue, self.job, job.name, number)
            except dbos_error.DBOSQueueDeduplicatedError:
                continue  # it waits or runs already, here or elsewhere
        if now - self._tidy_at >= _HISTORY_PAUSE_SECONDS:
            self._tidy_at = now
            self._forget_old_runs()

    def _take_over(self, now: float) -> None:
        """Give the runs of nodes that fell silent back to the queues."""
        with self._house.database.reading() as connection:
            beats = {
                each.node: each.at
                for each in heartbeat.every(connection)
                if each.node != self._worker.node
            }
        for node in self._silence.broken_off(dict(beats), now):
            runs = DBOS.list_workflows(status="PENDING", executor_id=node, load_output=False)
            for run in runs:
                DBOS.resume_workflow(run.workflow_id, queue_name=run.queue_name)
            with self._house.database.transaction() as connection:
                if heartbeat.forget(connection, node):
                    self._house.journal.append(
                        connection,
                        Event.NODE_LOST,
                        subject=node,
                        actor=f"worker:{self._worker.node}",
                        runs=len(runs),
                    )
            _log.warning("node %s is silent; %d of its runs are taken over", node, len(runs))

    def _forget_old_runs(self) -> None:
        before = (self._house.clock.now() - HISTORY).isoformat()
        old = DBOS.list_workflows(
            completed_before=before, limit=10_000, load_input=False, load_output=False
        )
        if old:
            DBOS.delete_workflows([run.workflow_id for run in old])
