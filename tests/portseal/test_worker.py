"""The worker: a job that fails, however it fails, does not hold up the others."""

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from ldap3 import Connection, Server

from hsm.admin import initialise_token
from kernel.asn1.certificate import Certificate
from kernel.identifiers import serial_text
from kernel.refusals import Unavailable
from portseal.jobs import JOBS
from portseal.settings import DatabaseSettings, Settings, TokenSettings, WebSettings
from portseal.wiring import House
from portseal.worker import Worker
from records.database import Database
from tests.portseal.service import RunningService
from tests.token import TokenBench

PIN = "right-73519"


@pytest.fixture
def house(token_bench: TokenBench, database: Database, tmp_path: Path) -> Iterator[House]:
    """With a database, and a token that is named but not plugged in."""
    pin_file = tmp_path / "pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text(PIN)
    made = House(
        Settings(
            data_directory=tmp_path,
            web=WebSettings(secret_key="0123456789abcdef0123456789abcdef"),
            database=DatabaseSettings(url=f"sqlite:///{database.engine.url.database}"),
            token=TokenSettings(module=token_bench.module, label="absent", pin_file=pin_file),
        )
    )
    yield made
    made.close()


def test_jobs_without_the_token_go_on_while_it_is_away(house: House) -> None:
    done = Worker(house).round()
    told = dict(each.split(": ") for each in done.failures)
    assert {"reconcile", "expire", "sessions", "crl", "ocsp", "responders"} <= told.keys()
    assert set(told.values()) == {"token.missing"}
    assert not {"publish", "mass revocation", "archive-sweep"} & told.keys()


def test_an_error_that_nobody_foresaw_is_logged_with_its_trace(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.__dict__["mass_revocation"] = object()
    with caplog.at_level(logging.ERROR):
        done = Worker(house).round()
    assert "mass revocation: AttributeError" in done.failures
    assert any(f.startswith("reconcile: ") for f in done.failures)
    assert any(each.exc_info for each in caplog.records)


def test_a_job_that_failed_rests_until_somebody_asks(house: House) -> None:
    tries = []

    class Failing:
        def unfinished(self) -> list[str]:
            tries.append(1)
            raise RuntimeError

    house.__dict__["mass_revocation"] = Failing()
    worker = Worker(house)
    for _ in range(3):
        assert "mass revocation: RuntimeError" in worker.round().failures
    assert len(tries) == 1
    worker.round(at_once=True)
    assert len(tries) == 2


class Failing:
    """One of several authorities, whose work fails."""

    def __init__(self, code: str) -> None:
        self._code = code

    def renew(self, pause: object) -> list[object]:
        raise Unavailable(self._code, "it fails")

    def rotate_if_due(self) -> bool:
        raise Unavailable(self._code, "it fails")

    def run(self, limit: int) -> int:
        raise Unavailable(self._code, "it fails")


class Working:
    def __init__(self) -> None:
        self.done = 0

    def renew(self, pause: object) -> list[object]:
        self.done += 1
        return [self]

    def rotate_if_due(self) -> bool:
        self.done += 1
        return True

    def run(self, limit: int) -> int:
        self.done += 1
        return 1


def test_one_authority_that_fails_holds_up_no_other(house: House) -> None:
    last = Working()
    for code, tried in (("ocsp.expired", 3), ("token.pin-wrong", 0)):
        each = (Failing(code), last)
        house.__dict__.update(crl_issuers=each, ocsp_ahead=each)
        house.__dict__["responder_keys"] = dict(enumerate(each))
        last.done = 0
        jobs = [job for job in JOBS if job.name in ("crl", "ocsp", "responders")]
        told = {each.partition(":")[0] for each in Worker(house, jobs).round(at_once=True).failures}
        assert told == {"crl", "ocsp", "responders"}
        assert last.done == tried, "but a token that refused the PIN is not tried again"


def test_a_wrong_pin_is_tried_once(
    house: House, token_bench: TokenBench, caplog: pytest.LogCaptureFixture
) -> None:
    label = "worker-wrong-pin"
    initialise_token(token_bench.module, label, so_pin="so-pin-62840", pin="other-73519")
    named = house.settings.token.model_copy(update={"label": label})
    mistaken = House(house.settings.model_copy(update={"token": named}))
    worker = Worker(mistaken)
    with caplog.at_level(logging.WARNING):
        for at_once in (False, False, True):
            assert "reconcile: token.pin-wrong" in worker.round(at_once=at_once).failures
    refused = [each for each in caplog.messages if "token.pin-wrong" in each]
    assert len(refused) == 1
    mistaken.close()


@pytest.mark.long
def test_the_worker_publishes_again_what_the_directory_forgot(service: RunningService) -> None:
    """slapd took the operator's certificate, and then lost it; nothing in the outbox tells."""
    slapd, site = service.site.slapd, service.site
    assert slapd is not None
    serial = serial_text(Certificate.parse(service.stage.cards["operator"].certificate.der).serial)
    filter_ = f"(&(objectClass=pkiUser)(serialNumber={serial}))"
    site.run("worker", "--once")
    with Connection(Server(slapd.uri), slapd.root_dn, slapd.password, auto_bind=True) as directory:
        directory.search(slapd.suffix, filter_, attributes=["userCertificate;binary"])
        (entry,) = directory.entries
        published = entry["userCertificate;binary"].raw_values
        assert directory.delete(entry.entry_dn)
        assert not directory.search(slapd.suffix, filter_)
        site.run("worker", "--once")
        assert directory.search(slapd.suffix, filter_, attributes=["userCertificate;binary"])
        assert directory.entries[0]["userCertificate;binary"].raw_values == published
    query = "SELECT facts FROM journal WHERE event = 'directory.repaired' ORDER BY position DESC"
    with closing(sqlite3.connect(service.database_file)) as connection:
        (facts,) = connection.execute(query).fetchone()
    assert json.loads(facts)["missing"] == 1
