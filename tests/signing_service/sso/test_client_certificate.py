"""A client certificate in a header counts from the configured proxy alone (RFC 8705)."""

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import TestResponse

from records.database import Database
from signing_service.sso.platform import SELF_SIGNED_TLS, TLS, PlatformTerms
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card, Registry
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.flow import (
    Platform,
    bearer,
    code_for,
    is_sign_in,
    registered,
    sign_in,
)

OWN, ASKING = "https://id.example", "https://id.example:8443"
AGENT = "http://127.0.0.1:61235"
PROXY, STRANGER = "127.0.0.2", "127.0.0.1"
SECRET = "5e" * 32
SUBJECT = "CN=platform.example,O=Example"


@pytest.fixture
def services(database: Database, make_services: Callable[..., SsoServices]) -> SsoServices:
    return make_services(
        database,
        origin=OWN,
        certificate_origin=ASKING,
        certificate_proxies=frozenset({PROXY}),
        proxy_secret=SECRET,
        agent_source=AGENT,
    )


def self_signed(subject: str = SUBJECT, days: int = 30) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(subject)
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=abs(days) + 1))
        .not_valid_after(now + timedelta(days=days))
        .public_key(key.public_key())
        .sign(key, hashes.SHA256())
    )


def handed_on(certificate: x509.Certificate | bytes, verdict: str = "SUCCESS") -> dict[str, str]:
    if isinstance(certificate, bytes):
        certificate = x509.load_der_x509_certificate(certificate)
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return {
        "X-Client-Certificate": quote(pem),
        "X-Client-Verify": verdict,
        "X-PortSeal-Proxy": SECRET,
    }


def introspect(
    browser: FlaskClient, client_id: str, headers: dict[str, str], peer: str = PROXY
) -> int:
    answer = browser.post(
        "/oidc/introspect",
        data={"token": "x", "client_id": client_id},
        headers=headers,
        environ_base={"REMOTE_ADDR": peer},
    )
    return answer.status_code


def test_a_platform_is_known_by_the_subject_of_a_trusted_certificate(
    browser: FlaskClient, services: SsoServices
) -> None:
    terms = PlatformTerms(auth_method=TLS, tls_subject=SUBJECT)
    name = registered(services, terms=terms).platform.client_id
    certificate = self_signed()
    assert introspect(browser, name, handed_on(certificate)) == 200
    assert introspect(browser, name, handed_on(certificate, "FAILED:self-signed")) == 401
    assert introspect(browser, name, handed_on(self_signed("CN=other.example,O=Example"))) == 401
    assert introspect(browser, name, handed_on(self_signed(days=-1))) == 401
    assert introspect(browser, name, {}) == 401


def test_a_platform_is_known_by_its_own_certificate(
    browser: FlaskClient, services: SsoServices
) -> None:
    certificate = self_signed()
    print_ = certificate.fingerprint(hashes.SHA256()).hex()
    terms = PlatformTerms(auth_method=SELF_SIGNED_TLS, tls_thumbprint=print_)
    name = registered(services, terms=terms).platform.client_id
    assert introspect(browser, name, handed_on(certificate, "FAILED:self-signed")) == 200
    assert introspect(browser, name, handed_on(self_signed(), "SUCCESS")) == 401


def test_a_forged_header_is_worth_nothing(
    app: Flask, browser: FlaskClient, services: SsoServices
) -> None:
    terms = PlatformTerms(auth_method=TLS, tls_subject=SUBJECT)
    name = registered(services, terms=terms).platform.client_id
    forged = handed_on(self_signed())
    assert introspect(browser, name, forged, STRANGER) == 401
    # Nor by claiming to come from the proxy, where X-Forwarded-For is believed for other ends.
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)  # type: ignore[method-assign]
    assert introspect(browser, name, {**forged, "X-Forwarded-For": PROXY}, STRANGER) == 401
    assert introspect(browser, name, {**forged, "X-Forwarded-For": "203.0.113.9"}, PROXY) == 200


