"""A proof of a key is read strictly, and counts once (RFC 9449, 4.3)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import ECKey, OctKey, RSAKey
from werkzeug.datastructures import Headers

from kernel.clock import FixedClock
from records.database import Database
from signing_service.sso.openid.errors import OAuthError
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import ORIGIN, Card
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.dpop.holder import TOKEN, KeyHolder, base64url, new_key, public
from tests.signing_service.sso.flow import CALLBACK, Platform, code_for, registered, sign_in


@pytest.fixture
def services(database: Database, make_services: Callable[..., SsoServices]) -> SsoServices:
    return make_services(database, dpop_nonces=False)


@pytest.fixture
def holder(clock: FixedClock) -> KeyHolder:
    return KeyHolder(clock)


def why_refused(services: SsoServices, text: str, **more: Any) -> str | None:
    """None: it is taken."""
    try:
        services.dpop.read(text, "POST", TOKEN, **more)
    except OAuthError as error:
        return error.description if error.error == "invalid_dpop_proof" else error.error
    return None


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ECKey.generate_key("P-256"), "ES256"), (ECKey.generate_key("P-384"), "ES384"),
        (RSAKey.generate_key(2048), "PS256"), (RSAKey.generate_key(2048), "RS256"),
    ],
)  # fmt: skip
def test_a_proof_tells_the_thumbprint_of_its_key(
    services: SsoServices, clock: FixedClock, key: ECKey | RSAKey, algorithm: str
) -> None:
    proof = services.dpop.read(KeyHolder(clock, key, algorithm).proof(), "POST", TOKEN)
    assert base64url(proof.key) == key.thumbprint()


OTHER = new_key()
SECRET = OctKey.generate_key(256)
SMALL = RSAKey.generate_key(1024)


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "GET"}, {"htm": "post"}, {"htm": None},
        {"htu": f"{ORIGIN}/oidc/userinfo"}, {"htu": f"{ORIGIN}{TOKEN}/"}, {"htu": TOKEN},
        {"htu": f"https://evil.example{TOKEN}"}, {"htu": f"{ORIGIN}:8080{TOKEN}"},
        {"htu": f"https://localhost{TOKEN}"}, {"htu": f"{ORIGIN}@evil.example{TOKEN}"},
        {"htu": f"{ORIGIN}/oidc/%2574oken"}, {"htu": f"{ORIGIN}/x/..{TOKEN}"},
        {"htu": None}, {"htu": [f"{ORIGIN}{TOKEN}"]}, {"htu": "http://[::1"},
        {"jti": None}, {"jti": "short"}, {"jti": "x" * 256}, {"jti": 12345678},
        {"jti": "a b c d e"},
        {"iat": None}, {"iat": "now"}, {"iat": True}, {"iat": 1.5}, {"iat": 10**30},
    ],
)  # fmt: skip
def test_a_claim_that_is_missing_or_of_another_request_is_refused(
    services: SsoServices, holder: KeyHolder, changes: dict[str, Any]
) -> None:
    assert why_refused(services, holder.proof(**changes))


@pytest.mark.parametrize(
    "htu",
    [
        f"{ORIGIN}{TOKEN}?a=b", f"{ORIGIN}{TOKEN}#f", f"HTTP://LocalHost{TOKEN}",
        f"http://localhost:80{TOKEN}", "http://localhost/oidc/%74oken",
    ],
)  # fmt: skip
def test_an_address_is_compared_as_addresses_are(
    services: SsoServices, holder: KeyHolder, htu: str
) -> None:
    """Without query and fragment, normalised (RFC 9449, 4.3; RFC 3986, 6.2.2 and 6.2.3)."""
    assert why_refused(services, holder.proof(htu=htu)) is None


def test_a_proof_for_the_address_that_asks_for_certificates_is_good_there(
    database: Database, make_services: Callable[..., SsoServices], holder: KeyHolder
) -> None:
    own, asking = "https://id.example", "https://id.example:8443"
    services = make_services(
        database, origin=own, certificate_origin=asking, proxy_secret="5e" * 32, dpop_nonces=False
    )
    for origin in (own, asking):
        assert why_refused(services, holder.proof(htu=origin + TOKEN)) is None
    assert why_refused(services, holder.proof())


@pytest.mark.parametrize(
    ("header", "signer"),
    [
        ({"typ": None}, None), ({"typ": "JWT"}, None), ({"typ": "dpop+jwt2"}, None),
        ({"typ": ["dpop+jwt"]}, None), ({"crit": ["b64"], "b64": False}, None),
        ({"x5c": ["MIIB"]}, None), ({"jku": "https://evil.example/"}, None),
        ({"alg": "none"}, None), ({"alg": "HS256"}, SECRET), ({"alg": "RS256"}, SMALL),
        ({"alg": "HS256", "jwk": SECRET.as_dict()}, SECRET),
        ({"alg": "RS256", "jwk": public(SMALL)}, SMALL),
        ({"jwk": None}, None), ({"jwk": "x"}, None), ({"jwk": {}}, None),
        ({"jwk": {"kty": "EC"}}, None), ({"jwk": {"kty": "EC", "crv": "P-256", "x": 1}}, None),
        ({"jwk": {**public(OTHER), "crv": "P-521"}}, None),
        ({"jwk": OTHER.as_dict(private=True)}, OTHER),
        ({"jwk": public(OTHER)}, None),
    ],
    ids=lambda each: None,
)  # fmt: skip
def test_a_header_that_is_not_of_a_proof_is_refused(
    services: SsoServices,
    holder: KeyHolder,
    header: dict[str, Any],
    signer: ECKey | RSAKey | OctKey | None,
) -> None:
    """Among them: no type, `none`, a symmetric key, a private key, another's key, a weak one."""
    assert why_refused(services, holder.proof(header=header, signer=signer))


