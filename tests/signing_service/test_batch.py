"""Jobs of many signatures: what is claimed, marked, given back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kernel.refusals import Conflict, NotFound, Unprocessable
from records.database import Database
from records.journal import Journal
from signing_service.batch import CLAIMED_FOR, PAGE, Batches, BatchItem, ItemState
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