@pytest.mark.parametrize("secret", [None, "", SECRET[:-1], SECRET + "0", f"{SECRET},{SECRET}", "ü"])
def test_from_the_proxys_address_without_its_secret_a_header_is_worth_nothing(
    browser: FlaskClient, services: SsoServices, secret: str | None
) -> None:
    terms = PlatformTerms(auth_method=TLS, tls_subject=SUBJECT)
    name = registered(services, terms=terms).platform.client_id
    headers = handed_on(self_signed())
    assert introspect(browser, name, headers) == 200
    del headers["X-PortSeal-Proxy"]
    if secret is not None:
        headers["X-PortSeal-Proxy"] = secret
    assert introspect(browser, name, headers) == 401


@pytest.mark.parametrize("value", ["x", "%FF", quote("-----BEGIN CERTIFICATE-----"), "A" * 13_000])
def test_a_header_that_is_no_certificate_is_refused(browser: FlaskClient, value: str) -> None:
    sent = {"X-Client-Certificate": value, "X-PortSeal-Proxy": SECRET}
    assert introspect(browser, "x", sent) == 400


def test_its_tokens_are_bound_to_the_certificate(
    browser: FlaskClient, services: SsoServices, card: Card
) -> None:
    certificate = self_signed()
    print_ = certificate.fingerprint(hashes.SHA256()).hex()
    terms = PlatformTerms(auth_method=SELF_SIGNED_TLS, tls_thumbprint=print_)
    platform = Platform(registered(services, terms=terms))
    peer = {"REMOTE_ADDR": PROXY}
    opened = _secure_sign_in(browser, card)
    assert opened.status_code == 303
    code = code_for(_over_https(browser), platform)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "https://platform.example/callback",
        "code_verifier": platform.verifier,
        "client_id": platform.client_id,
    }
    headers = handed_on(certificate, "FAILED:self-signed")
    answer = browser.post("/oidc/token", data=form, headers=headers, environ_base=peer)
    token = answer.get_json()["access_token"]

    def userinfo(more: dict[str, str]) -> int:
        told = browser.get("/oidc/userinfo", headers={**bearer(token), **more}, environ_base=peer)
        return told.status_code

    assert userinfo(headers) == 200
    assert userinfo({}) == 401
    assert userinfo(handed_on(self_signed())) == 401
    told = browser.post(
        "/oidc/introspect",
        data={"token": token, "client_id": platform.client_id},
        headers=headers,
        environ_base=peer,
    ).get_json()
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
    assert told["cnf"]["x5t#S256"] == _base64url(digest)


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


# -- signing in with a card over TLS -------------------------------------------------------------


def _over_https(browser: FlaskClient) -> FlaskClient:
    browser.environ_base["wsgi.url_scheme"] = "https"
    browser.environ_base["HTTP_HOST"] = "id.example"
    return browser


def _secure_sign_in(browser: FlaskClient, card: Card) -> TestResponse:
    bound = Card(card.key, card.certificate, card.holder)
    original = bound.answer
    object.__setattr__(bound, "answer", lambda nonce, **more: original(nonce, OWN, **more))
    return sign_in(_over_https(browser), bound)


def by_certificate(
    browser: FlaskClient, headers: dict[str, str], peer: str = PROXY, **form: str
) -> TestResponse:
    """The sign-in page's other form, posted to the port that asks for certificates."""
    page = _over_https(browser).get("/sso/sign-in", query_string={"next": form.get("next", "/")})
    assert f'action="{ASKING}/sso/certificate"' in page.text
    policy = page.headers["Content-Security-Policy"]
    assert f"form-action 'self' {ASKING};" in policy
    assert f"connect-src 'self' {AGENT};" in policy, "the key agent is the other way to sign in"
    nonce = page.text.split('name="nonce" value="')[1].split('"')[0]
    return browser.post(
        "/sso/certificate",
        data={"nonce": nonce, "next": "/", **form},
        headers={"Origin": OWN, **headers},
        environ_base={"REMOTE_ADDR": peer},
    )


