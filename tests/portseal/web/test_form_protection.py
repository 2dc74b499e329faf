"""Pages of other sites change nothing, a neighbour's below the same domain neither."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portseal.web.form_protection import form_cookie_name

OWN = "https://id.example"
BEHIND = "http://id.example"
"""As a request comes from the proxy that speaks TLS."""
FOREIGN = ("https://evil.example", "https://www.id.example", "http://id.example", "null",
           "https://id.example:8443", "https://id.example.evil.example")  # fmt: skip
HTML = {"Accept": "text/html"}
FOR_PROGRAMS = re.compile(r"/api/|/oidc/|/csc/v2/(?!oauth2/authorize)")
"""JSON, which a page of another origin cannot send unasked; a client's own authentication."""
OTHERWISE = {"/verify", "/verify/report.pdf", "/sso/certificate"}
"""Judges for anybody and changes nothing; compares origins itself, and has its own tests."""


@pytest.fixture
def app(make_flask: Callable[..., Flask]) -> Flask:
    return make_flask(OWN)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def token(client: FlaskClient) -> str:
    """Of a form, good in the client's session."""
    page = client.get("/lost", headers=HTML, base_url=BEHIND)
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-portseal-form=")
    for term in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
        assert f"; {term}" in cookie
    assert "Domain" not in cookie
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def test_no_form_is_taken_from_another_origin_not_even_with_its_token(
    app: Flask, client: FlaskClient, token: str
) -> None:
    """Cross-site request forgery, over the whole url map: a neighbour below the same domain has
    planted the cookie that its token belongs to."""
    seen = 0
    for rule in app.url_map.iter_rules():
        if "POST" not in (rule.methods or set()) or rule.rule in OTHERWISE:
            continue
        if FOR_PROGRAMS.match(rule.rule):
            continue
        address = re.sub(r"<(int:)?[^>]+>", "1", rule.rule)
        for origin in FOREIGN:
            sent = {
                "headers": {"Origin": origin},
                "data": {"csrf_token": token},
                "base_url": BEHIND,
            }
            answer = client.post(address, **sent)
            assert answer.status_code == 403, f"{address} from {origin}"
            told = answer.get_json()
            assert told["code"] == "request.foreign-origin", address
            assert told["request_id"] == answer.headers["X-Request-Id"] != "", address
            bare = client.post(address, headers={"Origin": origin}, base_url=BEHIND)
            assert bare.status_code == 400, address
        seen += 1
    assert seen > 50


def test_nothing_is_changed_for_programs_from_another_origin(
    app: Flask, client: FlaskClient
) -> None:
    """Whoever asks and whatever is sent: a browser names its page's origin."""
    seen = 0
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & {"POST", "PUT", "DELETE", "PATCH"}):
            if not rule.rule.startswith("/api/"):
                continue
            address = re.sub(r"<(int:)?[^>]+>", "1", rule.rule)
            for origin in FOREIGN:
                headers = {"Origin": origin, "X-PortSeal-Request": "x"}
                answer = client.open(
                    address, method=method, json={}, headers=headers, base_url=BEHIND
                )
                told = (answer.status_code, answer.get_json()["code"])
                assert told == (403, "request.foreign-origin"), f"{method} {address} from {origin}"
            seen += 1
    assert seen > 50


def test_our_own_page_is_heard(client: FlaskClient, token: str) -> None:
    form = {"csrf_token": token, "purpose": "nonsense", "channel": "sms"}
    for headers in ({"Origin": OWN}, {}):
        sent = client.post("/lost", data=form, headers=headers, base_url=BEHIND)
        assert (sent.status_code, sent.get_json(silent=True)) == (400, None), "the form again"


def test_a_platforms_page_may_send_its_holders_here(app: Flask) -> None:
    """A platform's form is taken: it is answered by a GET, and a client it names decides."""
    client = app.test_client()
    foreign = {**HTML, "Origin": "https://platform.example"}
    asked = client.post("/oidc/authorize", data={"client_id": "nobody"}, headers=foreign)
    assert asked.status_code == 303


def test_browsers_are_told_to_come_by_https_where_there_is_https(
    client: FlaskClient, make_flask: Callable[..., Flask]
) -> None:
    """Host by host: the status host below the same domain speaks plain http."""
    for address in ("/", "/nowhere", "/api/v1/nowhere"):
        told = client.get(address, base_url=BEHIND).headers["Strict-Transport-Security"]
        assert re.fullmatch(r"max-age=(\d+)", told), address
        assert int(told.partition("=")[2]) >= 365 * 24 * 3600
    plain = make_flask("http://127.0.0.1:8080").test_client().get("/")
    assert "Strict-Transport-Security" not in plain.headers


def test_without_https_there_is_no_prefix() -> None:
    """Browsers take `__Host-` over https alone (RFC 6265bis, 4.1.3.2)."""
    assert form_cookie_name("http://127.0.0.1:8080") == "portseal-form"
