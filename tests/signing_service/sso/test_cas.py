"""The CAS protocol 3.0 on the same session, spoken by hand and by python-cas, a stranger."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from cas import CASClient
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.test import TestResponse

from kernel.clock import FixedClock
from records.database import Database
from signing_service.sso.card_login import ProvenCard
from signing_service.sso.claims import PREFIX
from signing_service.sso.platform import ClaimsPermission, PlatformTerms
from signing_service.sso.platforms import Registration
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card, Registry
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.flow import continued, is_sign_in, registered, sign_in
from tests.signing_service.sso.served import served

SERVICE = "https://old.example/cas?next=%2Fhome"
CAS = "{http://www.yale.edu/tp/cas}"


def registered_service(services: SsoServices, *addresses: str) -> Registration:
    terms = PlatformTerms(cas_services=addresses or (SERVICE,))
    return registered(services, "老平台", redirect_uris=(), terms=terms)


@pytest.fixture
def platform(services: SsoServices) -> Registration:
    return registered_service(services)


def login(browser: FlaskClient, service: str = SERVICE, **more: str) -> TestResponse:
    return browser.get("/cas/login?" + urlencode({"service": service, **more}))


def ticket_of(response: TestResponse) -> str:
    assert response.status_code == 302, response.text
    assert response.location.startswith(SERVICE + "&ticket=ST-")
    return parse_qs(urlsplit(response.location).query)["ticket"][0]


def validate(
    browser: FlaskClient, ticket: str, path: str = "p3/serviceValidate", **more: str
) -> Any:
    query = urlencode({"service": SERVICE, "ticket": ticket, **more})
    return browser.get(f"/cas/{path}?{query}")


def verdict(response: TestResponse) -> str:
    """`success`, or the code of the failure."""
    root = etree.fromstring(response.data)
    (answer,) = root
    return "success" if answer.tag == CAS + "authenticationSuccess" else str(answer.get("code"))


def test_a_service_learns_who_signed_in(
    browser: FlaskClient, platform: Registration, card: Card
) -> None:
    to_sign_in = login(browser)
    assert is_sign_in(to_sign_in)
    assert "You are signing in to 老平台." in browser.get(to_sign_in.location).text
    page = sign_in(browser, card, to_sign_in.location)
    told = validate(browser, ticket_of(browser.get(continued(page))))
    assert told.mimetype == "application/xml"
    (success,) = etree.fromstring(told.data)
    assert success.findtext(CAS + "user") == card.holder.subject
    attributes = success.find(CAS + "attributes")
    assert attributes is not None
    found = {each.tag.removeprefix(CAS): each.text for each in attributes}
    assert found["name"] == card.holder.name
    assert found["enterprise_uscc"] == card.holder.enterprise_uscc
    assert found["isFromNewLogin"] == "true"
    assert found["longTermAuthenticationRequestTokenUsed"] == "false"
    assert "authenticationDate" in found


def test_the_same_session_serves_platforms_of_both_kinds(
    signed_in: FlaskClient, platform: Registration
) -> None:
    told = validate(signed_in, ticket_of(login(signed_in)))
    assert verdict(told) == "success"
    assert b"<cas:isFromNewLogin>false<" in told.data


def test_cas_2_has_no_attributes_cas_1_says_yes_and_json_is_json(
    signed_in: FlaskClient, platform: Registration, card: Card
) -> None:
    two = validate(signed_in, ticket_of(login(signed_in)), "serviceValidate")
    assert (verdict(two), b"attributes" in two.data) == ("success", False)
    one = validate(signed_in, ticket_of(login(signed_in)), "validate")
    assert one.text == f"yes\n{card.holder.subject}\n"
    assert validate(signed_in, "ST-x", "validate").text == "no\n\n"
    answer = validate(signed_in, ticket_of(login(signed_in)), format="JSON").get_json()
    success = answer["serviceResponse"]["authenticationSuccess"]
    assert success["user"] == card.holder.subject
    assert success["attributes"]["rights"] == ["declare-import"]
    failed = validate(signed_in, "ST-x", format="json").get_json()["serviceResponse"]
    assert failed["authenticationFailure"]["code"] == "INVALID_TICKET"


def test_only_permitted_claims_are_told(signed_in: FlaskClient, services: SsoServices) -> None:
    few = ClaimsPermission(("name",), "示例司", "示例〔2026〕1号")
    terms = PlatformTerms(cas_services=(SERVICE,), permission=few)
    registered(services, redirect_uris=(), terms=terms)
    told = validate(signed_in, ticket_of(login(signed_in))).data
    assert b"<cas:name>" in told
    assert b"enterprise" not in told


def test_number_and_periods_are_told_where_they_are_permitted_by_name(
    signed_in: FlaskClient, services: SsoServices
) -> None:
    """Every attribute is text; a period is a JSON text of the shape that OpenID tells."""
    claims = (PREFIX + "employee_number", PREFIX + "rights_detail")
    permission = ClaimsPermission(claims, "示例司", "示例〔2026〕3号")
    terms = PlatformTerms(cas_services=(SERVICE,), permission=permission)
    registered(services, redirect_uris=(), terms=terms)
    told = etree.fromstring(validate(signed_in, ticket_of(login(signed_in))).data)
    assert told.findtext(f".//{CAS}employee_number") == "E-001"
    (period,) = told.findall(f".//{CAS}rights_detail")
    assert json.loads(period.text or "") == {
        "right": "declare-import",
        "from": "2026-01-04T16:30:00Z",
        "until": "2099-12-31T16:00:00Z",
    }
    answer = validate(signed_in, ticket_of(login(signed_in)), format="JSON").get_json()
    attributes = answer["serviceResponse"]["authenticationSuccess"]["attributes"]
    assert attributes["rights_detail"] == [period.text]


# -- tickets -------------------------------------------------------------------------------------


def test_a_platform_that_is_disabled_while_its_ticket_is_spent_is_answered_all_the_same(
    signed_in: FlaskClient,
    platform: Registration,
    services: SsoServices,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticket = ticket_of(login(signed_in))
    remember = services.cas_tickets.remember

    def disabled(*arguments: Any) -> None:
        services.platforms.disable(platform.platform.client_id, actor="administrator")
        remember(*arguments)

    monkeypatch.setattr(services.cas_tickets, "remember", disabled)
    assert verdict(validate(signed_in, ticket)) == "success"  # as it was when it was looked up
    monkeypatch.undo()
    assert services.platforms.find(platform.platform.client_id) is None


def test_a_ticket_is_good_once_for_its_service_and_half_a_minute(
    signed_in: FlaskClient, platform: Registration, clock: FixedClock
) -> None:
    ticket = ticket_of(login(signed_in))
    assert verdict(validate(signed_in, ticket)) == "success"
    assert verdict(validate(signed_in, ticket)) == "INVALID_TICKET"
    other = ticket_of(login(signed_in))
    query = urlencode({"service": "https://other.example/", "ticket": other})
    assert verdict(signed_in.get(f"/cas/serviceValidate?{query}")) == "INVALID_SERVICE"
    assert verdict(validate(signed_in, other)) == "INVALID_TICKET"
    late = ticket_of(login(signed_in))
    clock.advance(timedelta(seconds=31))
    assert verdict(validate(signed_in, late)) == "INVALID_TICKET"


def test_of_many_that_validate_one_ticket_at_once_one_gets_it(
    any_database: Database, make_services: Callable[..., SsoServices], card: Card
) -> None:
    services = make_services(any_database)
    platform = registered_service(services).platform
    opened = services.sessions.open(ProvenCard(card.certificate, card.holder))
    ticket = services.cas_tickets.give(platform, SERVICE, opened.signed_in, from_new_login=False)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(services.cas_tickets.take, [ticket] * 8))
    assert sum(each is not None for each in found) == 1


def test_a_ticket_is_worth_nothing_when_the_card_is_no_longer_good(
    signed_in: FlaskClient, platform: Registration, registry: Registry, card: Card
) -> None:
    ticket = ticket_of(login(signed_in))
    registry.revoke(card.certificate)
    assert verdict(validate(signed_in, ticket)) == "INVALID_TICKET"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "INVALID_REQUEST"),
        ({"service": SERVICE}, "INVALID_REQUEST"),
        ({"ticket": "ST-x"}, "INVALID_REQUEST"),
        ({"service": SERVICE, "ticket": "ST-é"}, "INVALID_TICKET"),
        ({"service": SERVICE, "ticket": "PT-" + "x" * 43}, "INVALID_TICKET_SPEC"),
        ({"service": SERVICE, "ticket": "x" * 5000}, "INVALID_TICKET"),
    ],
)
def test_a_bad_validation_names_its_fault(
    browser: FlaskClient, platform: Registration, query: dict[str, str], code: str
) -> None:
    assert verdict(browser.get("/cas/p3/serviceValidate?" + urlencode(query))) == code


# -- where the browser may be sent ---------------------------------------------------------------


@pytest.mark.parametrize(
    "service",
    ["https://evil.example/", SERVICE + "&a=b", SERVICE + "#x", SERVICE.upper(),
     "https://old.example/cas", "javascript:alert(1)", "", "x" * 3000],
)  # fmt: skip
def test_a_service_that_nobody_registered_exactly_gets_no_redirect(
    signed_in: FlaskClient, platform: Registration, service: str
) -> None:
    refused = login(signed_in, service)
    assert (refused.status_code, refused.get_json()["code"]) == (400, "cas.service")
    assert "Location" not in refused.headers
    assert signed_in.get("/cas/logout?service=" + quote(service)).location != service


def test_gateway_asks_for_nothing(browser: FlaskClient, platform: Registration, card: Card) -> None:
    assert login(browser, gateway="true").location == SERVICE
    sign_in(browser, card)
    assert ticket_of(login(browser, gateway="true"))


def test_renew_wants_the_card_anew_and_only_once_counts(
    signed_in: FlaskClient, platform: Registration, card: Card, clock: FixedClock
) -> None:
    old = ticket_of(login(signed_in))
    assert verdict(validate(signed_in, old, renew="true")) == "INVALID_TICKET"
    clock.advance(timedelta(seconds=1))
    asked = login(signed_in, renew="true", gateway="true")
    assert is_sign_in(asked)
    onward = continued(sign_in(signed_in, card, asked.location))
    clock.advance(timedelta(seconds=1))
    fresh = ticket_of(signed_in.get(onward))
    assert verdict(validate(signed_in, fresh, renew="true")) == "success"
    replayed = ticket_of(signed_in.get(onward))
    assert verdict(validate(signed_in, replayed, renew="true")) == "INVALID_TICKET"


def test_proxy_authentication_is_off_and_says_so(
    signed_in: FlaskClient, platform: Registration
) -> None:
    answer = signed_in.get("/cas/proxy?pgt=PGT-1&targetService=https://back.example/")
    (failure,) = etree.fromstring(answer.data)
    assert failure.tag == CAS + "proxyFailure"
    assert failure.get("code") == "UNAUTHORIZED_SERVICE"
    asked = validate(signed_in, ticket_of(login(signed_in)), pgtUrl="https://old.example/pgt")
    assert verdict(asked) == "UNAUTHORIZED_SERVICE_PROXY"
    proxied = validate(signed_in, "PT-" + "x" * 43, "p3/proxyValidate")
    assert verdict(proxied) == "INVALID_TICKET_SPEC"
    assert verdict(validate(signed_in, ticket_of(login(signed_in)), "proxyValidate")) == "success"


# -- the end of a session ------------------------------------------------------------------------


class Listener:
    """An old platform that hears of ended sessions."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                heard.append(parse_qs(body)["logoutRequest"][0])
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/cas"


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join(timeout=10)
    made.server.server_close()


