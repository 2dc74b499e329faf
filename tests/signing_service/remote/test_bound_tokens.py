"""Tokens of remote signing that a platform got with its TLS certificate (RFC 8705, 3)."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from flask.testing import FlaskClient

from records.database import Database
from signing_service.ports import HolderKind
from signing_service.remote.activation import Authorisation
from signing_service.remote.services import RemoteServices
from signing_service.remote.web import remote_blueprints
from signing_service.sso.card_login import ProvenCard
from signing_service.sso.grants import CodeGrant
from signing_service.sso.platform import SELF_SIGNED_TLS, PlatformTerms
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card, Registry
from tests.signing_service.sso.conftest import (  # noqa: F401 - fixtures
    application,
    card,
    card_authority,
    card_key,
    card_token,
    clock,
    make_services,
    registry,
    signin_key,
)
from tests.signing_service.sso.flow import CALLBACK, registered
from tests.signing_service.sso.test_client_certificate import (
    ASKING,
    OWN,
    PROXY,
    SECRET,
    handed_on,
    self_signed,
)

VERIFIER = "v" * 43
HASHES = (b"\1" * 32,)
FROM_PROXY = {"REMOTE_ADDR": PROXY}


@pytest.fixture
def certificate() -> x509.Certificate:
    return self_signed()


@pytest.fixture
def remote(
    database: Database,
    make_services: Callable[..., SsoServices],  # noqa: F811
) -> RemoteServices:
    sso = make_services(
        database, origin=OWN, certificate_origin=ASKING, certificate_proxies=frozenset({PROXY}),
        proxy_secret=SECRET,
    )  # fmt: skip
    nothing = cast(Any, None)  # tokens are judged before a seal is looked for
    return RemoteServices(sso, nothing, nothing, nothing, nothing, nothing, nothing)


@pytest.fixture
def browser(remote: RemoteServices) -> FlaskClient:
    app = application(remote.sso)
    for blueprint in remote_blueprints(remote):
        app.register_blueprint(blueprint)
    return app.test_client()


@pytest.mark.parametrize("scope", ["service", "credential"])
def test_a_token_is_good_with_the_certificate_that_it_was_given_with(
    browser: FlaskClient,
    remote: RemoteServices,
    card: Card,  # noqa: F811
    registry: Registry,  # noqa: F811
    certificate: x509.Certificate,
    scope: str,
) -> None:
    holder = replace(card.holder, kind=HolderKind.LEGAL_PERSON)
    registry.holders[card.certificate.fingerprint] = holder
    terms = PlatformTerms(
        auth_method=SELF_SIGNED_TLS, tls_thumbprint=certificate.fingerprint(hashes.SHA256()).hex()
    )
    platform = registered(remote.sso, terms=terms, scopes=["service", "credential"]).platform
    session = remote.sso.sessions.open(ProvenCard(card.certificate, holder)).signed_in.session
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
    agreed = Authorisation(platform.client_id, session, "SE-2026-22222222", "sha256", HASHES)
    grant = CodeGrant(
        platform.client_id, session, CALLBACK, scope, None, challenge.rstrip(b"=").decode(),
        details=agreed.to_json(),
    )  # fmt: skip
    remote.sso.grants.save_code("c" * 43, grant)
    form = {
        "grant_type": "authorization_code", "code": "c" * 43, "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER, "client_id": platform.client_id,
    }  # fmt: skip
    held, strangers = handed_on(certificate), handed_on(self_signed())
    given = browser.post("/csc/v2/oauth2/token", data=form, headers=held, environ_base=FROM_PROXY)
    assert given.status_code == 200, given.text
    token = given.get_json()["access_token"]

    def status(headers: dict[str, str]) -> int:
        """400: the token was good, and the empty request is not."""
        headers = {**headers, "Authorization": f"Bearer {token}"}
        path = "/csc/v2/signatures/timestamp"
        answer = browser.post(path, json={}, headers=headers, environ_base=FROM_PROXY)
        return answer.status_code

    assert [status(headers) for headers in (held, strangers, {})] == [400, 401, 401]
