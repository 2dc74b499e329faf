"""Issuing and OCSP on two tokens: one is killed or hangs under load, and nobody is refused."""

import secrets
import signal
import threading
import time
from pathlib import Path

import pytest

from ca.ocsp.messages import single_request
from ca.ocsp.responder import OcspResponder
from hsm.pool import TokenPool
from policies.ceremony_plan import DIRECTORY
from records.database import Database
from tests.ca.world import World, new_clock, open_world
from tests.servers.token_server import Told, two_servers

_CEREMONY = """
from pathlib import Path
from records.database import Database, metadata
from tests.ca.world import ceremony_of, new_clock
from tests.database import load_all_tables
load_all_tables()
database = Database("sqlite:///{directory}/portseal.db")
metadata.create_all(database.engine)
ceremony_of(one, database, new_clock(), plan=Path("{directory}/plan.toml")).run()
"""


def plan_that_can_be_copied(directory: Path) -> None:
    text = (DIRECTORY / "house.toml").read_text()
    for kind in ("[[key]]", "[[secret]]"):
        text = text.replace(kind, f'{kind}\nexport = "wrapped"')
    (directory / "plan.toml").write_text(text)


class Requests:
    """Issuing and OCSP from threads of their own, until told to stop; none may be refused."""

    def __init__(self, world: World) -> None:
        self._world = world
        opened = world.authorities.ocsp
        self._issuer = world.authorities.issuing_key.certificate
        self._responder = OcspResponder(
            "issuing", self._issuer, opened.key, opened.certificate, world.database, world.clock
        )
        self._stop = threading.Event()
        self.failures: list[str] = []
        self.counts = {"issued": 0, "answered": 0}

    def __enter__(self) -> "Requests":
        work = (self._issue, self._answer, self._answer)
        self._threads = [threading.Thread(target=self._repeat, args=(each,)) for each in work]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, work: object) -> None:
        while not self._stop.is_set():
            try:
                work()  # type: ignore[operator]
            except Exception as failure:
                self.failures.append(repr(failure))

    def _issue(self) -> None:
        self._world.issue()
        self.counts["issued"] += 1

    def _answer(self) -> None:
        """Of a serial number that nobody asked for: signed now, from no cache."""
        answer = self._responder.answer(single_request(secrets.randbits(150), self._issuer))
        assert answer.this_update is not None
        self.counts["answered"] += 1

    def go_on(self) -> None:
        """Wait for more of both."""
        wanted = {name: count + 10 for name, count in self.counts.items()}
        deadline = time.monotonic() + 60
        while any(self.counts[name] < count for name, count in wanted.items()):
            assert time.monotonic() < deadline, self.failures[:3]
            time.sleep(0.01)


@pytest.mark.long
def test_no_request_fails_while_a_token_of_two_is_killed_or_hangs_and_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsm.module._RELOAD_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr("hsm.failover._LONGEST_PAUSE", 0.4)
    plan_that_can_be_copied(tmp_path)
    told = Told()
    with two_servers(tmp_path, _CEREMONY.format(directory=tmp_path)) as servers:
        pool = TokenPool([server.open(limit_seconds=2.0) for server in servers], told)
        database = Database(f"sqlite:///{tmp_path}/portseal.db")
        world = open_world(pool, database, new_clock())
        with Requests(world) as load:
            load.go_on()
            for server in servers:
                server.kill()
                told.await_left_out(server.label)
                load.go_on()
                server.start()
                told.await_return(server.label)
                load.go_on()
            servers[0].signal(signal.SIGSTOP)
            assert told.await_left_out(servers[0].label) == "token.timeout"
            load.go_on()
            servers[0].signal(signal.SIGCONT)
            told.await_return(servers[0].label)
            load.go_on()
        assert load.failures == []
        pool.close()
        database.dispose()
