"""Activation data: short-lived, and spent by exactly one of many who try."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import insert

from kernel.clock import FixedClock
from kernel.entropy import SystemEntropy
from kernel.refusals import Refusal
from records.database import Database
from records.journal import Journal
from signing_service.remote.activation import SAD_SECONDS, Activations, Authorisation
from signing_service.sso.tables import platforms, sessions
from tests.ca.world import new_clock

HASHES = (b"\x01" * 32, b"\x02" * 32)
AGREED = Authorisation("platform-1", "s" * 32, "SE-2026-22222222", "sha256", HASHES)


@pytest.fixture
def clock() -> FixedClock:
    return new_clock()


@pytest.fixture
def given(any_database: Database, clock: FixedClock) -> Activations:
    now = clock.now()
    platform = {
        "client_id": AGREED.client_id, "name": "p", "redirect_uris": "[]",
        "post_logout_redirect_uris": "[]", "scopes": "service", "registered_at": now,
    }  # fmt: skip
    session = {
        "sid": AGREED.sid, "secret_hash": b"0" * 32, "subject": "e", "card": "LP-1",
        "certificate": b"", "fingerprint": "", "serial": "", "auth_time": now, "last_seen": now,
        "expires_at": now,
    }  # fmt: skip
    with any_database.transaction() as connection:
        connection.execute(insert(platforms), platform)
        connection.execute(insert(sessions), session)
    return Activations(any_database, Journal(clock), clock, SystemEntropy())


def spent(activations: Activations, sad: str) -> str:
    """The code of the refusal; empty when it was accepted."""
    try:
        activations.use(
            sad,
            client_id=AGREED.client_id,
            sid=AGREED.sid,
            credential=AGREED.credential,
            presented=lambda digest: HASHES if digest == "sha256" else (),
        )
    except Refusal as refusal:
        return refusal.code
    return ""


def test_it_is_good_until_its_last_moment(given: Activations, clock: FixedClock) -> None:
    sad = given.grant(AGREED, actor="LP-1")
    late = given.grant(AGREED, actor="LP-1")
    clock.advance(timedelta(seconds=SAD_SECONDS - 1))
    assert given.owner(sad) == (AGREED.client_id, AGREED.sid, None)
    assert spent(given, sad) == ""
    clock.advance(timedelta(seconds=1))
    assert spent(given, late) == "remote.sad-expired"
    with pytest.raises(Refusal, match=r"remote\.token"):
        given.owner(late)


def test_of_many_who_come_at_once_one_signs(given: Activations) -> None:
    sad = given.grant(AGREED, actor="LP-1")
    attempts: list[Callable[[], str]] = [lambda: spent(given, sad)] * 8
    with ThreadPoolExecutor(8) as pool:
        told = sorted(future.result() for future in [pool.submit(each) for each in attempts])
    assert told == ["", *["remote.sad-used"] * 7]


def test_an_authorisation_survives_its_code(given: Activations) -> None:
    text = AGREED.to_json()
    assert Authorisation.from_json(text, AGREED.client_id, AGREED.sid) == AGREED