def test_a_stranger_signs_in_with_python_cas_and_hears_of_the_end(
    services: SsoServices,
    make_services: Callable[..., SsoServices],
    database: Database,
    listener: Listener,
    card: Card,
    registry: Registry,
) -> None:
    made: list[SsoServices] = []

    def make(origin: str) -> Any:
        made.append(make_services(database, origin=origin))
        return application(made[0])

    with served(make) as origin:
        (services,) = made
        registered_service(services, listener.address)
        client = CASClient(version=3, service_url=listener.address, server_url=f"{origin}/cas/")
        assert client.get_login_url() == f"{origin}/cas/login?" + urlencode(
            {"service": listener.address}
        )
        opened = services.sessions.open(ProvenCard(card.certificate, card.holder))
        platform = services.platforms.by_cas_service(listener.address)
        assert platform is not None
        ticket = services.cas_tickets.give(
            platform, listener.address, opened.signed_in, from_new_login=False
        )
        user, attributes, _ = client.verify_ticket(ticket)
        assert user == card.holder.subject
        assert attributes["name"] == card.holder.name
        assert client.verify_ticket(ticket)[0] is None
        services.sessions.end_sessions_of_card(card.holder.card)
        services.back_channel.deliver()
        (heard,) = listener.heard
        assert client.get_saml_slos(heard)
        assert next(iter(client.get_saml_slos(heard))).text == ticket


def test_logging_out_ends_the_session_and_goes_back_to_a_registered_service(
    signed_in: FlaskClient, platform: Registration
) -> None:
    bare = signed_in.get("/cas/logout")
    assert 'action="/sso/sign-out"' in bare.text
    assert signed_in.get("/sso/session").get_json()["signed_in"]
    back = signed_in.get("/cas/logout?" + urlencode({"service": SERVICE}))
    assert (back.status_code, back.location) == (303, SERVICE)
    assert not signed_in.get("/sso/session").get_json()["signed_in"]


def test_a_spent_ticket_stands_nowhere_before_it_is_spent(
    signed_in: FlaskClient, platform: Registration, services: SsoServices
) -> None:
    ticket = ticket_of(login(signed_in))
    with services.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM sso_cas_ticket").all()
    assert ticket not in json.dumps([list(map(str, row)) for row in rows])
