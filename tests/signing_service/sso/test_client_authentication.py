"""A platform proves itself in the way that it registered, and in no other."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from werkzeug.test import TestResponse

from kernel.clock import FixedClock
from kernel.refusals import Unprocessable
from signing_service.sso.openid.client_assertions import TYPE
from signing_service.sso.platform import PRIVATE_KEY, PlatformTerms
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import ORIGIN
from tests.signing_service.sso.flow import Platform, basic, code_for, registered

KEY = ECKey.generate_key("P-256", {"kid": "k-1"})
OTHER = ECKey.generate_key("P-256", {"kid": "k-1"})
RSA = RSAKey.generate_key(2048, {"kid": "k-2", "alg": "PS256"})
PUBLIC = tuple(dict(key.as_dict(private=False)) for key in (KEY, RSA))
TERMS = PlatformTerms(auth_method=PRIVATE_KEY, jwks=PUBLIC)


@pytest.fixture
def signer(services: SsoServices) -> Platform:
    return Platform(registered(services, terms=TERMS))


Maker = Callable[..., str]


@pytest.fixture
def assertion(signer: Platform, clock: FixedClock) -> Maker:
    """An assertion of the platform, with changes."""
    count = iter(range(1000))

    def make(key: Any = KEY, header: dict[str, Any] | None = None, **changes: object) -> str:
        now = int(clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": signer.client_id,
            "sub": signer.client_id,
            "aud": ORIGIN,
            "exp": now + 60,
            "iat": now,
            "jti": f"assertion-{next(count)}",
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        headers = {"alg": "ES256", "kid": "k-1", **(header or {})}
        return jwt.encode(headers, kept, key, algorithms=["ES256", "PS256", "RS256"])

    return make


def redeem(browser: FlaskClient, platform: Platform, code: str, **form: str) -> TestResponse:
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "https://platform.example/callback",
        "code_verifier": platform.verifier,
        **form,
    }
    return browser.post("/oidc/token", data=body)


def tried(browser: FlaskClient, assertion: str, **form: str) -> TestResponse:
    """An introspection, which needs nothing but the platform's proof."""
    body = {"token": "x", "client_assertion_type": TYPE, "client_assertion": assertion, **form}
    return browser.post("/oidc/introspect", data=body)


def test_a_platform_gets_tokens_with_its_own_key(
    signed_in: FlaskClient, signer: Platform, assertion: Maker
) -> None:
    code = code_for(signed_in, signer)
    form = {"client_assertion_type": TYPE, "client_assertion": assertion()}
    answer = redeem(signed_in, signer, code, **form)
    assert answer.status_code == 200, answer.text
    assert "id_token" in answer.get_json()


@pytest.mark.parametrize("audience", [ORIGIN, [ORIGIN]])
def test_an_assertion_is_for_us(browser: FlaskClient, assertion: Maker, audience: object) -> None:
    assert tried(browser, assertion(aud=audience)).status_code == 200


ENDPOINTS = [f"{ORIGIN}/oidc/token", f"{ORIGIN}/oidc/par", [ORIGIN, f"{ORIGIN}/oidc/token"]]


@pytest.mark.parametrize("audience", ENDPOINTS)
def test_audience_injection_an_assertion_for_an_endpoint_is_nobodys(
    browser: FlaskClient, assertion: Maker, audience: object
) -> None:
    """Another provider names our token endpoint as its own, gets the assertion that a platform
    makes out to it, and plays it to us (RFC 7523bis; FAPI 2.0, 5.3.2.1)."""
    assert tried(browser, assertion(aud=audience)).get_json() == {"error": "invalid_client"}


@pytest.mark.parametrize("audience", [ORIGIN, *ENDPOINTS])
def test_an_older_program_may_name_an_endpoint_where_its_terms_say_so(
    browser: FlaskClient, services: SsoServices, assertion: Maker, audience: object
) -> None:
    older = registered(services, "older", terms=replace(TERMS, endpoint_audience=True))
    named = {"iss": older.platform.client_id, "sub": older.platform.client_id}
    assert tried(browser, assertion(aud=audience, **named)).status_code == 200
    other = assertion(aud=[ORIGIN, "https://other.example"], **named)
    assert tried(browser, other).status_code == 401


def test_the_algorithm_is_the_registered_keys(browser: FlaskClient, assertion: Maker) -> None:
    good = assertion(RSA, {"alg": "PS256", "kid": "k-2"})
    assert tried(browser, good).status_code == 200
    unbound = {name: value for name, value in RSA.as_dict(private=True).items() if name != "alg"}
    weaker = assertion(RSAKey.import_key(unbound), {"alg": "RS256", "kid": "k-2"})
    assert tried(browser, weaker).status_code == 401


