"""Years after a roll-over the old authority ends: the worker goes on for the others."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ca.crl.archive import CrlArchive
from ca.inventory import Inventory
from kernel.clock import FixedClock
from portseal.jobs import JOBS
from portseal.settings import DatabaseSettings, Settings, TokenSettings, WebSettings
from portseal.status import status_of
from portseal.wiring import House
from portseal.worker import Worker
from records.database import Database
from records.journal import records
from tests.ca.world import ceremony_of
from tests.token import TokenBench

_LABEL = "ended-and-not"


@pytest.fixture
def house(token_bench: TokenBench, database: Database, tmp_path: Path) -> Iterator[House]:
    """Of a ceremony in 2019 and a roll-over in 2030; the first authority ends in 2034."""
    token = token_bench.new_token(_LABEL)
    for year, plan in ((2019, "house"), (2030, "roll-over")):
        clock = FixedClock(datetime(year, 1, 1, tzinfo=UTC))
        ceremony_of(token, database, clock, plan=plan).run()
    made = House(
        Settings(
            data_directory=tmp_path,
            web=WebSettings(secret_key="0123456789abcdef0123456789abcdef"),
            database=DatabaseSettings(url=f"sqlite:///{database.engine.url.database}"),
            token=TokenSettings(
                module=token_bench.module,
                label=_LABEL,
                pin_variable=token_bench.pin_variable(_LABEL),
            ),
        ),
        clock,
    )
    yield made
    made.close()
    token.close()


def test_the_worker_goes_on_for_those_that_have_not_ended(house: House) -> None:
    clock = house.clock
    assert isinstance(clock, FixedClock)
    jobs = [job for job in JOBS if job.name in ("responders", "crl", "ocsp")]
    old, new = (house.authorities[name].own.certificate for name in ("issuing", "issuing-2"))
    clock.advance(old.not_after - clock.now() + timedelta(days=100))
    assert clock.now() < new.not_after
    assert Worker(house, jobs).round(at_once=True).failures == ()
    lists = CrlArchive(house.database)
    assert lists.latest("issuing-2") is not None
    assert lists.latest("issuing") is None, "it ended before this worker began"
    made = [
        each.authority
        for label in house.token.key_labels()
        for each in Inventory(house.database).by_reference(f"responder:{label}")
    ]
    assert sorted(made) == ["issuing-2", "root", "root-2"]
    with house.database.reading() as connection:
        told = {each.event for each in records(connection, "issuing")}
    assert "crl.refused" not in told

    told_of = status_of(house)
    assert not told_of["crls"].startswith("not in order")
    assert "issuing: ended, no more lists" in told_of["crls"]
    assert "issuing 20" not in told_of["authority"], "its end is no news any more"
