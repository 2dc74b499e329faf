"""What waits is delivered by several nodes, each message once, though one of them dies in it.

Real nodes, a real directory and a platform that is told of logouts. The death leaves a lease of a
minute behind, so this takes as long.
"""

import json
import os
import signal
import threading
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import pytest
from flask import Flask, request
from sqlalchemy import select

from ca.ceremonies.conduct import Conduct, Watchers
from policies.ceremony_plan import load_ceremony_plan
from portseal.sandbox.postgresql import PostgreSQL
from portseal.sandbox.slapd import Slapd
from portseal.settings import read_settings
from portseal.wiring import House, conduct_ceremony
from ra_portal.notices.channels import Channel
from records.tables import outbox
from signing_service.sso.end_notices import channel_of
from tests.bench.site import open_site
from tests.portseal.test_nodes import Cluster, at_work, wait_for
from tests.signing_service.sso.served import served
from tests.token import TokenBench

pytestmark = [pytest.mark.postgresql, pytest.mark.directory, pytest.mark.long]

_MESSAGES, _CARDS = 12, 15


class ToldPlatform:
    """Counts the logouts that reach it; holds the first until it is let go."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.held = threading.Event()
        self.let_go = threading.Event()

    def application(self, address: str) -> Flask:
        app = Flask("platform")

        @app.post("/logged-out")
        def logged_out() -> str:
            payload = request.form["logout_token"].split(".")[1]
            claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            first = not self.told
            self.told[claims["sid"]] += 1
            if first:
                self.held.set()
                self.let_go.wait(4)
            return ""

        return app


@contextmanager
def authority(directory: Path, tokens: TokenBench, url: str, slapd: Slapd) -> Iterator[Cluster]:
    """After a roll-over, with a directory and a spool of text messages."""
    with open_site(directory, tokens, url) as site:
        with site.settings_file.open("a") as file:
            file.write(
                f'[directory]\nurl = "{slapd.uri}"\nbind_dn = "{slapd.root_dn}"\n'
                f'password = "{slapd.password}"\nbase = "{slapd.suffix}"\n'
                f'[sms]\nspool = "{directory / "spool"}"\n'
            )
        with mock.patch.dict(os.environ, {"PORTSEAL_CONFIG": str(site.settings_file)}):
            settings = read_settings()
        site.issue(_CARDS)
        plan = load_ceremony_plan("roll-over")
        conduct_ceremony(settings, plan, Conduct("Bench", "bench"), Watchers())
        site.house.close()
        site.house = House(settings)
        cluster = Cluster(site, tokens)
        yield cluster
        cluster.close()


def test_each_message_is_delivered_once_by_whichever_node_lives(
    postgresql_server: PostgreSQL, token_bench: TokenBench, tmp_path: Path, slapd: Slapd
) -> None:
    platform = ToldPlatform()
    with ExitStack() as stack:
        url = stack.enter_context(postgresql_server.fresh_database())
        cluster = stack.enter_context(authority(tmp_path, token_bench, url, slapd))
        address = stack.enter_context(served(platform.application))
        house = cluster.house
        job = queue_everything(cluster, address)

        nodes = [stack.enter_context(cluster.worker(name)) for name in ("first", "second")]
        wait_for(platform.held.is_set, "a node tells the platform")
        doomed = at_work(cluster, "logout")[0]
        victim = next(each for each in nodes if doomed.endswith(f":{each.pid}"))
        victim.send_signal(signal.SIGKILL)
        platform.let_go.set()

        wait_for(lambda: not waiting(house), "everything is delivered")
        wait_for(lambda: house.reissue.unfinished() == [], "the re-issue is done")
        wait_for(lambda: doomed not in cluster.nodes(), "the dead node is forgotten")

        recorded = attempts(house)
        assert len(recorded[channel_of("platform")]) == _MESSAGES
        assert len(recorded[Channel.SMS.queue]) == _MESSAGES
        assert len(recorded["directory"]) >= 2 * _CARDS
        for channel, counts in recorded.items():
            assert set(counts) == {1}, f"{channel}: a delivery was recorded by two"
        assert len(platform.told) == _MESSAGES
        assert sorted(platform.told.values()) == [1] * (_MESSAGES - 1) + [2]
        assert len(list((tmp_path / "spool").glob("*.txt"))) == _MESSAGES
        done = house.reissue.progress(job)
        assert done.total == done.reissued >= _CARDS
        assert cluster.runs().keys() >= {"logout", "notices", "publish", "reissue"}
        with house.database.reading() as connection:
            assert house.journal.verify(connection).intact


def queue_everything(cluster: Cluster, address: str) -> str:
    """Logouts, notices and a re-issue, beside the certificates that wait for the directory; the
    re-issue's job."""
    house = cluster.house
    house.sso.platforms.register_platform(
        "平台",
        [f"{address}/callback"],
        actor="test",
        client_id="platform",
        backchannel_logout_uri=f"{address}/logged-out",
    )
    logouts = [
        {"client_id": "platform", "sid": f"{number:032}", "sub": f"op-{number}"}
        for number in range(_MESSAGES)
    ]
    with house.database.transaction() as connection:
        house.outbox.put_many(connection, channel_of("platform"), logouts)
        for number in range(_MESSAGES):
            assert house.portal.notices.put(
                connection,
                Channel.SMS,
                f"1390000{number:04}",
                "card-expires",
                {"card": f"OP-2026-{number:04}", "days": "30", "date": "2026-12-29"},
                about=f"OP-2026-{number:04}",
            )
    return house.reissue.plan("issuing", "issuing-2", "test")


def waiting(house: House) -> int:
    with house.database.reading() as connection:
        return sum(count for _, count, _ in house.outbox.queues(connection))


def attempts(house: House) -> dict[str, list[int]]:
    """Recorded deliveries of each message, by channel."""
    found: dict[str, list[int]] = {}
    with house.database.reading() as connection:
        for row in connection.execute(select(outbox.c.channel, outbox.c.attempts)):
            found.setdefault(row.channel, []).append(row.attempts)
    return found