def test_an_assertion_is_good_once(browser: FlaskClient, assertion: Maker) -> None:
    made = assertion()
    assert tried(browser, made).status_code == 200
    assert tried(browser, made).get_json() == {"error": "invalid_client"}


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example"},
        {"aud": [ORIGIN, "https://other.example"]},
        {"aud": []},
        {"aud": None},
        {"iss": "somebody"},
        {"sub": "somebody"},
        {"sub": None},
        {"exp": None},
        {"exp": "later"},
        {"exp": 1},
        {"exp": 99_999_999_999},
        {"iat": 99_999_999_999},
        {"nbf": 99_999_999_999},
        {"jti": None},
        {"jti": "short"},
        {"jti": "j" * 256},
        {"jti": 17},
    ],
)
def test_an_assertion_that_is_not_for_us_now_is_refused(
    browser: FlaskClient, assertion: Maker, changes: dict[str, object]
) -> None:
    assert tried(browser, assertion(**changes)).status_code == 401


def test_a_key_that_the_assertion_brings_along_is_not_believed(
    browser: FlaskClient, assertion: Maker
) -> None:
    for key, header in (
        (OTHER, {}),
        (OTHER, {"jwk": OTHER.as_dict(private=False)}),
        (KEY, {"jku": "https://evil.example/keys"}),
        (KEY, {"x5u": "https://evil.example/keys"}),
        (KEY, {"kid": "unknown"}),
        (KEY, {"typ": "dpop+jwt"}),
    ):
        assert tried(browser, assertion(key, header)).status_code == 401, header


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_neither_none_nor_a_shared_secret_passes_for_a_signature(
    browser: FlaskClient, assertion: Maker
) -> None:
    _, claims, signature = assertion().split(".")
    for algorithm in ("none", "None", "nOnE", ""):
        header = segment({"alg": algorithm, "kid": "k-1"})
        assert tried(browser, f"{header}.{claims}.").status_code == 401
        assert tried(browser, f"{header}.{claims}.{signature}").status_code == 401
    secret = OctKey.import_key(json.dumps(PUBLIC[0]))
    confused = jwt.encode({"alg": "HS256", "kid": "k-1"}, {"sub": "x"}, secret)
    assert tried(browser, confused).status_code == 401
    header = segment({"alg": "HS256", "kid": "k-1"})
    assert tried(browser, f"{header}.{claims}.{confused.rsplit('.')[-1]}").status_code == 401


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "." * 9000, "é.é.é", "e30.e30.e30"])
def test_what_is_no_assertion_is_refused(browser: FlaskClient, text: str) -> None:
    assert tried(browser, text).status_code == 401


def test_a_platform_cannot_prove_itself_in_a_weaker_way(
    signed_in: FlaskClient, signer: Platform, platform: Platform, assertion: Maker
) -> None:
    code = code_for(signed_in, signer)
    assert redeem(signed_in, signer, code, client_id=signer.client_id).status_code == 401
    empty = signed_in.post(
        "/oidc/introspect", data={"token": "x"}, headers=basic(signer.client_id, "")
    )
    assert empty.status_code == 401
    wrong_type = tried(signed_in, assertion(), client_assertion_type="other")
    assert wrong_type.status_code == 401
    posed = tried(signed_in, assertion(sub=platform.client_id, iss=platform.client_id))
    assert posed.status_code == 401


def test_two_ways_at_once_are_refused(
    browser: FlaskClient, signer: Platform, platform: Platform, assertion: Maker
) -> None:
    secret = platform.registration.secret or ""
    form = {"token": "x", "client_assertion_type": TYPE, "client_assertion": assertion()}
    headers = basic(platform.client_id, secret)
    answer = browser.post("/oidc/introspect", data=form, headers=headers)
    assert answer.get_json()["error"] == "invalid_request"
    other = tried(browser, assertion(), client_id=platform.client_id)
    assert other.get_json()["error"] == "invalid_request"


def test_an_assertion_may_be_repeated_by_nobody_even_after_its_row_is_tidied_away(
    browser: FlaskClient, services: SsoServices, assertion: Maker, clock: FixedClock
) -> None:
    made = assertion()
    assert tried(browser, made).status_code == 200
    clock.advance(timedelta(minutes=12))
    services.tidy()
    assert tried(browser, made).status_code == 401


@pytest.mark.filterwarnings("ignore:Key size")
@pytest.mark.parametrize(
    "keys",
    [
        (),
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "a"},),
        (KEY.as_dict(private=True),),
        ({**PUBLIC[0], "kid": ""},),
        (PUBLIC[0], PUBLIC[0]),
        ({**PUBLIC[0], "x": "AAAA"},),
        ({**PUBLIC[0], "crv": "secp256k1"},),
        ({"kty": "RSA", "n": "w" * 171, "e": "AQAB", "kid": "weak"},),
    ],
)
def test_a_platform_registers_public_keys_that_are_strong_enough(
    services: SsoServices, keys: tuple[dict[str, Any], ...]
) -> None:
    terms = PlatformTerms(auth_method=PRIVATE_KEY, jwks=keys)
    with pytest.raises(Unprocessable, match=r"platform\.keys"):
        registered(services, terms=terms)
