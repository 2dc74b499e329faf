"""Challenges: bound to one browser, good once, for a while, in bounded number."""

import base64
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from kernel.clock import FixedClock
from kernel.refusals import Unauthenticated
from records.database import Database
from signing_service.sso.challenges import Challenges
from signing_service.sso.services import SsoServices
from signing_service.sso.tables import challenges as table
from tests.signing_service.sso.cards import ORIGIN, take_many

BROWSER, OTHER_BROWSER = "a" * 43, "b" * 43


@pytest.fixture
def challenges(
    any_database: Database, make_services: Callable[[Database], SsoServices]
) -> Challenges:
    with any_database.transaction() as connection:
        connection.execute(table.delete())
    return make_services(any_database).challenges


def outstanding(database: Database) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_nonce_has_256_random_bits_and_names_our_origin(challenges: Challenges) -> None:
    first, second = challenges.issue(BROWSER), challenges.issue(BROWSER)
    assert len(base64.b64decode(first.nonce, validate=True)) == 32
    assert first.nonce != second.nonce
    assert first.origin == ORIGIN


def test_a_challenge_can_be_taken_once(challenges: Challenges) -> None:
    nonce = challenges.issue(BROWSER).nonce
    assert challenges.take(BROWSER, nonce).nonce == nonce
    with pytest.raises(Unauthenticated, match=r"signin\.challenge-missing"):
        challenges.take(BROWSER, nonce)


def test_without_a_nonce_the_newest_is_taken(challenges: Challenges, clock: FixedClock) -> None:
    challenges.issue(BROWSER)
    clock.advance(timedelta(seconds=1))
    newest = challenges.issue(BROWSER).nonce
    assert challenges.take(BROWSER).nonce == newest


@pytest.mark.parametrize("thief", [OTHER_BROWSER, None])
def test_another_browser_cannot_take_a_challenge(challenges: Challenges, thief: str | None) -> None:
    nonce = challenges.issue(BROWSER).nonce
    with pytest.raises(Unauthenticated, match=r"signin\.challenge-missing"):
        challenges.take(thief, nonce)
    assert challenges.take(BROWSER, nonce).nonce == nonce


@pytest.mark.parametrize("nonce", ["", "\0", "\ud800", "n" * 44, "n" * 10_000])
def test_what_is_no_nonce_is_no_challenge(challenges: Challenges, nonce: str) -> None:
    challenges.issue(BROWSER)
    with pytest.raises(Unauthenticated, match=r"signin\.challenge-missing"):
        challenges.take(BROWSER, nonce)


def test_a_challenge_expires_after_five_minutes(challenges: Challenges, clock: FixedClock) -> None:
    nonce = challenges.issue(BROWSER).nonce
    clock.advance(timedelta(minutes=5))
    with pytest.raises(Unauthenticated, match=r"signin\.challenge-expired"):
        challenges.take(BROWSER, nonce)


def test_expired_challenges_are_purged(
    challenges: Challenges, clock: FixedClock, any_database: Database
) -> None:
    for _ in range(3):
        challenges.issue(BROWSER)
    clock.advance(timedelta(minutes=6))
    challenges.issue(OTHER_BROWSER)
    challenges.tidy()
    assert outstanding(any_database) == 1


def test_a_browser_holds_five_challenges_and_the_oldest_makes_room(
    challenges: Challenges, clock: FixedClock, any_database: Database
) -> None:
    first = challenges.issue(BROWSER).nonce
    for _ in range(5):
        clock.advance(timedelta(seconds=1))
        latest = challenges.issue(BROWSER).nonce
    assert outstanding(any_database) == 5
    with pytest.raises(Unauthenticated, match=r"signin\.challenge-missing"):
        challenges.take(BROWSER, first)
    assert challenges.take(BROWSER, latest).nonce == latest


def test_of_two_processes_that_race_for_a_nonce_one_gets_it(
    any_database: Database,
    make_services: Callable[..., SsoServices],
    clock: FixedClock,
) -> None:
    many = make_services(any_database, challenges_per_browser=1000).challenges
    nonces = [many.issue(BROWSER).nonce for _ in range(40)]
    url = any_database.engine.url.render_as_string(hide_password=False)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        races = [pool.submit(take_many, url, BROWSER, nonces, clock.now()) for _ in range(2)]
        taken = [nonce for race in races for nonce in race.result(timeout=60)]
    assert sorted(taken) == sorted(nonces)
