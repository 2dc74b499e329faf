"""What the metadata says is so (OpenID Connect Discovery, 3; RFC 8414; Logout 1.0)."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from signing_service.sso.claims import ACR_CARD, PREFIX
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import ORIGIN
from tests.signing_service.sso.flow import Platform, answer_of, read_id_token, tokens_for


@pytest.fixture
def metadata(browser: FlaskClient) -> dict[str, Any]:
    told = browser.get("/.well-known/openid-configuration")
    same = browser.get("/.well-known/oauth-authorization-server")
    assert told.get_json() == same.get_json()
    return dict(told.get_json())


def test_every_address_is_there_and_below_the_issuer(
    browser: FlaskClient, metadata: dict[str, Any]
) -> None:
    addresses = {k: v for k, v in metadata.items() if k.endswith("_endpoint") or k == "jwks_uri"}
    assert len(addresses) == 8
    for name, address in addresses.items():
        assert address.startswith(f"{ORIGIN}/"), name
        known = browser.open(urlsplit(address).path, method="OPTIONS")
        assert known.status_code == 200, name


@pytest.mark.parametrize("path", ["token", "par", "introspect", "revoke"])
def test_what_platforms_send_comes_by_post_alone(browser: FlaskClient, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert browser.open(f"/oidc/{path}", method=method).status_code == 405


def test_prompts_modes_and_scopes_are_taken(
    signed_in: FlaskClient, platform: Platform, metadata: dict[str, Any]
) -> None:
    for prompt in metadata["prompt_values_supported"]:
        assert signed_in.get(platform.request(prompt=prompt)).status_code in (302, 303), prompt
    for mode in metadata["response_modes_supported"]:
        answer = signed_in.get(platform.request(response_mode=mode))
        assert answer.status_code in (200, 302), mode
    wide = tokens_for(signed_in, platform, scope=" ".join(metadata["scopes_supported"]))
    assert set(wide["scope"].split()) == set(metadata["scopes_supported"])
    assert metadata["response_types_supported"] == ["code"]
    assert answer_of(signed_in.get(platform.request(response_type="id_token")))["error"]
    assert not metadata["request_parameter_supported"]
    assert not metadata["request_uri_parameter_supported"]


def test_id_tokens_are_signed_as_told_and_hold_no_claim_that_is_not_named(
    signed_in: FlaskClient, platform: Platform, metadata: dict[str, Any], services: SsoServices
) -> None:
    claims = read_id_token(signed_in, tokens_for(signed_in, platform)["id_token"])
    assert set(claims) <= set(metadata["claims_supported"])
    assert {PREFIX + "employee_number", PREFIX + "rights_detail"} <= set(
        metadata["claims_supported"]
    )
    assert claims["acr"] in metadata["acr_values_supported"]
    assert ACR_CARD in metadata["acr_values_supported"]
    algorithms = {key["alg"] for key in signed_in.get("/oidc/jwks").get_json()["keys"]}
    assert algorithms == set(metadata["id_token_signing_alg_values_supported"])


def test_both_channels_of_logout_are_offered_with_sessions(metadata: dict[str, Any]) -> None:
    for channel in ("frontchannel", "backchannel"):
        assert metadata[f"{channel}_logout_supported"] is True
        assert metadata[f"{channel}_logout_session_supported"] is True
    assert "check_session_iframe" not in metadata


def test_without_a_proxy_that_asks_for_certificates_none_is_offered(
    metadata: dict[str, Any],
) -> None:
    methods = set(metadata["token_endpoint_auth_methods_supported"])
    assert methods == {"client_secret_basic", "private_key_jwt", "none"}
    assert "none" not in metadata["introspection_endpoint_auth_methods_supported"]
    assert "mtls_endpoint_aliases" not in metadata
