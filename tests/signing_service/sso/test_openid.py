"""OpenID Connect: the way through, from discovery to what the platform learns."""

from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient

from kernel.clock import FixedClock
from records.events import Event
from records.journal import records
from signing_service.sso.claims import ACR_CARD, ACR_CERTIFICATE, PREFIX
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import FILE_POLICY, ORIGIN, Card, CardAuthority, Registry
from tests.signing_service.sso.flow import (
    Platform,
    answer_of,
    bearer,
    code_for,
    continued,
    is_sign_in,
    read_id_token,
    registered,
    sign_in,
    tokens_for,
)

# -- discovery -----------------------------------------------------------------------------------


def test_discovery_names_what_there_is(browser: FlaskClient) -> None:
    found = browser.get("/.well-known/openid-configuration")
    metadata = found.get_json()
    assert found.headers["Cache-Control"] == "public, max-age=300"
    assert metadata["issuer"] == ORIGIN
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["id_token_signing_alg_values_supported"] == ["ES256"]
    for name in ("authorization", "token", "userinfo", "end_session"):
        path = urlsplit(metadata[f"{name}_endpoint"]).path
        assert browser.open(path, method="OPTIONS").status_code == 200
    assert browser.get(urlsplit(metadata["jwks_uri"]).path).status_code == 200


# -- the way through -----------------------------------------------------------------------------


def test_a_holder_signs_in_on_the_way_and_the_platform_learns_who(
    browser: FlaskClient, platform: Platform, card: Card, clock: FixedClock
) -> None:
    to_sign_in = browser.get(platform.request())
    assert is_sign_in(to_sign_in)
    assert "You are signing in to 报关平台." in browser.get(to_sign_in.location).text
    page = sign_in(browser, card, to_sign_in.location)
    answer = answer_of(browser.get(continued(page)))
    assert answer["state"] == platform.state
    assert answer["iss"] == ORIGIN
    tokens = platform.redeem(browser, answer["code"]).get_json()
    claims = read_id_token(browser, tokens["id_token"])
    now = int(clock.now().timestamp())
    holder = card.holder
    assert len(str(claims.pop("at_hash"))) == 22
    assert len(str(claims.pop("sid"))) == 32
    assert claims == {
        "iss": ORIGIN,
        "sub": holder.subject,
        "aud": platform.client_id,
        "iat": now,
        "exp": now + 300,
        "auth_time": now,
        "nonce": platform.nonce,
        "acr": ACR_CARD,
        "amr": ["hwk", "pin"],
        "name": holder.name,
        PREFIX + "holder_kind": "operator",
        PREFIX + "enterprise_name": holder.enterprise_name,
        PREFIX + "enterprise_uscc": holder.enterprise_uscc,
        PREFIX + "customs_code": holder.customs_code,
        PREFIX + "rights": ["declare-import"],
        PREFIX + "card": holder.card,
    }


def test_the_token_response_is_what_the_standard_says(
    signed_in: FlaskClient, platform: Platform
) -> None:
    answer = platform.redeem(signed_in, code_for(signed_in, platform))
    tokens = answer.get_json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 300
    assert "refresh_token" not in tokens


def test_userinfo_tells_the_same_holder(
    signed_in: FlaskClient, platform: Platform, card: Card
) -> None:
    tokens = tokens_for(signed_in, platform, scope="openid rights")
    told = signed_in.get("/oidc/userinfo", headers=bearer(tokens["access_token"])).get_json()
    assert told == {
        "sub": card.holder.subject,
        PREFIX + "holder_kind": "operator",
        PREFIX + "rights": ["declare-import"],
    }


def test_a_public_client_needs_pkce_alone(signed_in: FlaskClient, services: SsoServices) -> None:
    public = Platform(registered(services, confidential=False))
    assert "id_token" in tokens_for(signed_in, public)


def test_a_key_that_may_be_in_a_file_is_called_no_hardware(
    browser: FlaskClient,
    platform: Platform,
    card: Card,
    registry: Registry,
    card_authority: CardAuthority,
) -> None:
    certificate = card_authority.issue(card.key, policies=(FILE_POLICY,))
    soft = Card(card.key, certificate, registry.register(certificate))
    sign_in(browser, soft)
    claims = read_id_token(browser, tokens_for(browser, platform)["id_token"])
    assert (claims["acr"], claims["amr"]) == (ACR_CERTIFICATE, ["pop"])


def test_an_issued_token_is_journalled_without_its_text(
    signed_in: FlaskClient, platform: Platform, services: SsoServices, card: Card
) -> None:
    tokens = tokens_for(signed_in, platform)
    with services.database.reading() as connection:
        (issued,) = (r for r in records(connection) if r.event == Event.PLATFORM_TOKEN_ISSUED)
        assert services.journal.verify(connection).intact
    assert (issued.subject, issued.actor) == (card.holder.subject, platform.client_id)
    assert tokens["access_token"] not in issued.facts


def test_another_sites_form_may_ask_too(signed_in: FlaskClient, platform: Platform) -> None:
    query = urlsplit(platform.request()).query
    posted = signed_in.post(
        "/oidc/authorize", data={name: values[0] for name, values in parse_qs(query).items()}
    )
    assert posted.status_code == 303
    assert "code" in answer_of(signed_in.get(posted.location))
