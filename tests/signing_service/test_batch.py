"""Jobs of many signatures: what is claimed, marked, given back."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from kernel.refusals import Conflict, NotFound, TooMany, Unprocessable
from records.database import Database
from records.journal import Journal
from signing_service import batch
from signing_service.batch import (
    CLAIMED_FOR,
    PAGE,
    UNSIGNED_FOR,
    Batches,
    BatchItem,
    ItemState,
)
from signing_service.validation.evidence import SignatureFormat, SignatureLevel
from tests.database import any_database

__all__ = ["any_database"]

CADES, B_T = SignatureFormat.CADES, SignatureLevel.B_T
ITEMS = [(f"{number}.xml", f"{number:064x}") for number in range(5)]


class SetClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def batches(any_database: Database, clock: SetClock) -> Batches:
    return Batches(any_database, Journal(clock), clock)


def sign(batches: Batches, database: Database, job: str, position: int, **other: Any) -> None:
    told = {"document_sha256": ITEMS[position][1], "format_": CADES, "level": B_T} | other
    with database.transaction() as connection:
        batches.mark_signed(
            connection, BatchItem(job, position), "card", signature=f"s{position}", **told
        )


def test_the_same_list_is_the_same_job(batches: Batches) -> None:
    first = batches.open("card", CADES, B_T, ITEMS)
    assert (first.total, first.waiting, first.signed) == (5, 5, 0)
    assert batches.open("card", CADES, B_T, ITEMS) == first
    others = [
        batches.open("other", CADES, B_T, ITEMS),
        batches.open("card", CADES, SignatureLevel.B_LT, ITEMS),
        batches.open("card", CADES, B_T, ITEMS[:4]),
        batches.open("card", CADES, B_T, ITEMS[::-1]),
    ]
    assert len({first.id, *(each.id for each in others)}) == 5


def test_items_are_claimed_once_until_they_are_given_back(
    batches: Batches, clock: SetClock
) -> None:
    job = batches.open("card", CADES, B_T, ITEMS).id
    assert [item.position for item in batches.claim(job, "card", 3)] == [0, 1, 2]
    assert [item.position for item in batches.claim(job, "card", 3)] == [3, 4]
    assert batches.claim(job, "card", 3) == []
    assert len(batches.claim(job, "card", 9, release=True)) == 5
    clock.time += CLAIMED_FOR + timedelta(seconds=1)
    assert len(batches.claim(job, "card", 9)) == 5


def test_what_is_signed_or_refused_is_done(batches: Batches, any_database: Database) -> None:
    job = batches.open("card", CADES, B_T, ITEMS).id
    batches.claim(job, "card", 3)
    sign(batches, any_database, job, 0)
    batches.refuse(BatchItem(job, 1), "card", "right.missing")
    progress = batches.progress(job, "card")
    assert (progress.signed, progress.refused, progress.claimed, progress.waiting) == (1, 1, 1, 2)
    assert [item.position for item in batches.claim(job, "card", 9, release=True)] == [2, 3, 4]
    (signed,) = batches.outcomes(job, "card", ItemState.SIGNED)
    assert (signed.name, signed.outcome) == ("0.xml", "s0")
    (refused,) = batches.outcomes(job, "card", ItemState.REFUSED)
    assert (refused.name, refused.outcome) == ("1.xml", "right.missing")


def test_nothing_is_marked_twice_or_unclaimed(batches: Batches, any_database: Database) -> None:
    job = batches.open("card", CADES, B_T, ITEMS).id
    with pytest.raises(Conflict, match=r"batch\.not-claimed"):
        sign(batches, any_database, job, 0)
    batches.claim(job, "card", 1)
    sign(batches, any_database, job, 0)
    with pytest.raises(Conflict, match=r"batch\.not-claimed"):
        sign(batches, any_database, job, 0)
    with pytest.raises(Conflict, match=r"batch\.not-claimed"):
        batches.refuse(BatchItem(job, 0), "card", "late")


@pytest.mark.parametrize(
    "other",
    [
        {"document_sha256": "f" * 64},
        {"format_": SignatureFormat.XADES},
        {"level": SignatureLevel.B_B},
    ],
)
def test_another_document_format_or_level_is_refused(
    batches: Batches, any_database: Database, other: dict[str, Any]
) -> None:
    job = batches.open("card", CADES, B_T, ITEMS).id
    batches.claim(job, "card", 1)
    with pytest.raises(Unprocessable, match=r"batch\.other-document"):
        sign(batches, any_database, job, 0, **other)
    assert batches.progress(job, "card").signed == 0


def test_strangers_find_no_job(batches: Batches) -> None:
    job = batches.open("card", CADES, B_T, ITEMS).id
    with pytest.raises(NotFound, match=r"batch\.not-found"):
        batches.claim(job, "other", 1)
    with pytest.raises(NotFound, match=r"batch\.not-found"):
        batches.progress("0" * 32, "card")


def test_a_card_has_few_jobs_open_and_what_is_done_makes_room(
    batches: Batches, any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MAX_OPEN_JOBS", 2)
    first = batches.open("card", CADES, B_T, ITEMS[:1])
    batches.open("card", CADES, B_T, ITEMS[:2])
    assert batches.open("card", CADES, B_T, ITEMS[:1]) == first
    with pytest.raises(TooMany, match=r"batch\.too-many-open"):
        batches.open("card", CADES, B_T, ITEMS)
    batches.open("other", CADES, B_T, ITEMS)
    batches.claim(first.id, "card", 1)
    sign(batches, any_database, first.id, 0)
    batches.open("card", CADES, B_T, ITEMS[:3])
    monkeypatch.setattr(batch, "MAX_OPEN_JOBS", 100)
    monkeypatch.setattr(batch, "MAX_OPEN_ITEMS", 9)
    with pytest.raises(TooMany, match=r"batch\.too-many-open"):
        batches.open("card", CADES, B_T, ITEMS)
    batches.open("card", CADES, B_T, ITEMS[:4])


def test_two_who_open_one_list_at_once_have_one_job(
    postgresql_database: Database, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(clock)
    batches, append = Batches(postgresql_database, journal, clock), journal.append
    inserted, goes_on = threading.Event(), threading.Event()

    def held(*arguments: Any, **facts: Any) -> None:
        inserted.set()  # and not committed
        assert goes_on.wait(10)
        append(*arguments, **facts)

    monkeypatch.setattr(journal, "append", held)
    waits = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(batches.open, "card", CADES, B_T, ITEMS)
        assert inserted.wait(10)
        second = pool.submit(batches.open, "card", CADES, B_T, ITEMS)
        with postgresql_database.engine.connect() as onlooker:
            while not second.done() and not onlooker.execute(waits).scalar_one():
                onlooker.rollback()
        goes_on.set()
        assert first.result(10) == second.result(10)


def test_jobs_of_which_nothing_was_signed_are_forgotten(
    batches: Batches, any_database: Database, clock: SetClock
) -> None:
    invented = batches.open("card", CADES, B_T, ITEMS)
    refused = batches.open("card", CADES, B_T, ITEMS[:2])
    signed = batches.open("card", CADES, B_T, ITEMS[:3])
    for job in (refused, signed):
        batches.claim(job.id, "card", 1)
    batches.refuse(BatchItem(refused.id, 0), "card", "test.refused")
    sign(batches, any_database, signed.id, 0)
    clock.time += UNSIGNED_FOR
    recent = batches.open("card", CADES, B_T, ITEMS[:4])
    clock.time += timedelta(seconds=1)
    assert batches.remove_unsigned() == 2
    for job in (invented, refused):
        with pytest.raises(NotFound):
            batches.progress(job.id, "card")
    assert batches.progress(signed.id, "card").signed == 1
    assert batches.progress(recent.id, "card").waiting == 4


def test_a_job_that_is_signed_while_it_is_removed_stays_whole(
    postgresql_database: Database, clock: SetClock
) -> None:
    batches = Batches(postgresql_database, Journal(clock), clock)
    job = batches.open("card", CADES, B_T, ITEMS)
    clock.time += UNSIGNED_FOR + timedelta(seconds=1)
    batches.claim(job.id, "card", 1)
    waits = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with ThreadPoolExecutor(1) as pool:
        with postgresql_database.transaction() as connection:
            batches.mark_signed(
                connection, BatchItem(job.id, 0), "card", signature="s0",
                document_sha256=ITEMS[0][1], format_=CADES, level=B_T,
            )  # fmt: skip
            removing = pool.submit(batches.remove_unsigned)
            with postgresql_database.engine.connect() as onlooker:
                while not removing.done() and not onlooker.execute(waits).scalar_one():
                    onlooker.rollback()
        assert removing.result(10) == 0
    assert (batches.progress(job.id, "card").signed, job.total) == (1, 5)
    assert batches.progress(job.id, "card").waiting == 4


def test_ten_thousand_items_come_in_pages(batches: Batches, any_database: Database) -> None:
    items = [(f"{number}.xml", f"{number:064x}") for number in range(10_000)]
    job = batches.open("card", CADES, B_T, items).id
    claimed = batches.claim(job, "card", 10_000)
    assert len(claimed) == 100, "a claim is bounded"
    with any_database.transaction() as connection:
        connection.exec_driver_sql("UPDATE batch_items SET state = 'signed', outcome = 'x'")
    page = batches.outcomes(job, "card", ItemState.SIGNED)
    assert len(page) == PAGE
    following = batches.outcomes(job, "card", ItemState.SIGNED, after=page[-1].position)
    assert following[0].position == PAGE
    assert batches.progress(job, "card").signed == 10_000
