"""Keys that sign often: each use is in the journal's account, and without the journal none is."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import pytest

from hsm.token import Token
from hsm.token_key import TokenKey
from kernel.algorithms import ECDSA_P256_SHA256
from kernel.clock import Clock, SystemClock
from kernel.refusals import Unavailable
from portseal.sandbox.postgresql import PostgreSQL
from records.database import Database, metadata
from records.journal import Journal, Record, records
from records.key_uses import AccountedKey, KeyUses
from tests.ca.test_unwritable_journal import full, read_only, unwritable
from tests.database import load_all_tables

_PERIOD = 0.1
_LIMIT = timedelta(seconds=2)


@pytest.fixture(scope="module")
def key(authority_token: Token) -> TokenKey:
    return authority_token.generate("often-used", ECDSA_P256_SHA256)


def uses_of(database: Database, clock: Clock | None = None) -> KeyUses:
    clock = clock or SystemClock()
    return KeyUses(database, Journal(clock, _LIMIT), clock, _PERIOD)


def accounts(database: Database) -> list[Record]:
    with database.reading() as connection:
        return records(connection, "timestamps")


def facts(record: Record) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(record.facts)
    return told


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def has_ended(database: Database) -> bool:
    told = accounts(database)
    return bool(told) and facts(told[-1]).get("ends") is True


def counted(database: Database) -> int:
    return sum(facts(each).get("count", 0) for each in accounts(database))


class Signers:
    """Two threads that sign for as long as the block lasts."""

    def __init__(self, key: AccountedKey) -> None:
        self._key = key
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.signed = self.refused = 0
        self.codes: set[str] = set()
        self._threads = [threading.Thread(target=self._sign) for _ in range(2)]

    def __enter__(self) -> "Signers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _sign(self) -> None:
        while not self._stop.is_set():
            try:
                self._key.sign(b"x")
            except Unavailable as refusal:
                with self._lock:
                    self.refused += 1
                    self.codes.add(refusal.code)
                self._stop.wait(0.01)
            else:
                with self._lock:
                    self.signed += 1

    def go_on(self) -> None:
        wanted = self.signed + 20
        wait_until(lambda: self.signed >= wanted)

    def are_refused(self) -> None:
        """Until not one signature more is made."""
        wanted = self.refused + 20
        wait_until(lambda: self.refused >= wanted)
        before = self.signed
        wait_until(lambda: self.refused >= wanted + 20)
        assert self.signed == before


def test_a_use_is_announced_before_it_is_made_and_accounted_for_after(
    any_database: Database, key: TokenKey
) -> None:
    accounted = uses_of(any_database).of(key, "timestamps")
    before: list[int] = []

    def sign(message: bytes) -> bytes:
        before.append(len(accounts(any_database)))
        return key.sign(message)

    accounted._key = type("Watched", (), {"sign": staticmethod(sign)})()
    signatures = [accounted.sign(b"first"), accounted.sign(b"second")]
    assert before[0] == 1
    wait_until(lambda: has_ended(any_database))
    opened, *used = accounts(any_database)
    assert (opened.event, {each.event for each in used}) == ("key.use-opened", {"key.used"})
    assert facts(opened)["key"] == key.public_key.fingerprint
    assert counted(any_database) == facts(used[-1])["total"] == 2
    chain = bytes(32)
    for signature in signatures:
        chain = hashlib.sha256(chain + signature).digest()
    assert facts(used[-1])["chain"] == chain.hex()
    assert datetime.fromisoformat(facts(used[0])["since"]) <= datetime.fromisoformat(
        facts(used[-1])["until"]
    )
    assert len({facts(each)["process"] for each in (opened, *used)}) == 1


def test_after_a_rest_the_key_is_opened_anew_and_while_it_rests_nothing_is_written(
    database: Database, key: TokenKey
) -> None:
    accounted = uses_of(database).of(key, "timestamps")
    for number in (1, 2):
        accounted.sign(b"x")
        wait_until(lambda: has_ended(database))
        opened = [each for each in accounts(database) if each.event == "key.use-opened"]
        assert len(opened) == number
    assert counted(database) == 2
    assert not [each for each in threading.enumerate() if each.name == "key uses"]


def test_the_account_is_exact_under_load_and_closing_settles_it(
    any_database: Database, key: TokenKey
) -> None:
    uses = uses_of(any_database)
    with Signers(uses.of(key, "timestamps")) as signers:
        for _ in range(3):
            signers.go_on()
    uses.close()
    assert has_ended(any_database)
    assert counted(any_database) == signers.signed
    assert signers.refused == 0


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (unwritable, "journal.unwritable"),
        (read_only, "database.unavailable"),
        (full, "database.unavailable"),
    ],
)
def test_without_the_journal_nothing_is_signed_and_afterwards_nothing_is_missing(
    database: Database,
    key: TokenKey,
    fault: Callable[[Database], AbstractContextManager[None]],
    code: str,
) -> None:
    uses = uses_of(database)
    with Signers(uses.of(key, "timestamps")) as signers:
        signers.go_on()
        with fault(database):
            signers.are_refused()
        signers.go_on()
    uses.close()
    assert signers.codes == {code}
    assert counted(database) == signers.signed
    with database.reading() as connection:
        assert Journal(SystemClock()).verify(connection).intact


@pytest.fixture
def own_server() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@pytest.mark.long
def test_without_postgresql_nothing_is_signed_until_it_is_back(
    own_server: PostgreSQL, key: TokenKey
) -> None:
    load_all_tables()
    with own_server.fresh_database() as url:
        database = Database(url)
        metadata.create_all(database.engine)
        uses = uses_of(database)
        with Signers(uses.of(key, "timestamps")) as signers:
            signers.go_on()
            own_server.stop()
            signers.are_refused()
            own_server.start()
            signers.go_on()
        uses.close()
        assert signers.codes == {"database.unavailable"}
        assert counted(database) == signers.signed
        database.dispose()


class Shifted:
    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead


def test_with_another_time_than_the_other_nodes_nothing_is_signed(
    fresh_postgresql_url: str, key: TokenKey
) -> None:
    load_all_tables()
    database, clock = Database(fresh_postgresql_url), Shifted()
    metadata.create_all(database.engine)
    uses = uses_of(database, clock)
    with Signers(uses.of(key, "timestamps")) as signers:
        signers.go_on()
        clock.ahead = timedelta(seconds=10)
        signers.are_refused()
        clock.ahead = timedelta(0)
        signers.go_on()
    uses.close()
    assert signers.codes == {"clock.apart"}
    assert counted(database) == signers.signed
    database.dispose()


def test_an_answer_pays_next_to_nothing_for_it(database: Database, key: TokenKey) -> None:
    """In processor time, beside one verification in software, which takes some 100 microseconds."""
    signature = key.sign(b"x")
    signing = type("Free", (), {"sign": staticmethod(lambda message: signature)})()
    uses = KeyUses(database, Journal(SystemClock()), SystemClock(), 5.0)
    accounted = uses.of(key, "timestamps")
    accounted._key = signing
    accounted.sign(b"x")

    def seconds(work: Callable[[], object], times: int) -> float:
        begun = time.thread_time()
        for _ in range(times):
            work()
        return (time.thread_time() - begun) / times

    verifying = seconds(lambda: key.public_key.verify(key.suite, signature, b"x"), 200)
    assert seconds(lambda: accounted.sign(b"x"), 5000) < verifying / 5
    uses.close()
