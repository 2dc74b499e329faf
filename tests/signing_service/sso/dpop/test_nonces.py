"""A proof holds a nonce that we gave a moment ago: none is made in advance (RFC 9449, 8, 9)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from kernel.clock import FixedClock
from records.database import Database
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.dpop.holder import KeyHolder
from tests.signing_service.sso.flow import Platform, code_for


@pytest.fixture
def holder(clock: FixedClock) -> KeyHolder:
    return KeyHolder(clock)


def test_the_first_proof_is_answered_with_a_nonce_and_nothing_is_lost(
    signed_in: FlaskClient, platform: Platform, holder: KeyHolder
) -> None:
    code = code_for(signed_in, platform)
    first = holder.redeem(signed_in, platform, code)
    assert (first.status_code, first.get_json()["error"]) == (400, "use_dpop_nonce")
    assert first.headers["DPoP-Nonce"] == holder.nonce
    second = holder.redeem(signed_in, platform, code)
    assert second.status_code == 200
    assert second.headers["DPoP-Nonce"], "the next one comes along"


def test_a_protected_resource_asks_for_its_nonce_by_a_challenge(
    signed_in: FlaskClient, platform: Platform, holder: KeyHolder
) -> None:
    code = code_for(signed_in, platform)
    holder.redeem(signed_in, platform, code)
    token = holder.redeem(signed_in, platform, code).get_json()["access_token"]
    holder.nonce = None
    asked = holder.userinfo(signed_in, token)
    assert asked.status_code == 401
    assert 'error="use_dpop_nonce"' in asked.headers["WWW-Authenticate"]
    assert holder.userinfo(signed_in, token).status_code == 200


def test_a_nonce_lasts_five_minutes(
    signed_in: FlaskClient, platform: Platform, holder: KeyHolder, clock: FixedClock
) -> None:
    holder.redeem(signed_in, platform, "x")
    given = holder.nonce
    clock.advance(timedelta(minutes=4))
    assert holder.redeem(signed_in, platform, "x").get_json()["error"] == "invalid_grant"
    holder.nonce = given
    clock.advance(timedelta(minutes=1, seconds=1))
    assert holder.redeem(signed_in, platform, "x").get_json()["error"] == "use_dpop_nonce"
    assert holder.nonce != given


@pytest.mark.parametrize("nonce", ["", "x", "1790000000.x", "x" * 1000, ".", "1790000000"])
def test_a_nonce_that_we_did_not_make_is_none(
    signed_in: FlaskClient, platform: Platform, holder: KeyHolder, nonce: str
) -> None:
    answer = holder.redeem(signed_in, platform, "x", nonce=nonce)
    assert answer.get_json()["error"] == "use_dpop_nonce"


def test_every_node_knows_the_others_nonces_and_no_other_services(
    database: Database,
    make_services: Callable[..., SsoServices],
    platform: Platform,
    holder: KeyHolder,
) -> None:
    one, two, other = (application(make_services(database)) for _ in range(3))
    other.secret_key = "another service's secret"
    holder.redeem(one.test_client(), platform, "x")
    assert holder.redeem(two.test_client(), platform, "x").get_json()["error"] == "invalid_grant"
    assert holder.redeem(other.test_client(), platform, "x").get_json()["error"] == "use_dpop_nonce"