def test_the_private_key_would_have_been_good_without_its_secret(
    services: SsoServices, holder: KeyHolder
) -> None:
    good = holder.proof(header={"jwk": public(OTHER)}, signer=OTHER)
    assert why_refused(services, good) is None


def test_what_is_no_token_or_too_large_or_two_is_refused(
    services: SsoServices, holder: KeyHolder
) -> None:
    good = holder.proof()
    signed, _, _ = good.rpartition(".")
    large = holder.proof(more="x" * 4096)
    for text in ("", "x", "a.b.c", "é.é.é", f"{good}, {holder.proof()}", f"{good},", large):
        assert why_refused(services, text), text
    for text in (signed, f"{signed}.", f"{signed}.AAAA", f"{good}A", "." * 4000):
        assert why_refused(services, text), text
    assert why_refused(services, good) is None


@pytest.mark.parametrize(
    ("seconds", "good"), [(0, True), (-85, True), (25, True), (-95, False), (35, False)]
)
def test_a_proof_is_of_now(
    services: SsoServices, holder: KeyHolder, clock: FixedClock, seconds: int, good: bool
) -> None:
    iat = int(clock.now().timestamp()) + seconds
    assert (why_refused(services, holder.proof(iat=iat)) is None) == good


def test_a_proof_that_says_when_it_ends_is_held_to_that(
    services: SsoServices, holder: KeyHolder, clock: FixedClock
) -> None:
    now = int(clock.now().timestamp())
    assert why_refused(services, holder.proof(exp=now + 5, nbf=now)) is None
    assert why_refused(services, holder.proof(exp=now - 60))
    assert why_refused(services, holder.proof(nbf=now + 60))
    assert why_refused(services, holder.proof(exp="soon"))


def test_with_a_token_the_proof_names_it(services: SsoServices, holder: KeyHolder) -> None:
    assert why_refused(services, holder.proof(token="one"), token="one") is None
    for text in (holder.proof(token="other"), holder.proof(), holder.proof(ath="é"),
                 holder.proof(ath=["x"]), holder.proof(ath="\ud800")):  # fmt: skip
        assert why_refused(services, text, token="one")


def test_a_proof_is_good_once_on_all_nodes_and_forgotten_when_it_is_too_old_anyway(
    any_database: Database,
    make_services: Callable[..., SsoServices],
    holder: KeyHolder,
    clock: FixedClock,
) -> None:
    here, there = (make_services(any_database, dpop_nonces=False) for _ in range(2))
    proof = here.dpop.read(holder.proof(), "POST", TOKEN)
    here.dpop.spend(proof, "platform")
    with pytest.raises(OAuthError, match="invalid_dpop_proof"):
        there.dpop.spend(proof, "platform")
    another = KeyHolder(clock).proof(jti=proof.jti)
    there.dpop.spend(there.dpop.read(another, "POST", TOKEN), "platform")
    clock.advance(timedelta(seconds=95))
    here.tidy()
    with pytest.raises(OAuthError, match="invalid_dpop_proof"):
        there.dpop.spend(proof, "platform")
    clock.advance(timedelta(minutes=1))
    here.tidy()
    there.dpop.spend(proof, "platform")


def test_two_headers_are_refused_and_the_code_is_not_spent(
    services: SsoServices, holder: KeyHolder, card: Card
) -> None:
    browser = application(services).test_client()
    sign_in(browser, card)
    platform = Platform(registered(services, confidential=False))
    code = code_for(browser, platform)
    twice = Headers([("DPoP", holder.proof()), ("DPoP", holder.proof())])
    form = {"code_verifier": platform.verifier, "redirect_uri": CALLBACK, "code": code}
    form |= {"client_id": platform.client_id, "grant_type": "authorization_code"}
    refused = browser.post(TOKEN, data=form, headers=twice)
    assert (refused.status_code, refused.get_json()["error"]) == (400, "invalid_dpop_proof")
    assert holder.redeem(browser, platform, code).status_code == 200


def test_a_stranger_without_a_grant_fills_no_store(
    services: SsoServices, holder: KeyHolder
) -> None:
    """A name of a public platform and a key of one's own are free; a row is not."""
    browser: FlaskClient = application(services).test_client()
    platform = Platform(registered(services, confidential=False))
    for _ in range(3):
        assert holder.redeem(browser, platform, "x" * 43).get_json()["error"] == "invalid_grant"
    assert holder.userinfo(browser, "x" * 43).status_code == 401
    with services.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT * FROM sso_client_assertion").all() == []