def test_a_card_signs_in_over_tls_without_a_claim_about_its_pin(
    browser: FlaskClient, card: Card, services: SsoServices
) -> None:
    done = by_certificate(browser, handed_on(card.certificate.der))
    assert done.location == f"{OWN}/sso/arrived?next=%2F"
    cookie = done.headers["Set-Cookie"]
    assert cookie.startswith("__Host-portseal-session=")
    assert browser.get("/sso/session").get_json()["subject"] == card.holder.subject
    platform = Platform(registered(services))
    code = code_for(browser, platform)
    grant = services.grants.take_code(code, platform.client_id)
    assert grant is not None
    assert grant.terms is not None
    assert grant.terms.amr == ("hwk",)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"peer": STRANGER}, "signin.no-certificate"),
        ({"headers": {}}, "signin.no-certificate"),
        ({"origin": "https://evil.example"}, "signin.foreign-origin"),
        ({"origin": ASKING}, "signin.foreign-origin"),
        ({"nonce": "A" * 43 + "="}, "signin.challenge-missing"),
    ],
)
def test_a_certificate_at_hand_signs_nobody_in_without_our_own_page(
    browser: FlaskClient, card: Card, change: dict[str, object], code: str
) -> None:
    headers = change.get("headers", handed_on(card.certificate.der))
    assert isinstance(headers, dict)
    if "origin" in change:
        headers = {**headers, "Origin": str(change["origin"])}
    form = {"nonce": str(change["nonce"])} if "nonce" in change else {}
    refused = by_certificate(browser, headers, str(change.get("peer", PROXY)), **form)
    assert refused.get_json()["code"] == code
    assert not browser.get("/sso/session").get_json()["signed_in"]


def test_the_card_is_judged_as_at_every_sign_in(
    browser: FlaskClient, card: Card, registry: Registry
) -> None:
    refused = by_certificate(browser, handed_on(self_signed()))
    assert refused.get_json()["code"].startswith("signin.")
    registry.set_state(card.certificate, "frozen", registry.clock.now())
    refused = by_certificate(browser, handed_on(card.certificate.der))
    assert refused.get_json()["code"] == "signin.frozen"
    registry.set_state(card.certificate, "expired")
    refused = by_certificate(browser, handed_on(card.certificate.der))
    assert refused.get_json()["code"] == "signin.card-state"
    registry.revoke(card.certificate)
    refused = by_certificate(browser, handed_on(card.certificate.der))
    assert refused.get_json()["code"] == "signin.revoked"


def test_a_handshake_is_no_proof_for_a_sensitive_act(
    browser: FlaskClient, card: Card, services: SsoServices
) -> None:
    platform = Platform(registered(services))
    by_certificate(browser, handed_on(card.certificate.der))
    details = '[{"type":"urn:portseal:act","act":"付款"}]'
    asked = browser.get(platform.request(authorization_details=details))
    assert is_sign_in(asked)
    page = browser.get(asked.location)
    assert "付款" in page.text
    assert "/sso/certificate" not in page.text
    nonce = page.text.split('name="nonce" value="')[1].split('"')[0]
    refused = browser.post(
        "/sso/certificate",
        data={"nonce": nonce, "next": "/"},
        headers={"Origin": OWN, **handed_on(card.certificate.der)},
        environ_base={"REMOTE_ADDR": PROXY},
    )
    assert refused.get_json()["code"] == "signin.purpose"


def test_without_the_setting_that_way_is_closed(
    database: Database, make_services: Callable[..., SsoServices], card: Card
) -> None:
    services = make_services(database)
    with application(services).test_client() as browser:
        assert "/sso/certificate" not in browser.get("/sso/sign-in").text
        refused = browser.post("/sso/certificate", headers=handed_on(card.certificate.der))
        assert refused.get_json()["code"] == "signin.no-certificate"
        told = browser.get("/.well-known/openid-configuration").get_json()
        assert TLS not in told["token_endpoint_auth_methods_supported"]
        assert "mtls_endpoint_aliases" not in told


@pytest.mark.parametrize(
    "changes",
    [
        {"certificate_origin": ASKING, "proxy_secret": ""},
        {"certificate_origin": ASKING, "proxy_secret": "short"},
        {"certificate_origin": "https://other.example:8443"},
        {"certificate_origin": "http://id.example:8443"},
        {"certificate_origin": ASKING + "/path"},
        {"origin": "http://localhost", "certificate_origin": "https://localhost:8443"},
    ],
)
def test_an_address_that_cannot_be_safe_is_no_setting(
    database: Database, make_services: Callable[..., SsoServices], changes: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="certificate"):
        make_services(database, **{"origin": OWN, "proxy_secret": SECRET, **changes})
