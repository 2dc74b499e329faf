"""Whatever comes in, the answer is a refusal, never a failure."""

import json

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from kernel.refusals import Malformed
from signing_service.sso.authentication_token import read_authentication_token
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.flow import Platform, registered

FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
encodable = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
scalars = st.none() | st.booleans() | st.integers() | encodable
values: SearchStrategy[object] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(encodable, inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    ["unverifiedCertificate", "algorithm", "signature", "format", "appVersion", "token", "nonce"]
)
parameters = st.sampled_from(
    ["response_type", "scope", "state", "nonce", "prompt", "max_age", "code_challenge", "claims"]
)
token_parameters = st.sampled_from(
    ["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret", "scope"]
)


@pytest.fixture
def platform(services: SsoServices) -> Platform:
    return Platform(registered(services))


@FEW
@given(st.text(max_size=300) | st.dictionaries(fields, values).map(json.dumps))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match=r"signin\.token-"):
        read_authentication_token(text.ljust(100))


@FEW
@given(st.dictionaries(fields, values))
def test_any_json_is_refused(browser: FlaskClient, body: dict[str, object]) -> None:
    assert browser.post("/api/v1/sign-in", json=body).status_code in (400, 401)
    assert browser.post("/api/v1/sign-in", json={"token": body}).status_code in (400, 401)


@FEW
@given(st.dictionaries(parameters, encodable))
def test_any_authorization_request_is_answered(
    browser: FlaskClient, platform: Platform, changes: dict[str, str]
) -> None:
    assert browser.get(platform.request(**changes)).status_code in (302, 303, 400)


@FEW
@given(st.dictionaries(token_parameters, encodable), st.binary(max_size=60))
def test_any_token_request_is_refused(
    browser: FlaskClient, body: dict[str, str], credentials: bytes
) -> None:
    header = credentials.replace(b"\r", b"").replace(b"\n", b"").decode("latin-1")
    answer = browser.post("/oidc/token", data=body, headers={"Authorization": f"Basic {header}"})
    assert answer.status_code in (400, 401)
    assert "error" in answer.get_json()


@FEW
@given(encodable)
def test_any_page_to_return_to_is_shown_safely(browser: FlaskClient, target: str) -> None:
    page = browser.get("/sso/sign-in", query_string={"next": target})
    assert page.status_code == 200
    own = '<script type="module" src="/static/agent/sign-in.js"></script>'
    assert "<script" not in page.text.replace(own, "", 1)
