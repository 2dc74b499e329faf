"""Keys of ID tokens rotate with overlap: every platform has the new key before it signs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from hsm.token import Token
from hsm.token_key import TokenKey
from kernel.algorithms import ECDSA_P256_SHA256
from kernel.clock import FixedClock
from kernel.refusals import Conflict, Malformed
from records.database import Database
from records.events import Event
from records.journal import records
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.flow import Platform, registered, sign_in, tokens_for


class Keys:
    """Further keys in a real token; each test has labels of its own."""

    def __init__(self, token: Token, prefix: str) -> None:
        self._token = token
        self._prefix = prefix

    def open(self, label: str) -> TokenKey:
        return self._token.key(self._prefix + label)

    def make(self, label: str) -> TokenKey:
        return self._token.generate(self._prefix + label, ECDSA_P256_SHA256)


@pytest.fixture
def services(
    database: Database,
    make_services: Callable[..., SsoServices],
    authority_token: Token,
    request: pytest.FixtureRequest,
) -> SsoServices:
    source = Keys(authority_token, f"{request.node.name[:40]}-")
    return replace(make_services(database), key_source=source)


def published(services: SsoServices) -> list[str]:
    return [key["kid"] for key in services.id_token_keys.jwks()["keys"]]  # type: ignore[attr-defined]


def test_the_new_key_is_published_an_hour_before_it_signs_and_the_old_a_day_after(
    services: SsoServices, clock: FixedClock
) -> None:
    old = services.id_token_keys.kid
    token = services.id_token_keys.sign({"iss": services.settings.origin})
    made = services.signing_keys.rotate(actor="console:test")
    assert set(published(services)) == {old, made.kid}
    clock.advance(timedelta(minutes=59))
    assert services.id_token_keys.kid == old
    clock.advance(timedelta(minutes=1))
    assert services.id_token_keys.kid == made.kid
    assert set(published(services)) == {old, made.kid}
    assert services.id_token_keys.read(token, services.settings.origin)
    clock.advance(timedelta(hours=25))
    assert published(services) == [made.kid]
    with pytest.raises(Malformed):
        services.id_token_keys.read(token, services.settings.origin)


def test_tokens_verify_throughout_a_rotation(
    services: SsoServices, card: Card, clock: FixedClock
) -> None:
    app = application(services)
    platform = Platform(registered(services))
    with app.test_client() as browser:
        sign_in(browser, card)
        kids = set()
        for step in (0, 30, 40, 10):
            clock.advance(timedelta(minutes=step))
            if step == 30:
                services.signing_keys.rotate(actor="console:test")
            sign_in(browser, card)
            token = tokens_for(browser, platform)["id_token"]
            keys = KeySet.import_key_set(browser.get("/oidc/jwks").get_json())
            kids.add(jwt.decode(token, keys, algorithms=["ES256"]).header["kid"])
            clock.advance(timedelta(minutes=15))
    assert len(kids) == 2


def test_a_compromised_key_is_good_no_longer_from_that_moment(services: SsoServices) -> None:
    old = services.id_token_keys
    token = old.sign({"iss": services.settings.origin})
    made = services.signing_keys.rotate(actor="console:test", compromised=True)
    assert published(services) == [made.kid]
    assert services.id_token_keys.kid == made.kid
    keys = KeySet.import_key_set(services.id_token_keys.jwks())  # type: ignore[arg-type]
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(token, keys, algorithms=["ES256"])


def test_another_process_takes_the_new_key_up_at_the_same_time(
    services: SsoServices, clock: FixedClock
) -> None:
    other = replace(services)
    before = other.id_token_keys.kid
    made = services.signing_keys.rotate(actor="console:test")
    clock.advance(timedelta(seconds=5))
    assert set(published(other)) == {before, made.kid}
    clock.advance(timedelta(hours=1))
    assert other.id_token_keys.kid == services.id_token_keys.kid == made.kid


def test_the_worker_makes_the_next_key_in_time_and_only_one(
    services: SsoServices, clock: FixedClock
) -> None:
    every = timedelta(days=90)
    assert not services.signing_keys.rotate_if_due(every)
    clock.advance(timedelta(days=89))
    assert not services.signing_keys.rotate_if_due(every)
    clock.advance(timedelta(days=1))
    assert services.signing_keys.rotate_if_due(every)
    assert not services.signing_keys.rotate_if_due(every)
    with pytest.raises(Conflict, match=r"signin-key\.waiting"):
        services.signing_keys.rotate(actor="console:test")
    with services.database.reading() as connection:
        made = [each for each in records(connection) if each.event == Event.SIGNIN_KEY_MADE]
    assert len(made) == 1


def test_the_published_keys_are_public_halves_with_algorithm_and_name(
    services: SsoServices, browser: FlaskClient
) -> None:
    for key in browser.get("/oidc/jwks").get_json()["keys"]:
        assert key.keys() == {"kty", "crv", "x", "y", "use", "alg", "kid"}
        assert (key["alg"], key["use"]) == ("ES256", "sig")
