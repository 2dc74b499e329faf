"""The usual attacks on a web application (OWASP's lists), each against the portal's own doors."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect

from kernel.refusals import TooMany
from portseal import problems
from portseal.web.layout import STATIC, TEMPLATES, install_layout
from ra_portal.applications.application import ApplicationState
from ra_portal.applications.queue import Asked
from ra_portal.imports.columns import ImportKind
from ra_portal.papers.documents import Upload
from ra_portal.people.identity import Identity, Role
from ra_portal.web import portal_blueprint
from ra_portal.web.api import CSRF_HEADER
from ra_portal.web.limits import AddressLimits
from tests.ra_portal import samples
from tests.ra_portal.web.browser import Browser
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import ORIGIN, PortalWorld

HTML = {"Accept": "text/html", "Accept-Language": "en"}
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


@dataclass
class Victim:
    """An enterprise with an operator, a grant, a seal and an import."""

    who: Identity
    operator: str
    grant: str
    card: str
    seal: str
    preview: str


@pytest.fixture
def victim(portal: PortalWorld) -> Victim:
    who, services = portal.legal_person(1), portal.services
    view = portal.operator(who, "declare-import").view
    assert view.card is not None
    seal = services.seals.request(who, "报关章")
    file = Upload("姓名,工号\n甲,E-9\n".encode(), "operators.csv")
    preview = services.imports.preview(who, ImportKind.OPERATORS, file)
    return Victim(
        who, view.operator.id, view.history[0].id, view.card.number, seal.number, preview.id
    )


def doors(victim: Victim) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Method, address and form of what belongs to the victim."""
    own = f"/enterprise/operators/{victim.operator}"
    yield "GET", own, {}
    yield "POST", f"{own}/rights", {"rights": "declare-export"}
    yield "POST", f"{own}/grants", {"right": "declare-export"}
    yield "POST", f"{own}/grants/{victim.grant}/withdrawal", {}
    yield "POST", f"{own}/activation-code", {}
    yield "POST", "/enterprise/activation-codes", {"operator": victim.operator}
    yield "GET", f"/cards/{victim.card}", {}
    yield "POST", f"/cards/{victim.card}/activation-code", {}
    yield "POST", f"/seals/{victim.seal}", {"decision": "revoke", "reason": "unspecified"}
    yield "GET", f"/enterprise/history?operator={victim.operator}", {}
    yield "POST", "/enterprise/history/export", {"operator": victim.operator, "format": "csv"}
    yield "GET", f"/imports/preview/{victim.preview}", {}
    yield "POST", f"/imports/preview/{victim.preview}/confirmation", {}


def knock(browser: Browser, method: str, address: str, form: dict[str, str]) -> int:
    if method == "GET":
        return browser.get(address).status_code
    return browser.send("/apply", dict(form), address).status_code


def test_another_enterprise_opens_none_of_the_doors(
    browser: Browser, portal: PortalWorld, seat: Seat, victim: Victim
) -> None:
    seat.identity = portal.legal_person(2)
    opened = {
        f"{method} {address}": status
        for method, address, form in doors(victim)
        if (status := knock(browser, method, address, form)) not in (403, 404)
    }
    assert opened == {}
    seat.identity = victim.who
    assert knock(browser, "GET", f"/enterprise/operators/{victim.operator}", {}) == 200


def test_nobody_is_sent_to_sign_in_and_sees_nothing(
    browser: Browser, seat: Seat, victim: Victim
) -> None:
    seat.identity = None
    for method, address, form in doors(victim):
        assert knock(browser, method, address, form) == 302, address


def test_officers_pages_are_shut_to_enterprises_and_operators(
    browser: Browser, portal: PortalWorld, seat: Seat, app: Flask
) -> None:
    seat.identity = portal.legal_person(1)
    shut = ("/officer/", "/admin/")
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(shut) and "GET" in (rule.methods or set()):
            address = re.sub(r"<(int:)?[^>]+>", "1", rule.rule)
            assert browser.get(address).status_code in (403, 404), address


def test_a_branchs_officer_is_shut_out_over_http_too(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    head = portal.officer(Role.ADMINISTRATOR)
    ningbo = portal.services.branches.add(head, "2900", "宁波", "浙江")
    portal.services.branches.add(head, "2200", "上海", "上海")
    made = portal.services.registration.apply(samples.details(branch="2200"), samples.scan())
    seat.identity = portal.officer_at(ningbo, Role.REGISTRAR, Role.APPROVER)
    own = f"/officer/applications/{made.application.id}"
    assert browser.get(own).status_code == 403
    assert browser.get(f"{own}/papers/licence/1").status_code == 403
    for decision in ("register", "approve", "return", "refuse"):
        form: dict[str, object] = {"decision": decision, "reasons": "x"}
        assert browser.send("/apply", form, f"{own}/decision").status_code == 403
    assert browser.send("/apply", {"officer": ""}, f"{own}/assignment").status_code == 403
    assert made.application.details.name not in browser.text("/officer/applications?state=")


def test_no_form_is_taken_without_its_token(client: FlaskClient, app: Flask) -> None:
    """CSRF: every route of a page that changes something."""
    seen = 0
    for rule in app.url_map.iter_rules():
        if "POST" in (rule.methods or set()) and not rule.rule.startswith("/api/"):
            address = re.sub(r"<(int:)?[^>]+>", "1", rule.rule)
            for data in ({}, {"csrf_token": "forged"}):
                assert client.post(address, data=data, headers=HTML).status_code == 400, address
            seen += 1
    assert seen > 15


def test_the_json_interface_refuses_what_a_foreign_form_can_send(
    client: FlaskClient, app: Flask, seat: Seat, portal: PortalWorld
) -> None:
    seat.identity = portal.legal_person(1)
    for rule in app.url_map.iter_rules():
        methods = (rule.methods or set()) & {"POST", "PUT"}
        if rule.rule.startswith("/api/") and methods:
            address = re.sub(r"<(int:)?[^>]+>", "1", rule.rule)
            for media_type in ("text/plain", "application/x-www-form-urlencoded"):
                answer = client.open(
                    address, method=methods.pop() if len(methods) == 1 else "POST",
                    data='{"a":1}', content_type=media_type,
                )  # fmt: skip
                assert 400 <= answer.status_code < 500, address


def test_hostile_names_are_text_everywhere(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    """XSS: what somebody typed is shown to officers and to others of the enterprise."""
    browser.send("/apply", {"name": HOSTILE, "region": HOSTILE}, "/apply/draft")
    pages = [browser.text("/apply")]
    details = samples.details(name=HOSTILE, legal_representative=HOSTILE, region=HOSTILE)
    browser.send("/apply", details, upload=samples.scan())
    pages.append(browser.text("/application"))
    seat.identity = officer = portal.officer(Role.REGISTRAR, Role.APPROVER, name="<b>官</b>")
    (made,) = portal.services.queue.page(officer, Asked()).applications
    pages += [
        browser.text(f"/officer/applications?q={HOSTILE}"),
        browser.text(f"/officer/applications/{made.id}"),
    ]
    portal.services.registration.send_back(officer, made.id, HOSTILE)
    seat.identity = None
    pages += [browser.text("/application"), browser.text("/application/correction")]
    who = portal.legal_person(5)
    portal.operator(who, name=HOSTILE)
    seat.identity = who
    pages += [browser.text("/enterprise"), browser.text("/enterprise/history")]
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<b>官" not in page


@pytest.mark.parametrize(
    "sought", ["' OR '1'='1", '"; DROP TABLE applications;--', "%", "_", "\\", "\x00", "𝕏" * 80]
)
def test_what_is_searched_for_is_no_query(
    browser: Browser, any_portal: PortalWorld, seat: Seat, sought: str
) -> None:
    """Injection; on the page with SQLite, in the use case with both databases."""
    any_portal.services.registration.apply(samples.details(), samples.scan())
    officer = any_portal.officer(Role.REGISTRAR)
    assert any_portal.services.queue.page(officer, Asked(text=sought)).applications == []
    seat.identity = officer
    answer = browser.client.get("/officer/applications", query_string={"q": sought}, headers=HTML)
    assert answer.status_code == 200


def test_pages_cannot_be_framed_sniffed_or_cached(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = portal.officer(Role.REGISTRAR, Role.APPROVER, Role.ADMINISTRATOR)
    for address in ("/", "/apply", "/officer/applications", "/admin/branches", "/nowhere"):
        headers = browser.get(address).headers
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe-inline" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "same-origin"


def test_no_page_holds_a_script_or_a_style_of_its_own(browser: Browser) -> None:
    for address in ("/", "/apply", "/status", "/apply/continue"):
        page = browser.text(address)
        assert re.search(r"<script(?![^>]*\ssrc=)", page) is None
        assert re.search(r"\son\w+=|\sstyle=", page) is None


def test_a_session_cookie_that_was_changed_opens_nothing(
    browser: Browser, portal: PortalWorld
) -> None:
    browser.send("/apply", samples.details(), upload=samples.scan())
    cookie = browser.client.get_cookie("session")
    assert cookie is not None
    assert cookie.http_only
    assert browser.get("/application").status_code == 200
    payload, _, rest = cookie.value.partition(".")
    browser.client.set_cookie("session", f"{payload}x.{rest}")
    assert browser.get("/application").headers["Location"] == "/status"


def test_fields_that_the_form_does_not_have_change_nothing(
    browser: Browser, portal: PortalWorld
) -> None:
    """Mass assignment."""
    smuggled = {
        "id": "0" * 32, "state": "approved", "enterprise_id": "0" * 32, "registered_by": "0" * 32,
        "branch_id": "0" * 32, "assigned_to": "0" * 32, "reference": "AP-2026-HACKED22",
        "card_number": "LP-2026-HACKED22", "roles": "administrator", "previous": "{}",
    }  # fmt: skip
    browser.send("/apply", {**samples.details(), **smuggled}, upload=samples.scan())
    officer = portal.officer(Role.REGISTRAR)
    (made,) = portal.services.queue.page(officer, Asked()).applications
    assert made.state is ApplicationState.APPLIED
    assert made.details.branch_id is None
    assert (made.enterprise_id, made.registered_by, made.assigned_to) == (None, None, None)
    assert made.reference != smuggled["reference"]
    assert made.id != smuggled["id"]


@pytest.mark.parametrize("path", ["//evil.example/admin/cards", "/\\evil.example", "/admin/cards"])
def test_the_way_to_sign_in_leads_back_to_this_house_alone(browser: Browser, path: str) -> None:
    """Open redirects."""
    answer = browser.get(path)
    if answer.status_code in (301, 302, 308):
        assert re.match(r"^/(?![/\\])", answer.headers["Location"])
        assert "next=//" not in answer.headers["Location"]
        assert "next=%2F%2F" not in answer.headers["Location"]


def no_more() -> None:
    raise TooMany("request.too-many", "too many requests; try again later", retry_after=1)


def limited_app(portal: PortalWorld, seat: Seat, limits: AddressLimits) -> FlaskClient:
    app = Flask("limited", template_folder=str(TEMPLATES), static_folder=str(STATIC))
    app.config.update(SECRET_KEY="only for this test, not a secret of anything")
    CSRFProtect(app)
    problems.install(app)
    install_layout(app, seat, ORIGIN)
    app.register_blueprint(portal_blueprint(portal.services, seat, limits))
    return app.test_client()


def test_who_saves_too_often_is_told_to_wait(portal: PortalWorld, seat: Seat) -> None:
    client = limited_app(portal, seat, AddressLimits(saving=no_more))
    limited = Browser(client)
    assert limited.send("/apply", {"name": "x"}, "/apply/draft").status_code == 429
    assert limited.send("/apply", samples.details(), upload=samples.scan()).status_code == 429
    assert limited.send("/apply/continue", {"code": "x"}).status_code == 429
    assert limited.send("/status", {"reference": "x", "access_code": "x"}).status_code == 429
    assert limited.send("/lost", {"code": "x"}, "/lost/code").status_code == 429
    halves = "/status/access-code/codes"
    assert limited.send("/status", {"sms": "1", "mail": "2"}, halves).status_code == 429
    reference = "/api/v1/applications/AP-2026-22222222"
    for answer in (
        client.post("/api/v1/applications", data={"name": "x"}),
        client.get(reference),
        client.put(reference, data={"name": "x"}),
        client.post(f"{reference}/activation-code", json={}),
        client.post(f"/api/v1/card-codes/{'0' * 32}", json={"code": "12345678"}),
        client.post(f"/api/v1/access-codes/{'0' * 32}", json={"sms": "1", "mail": "2"}),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (429, "request.too-many")


def test_scans_are_counted_by_themselves(portal: PortalWorld, seat: Seat) -> None:
    client = limited_app(portal, seat, AddressLimits(uploading=no_more))
    limited = Browser(client)
    scan: dict[str, object] = {"licence": (io.BytesIO(samples.png()), "licence.png")}
    assert limited.send("/apply", {"name": "x"}, "/apply/draft").status_code == 302
    assert limited.send("/apply", scan, "/apply/draft").status_code == 429
    assert limited.send("/apply", samples.details(), upload=samples.scan()).status_code == 429
    scan = {"licence": (io.BytesIO(samples.png()), "licence.png")}
    answer = client.post(
        "/api/v1/applications", data={**samples.details(), **scan}, headers={CSRF_HEADER: "1"}
    )
    assert (answer.status_code, answer.get_json()["code"]) == (429, "request.too-many")


def test_a_stranger_cannot_send_messages_to_every_card_or_fill_the_officers_queue(
    portal: PortalWorld, seat: Seat
) -> None:
    client = limited_app(portal, seat, AddressLimits(asking=no_more))
    card: dict[str, object] = {"purpose": "loss", "channel": "sms", "card": "OP-2026-22222222"}
    uscc, why = samples.details()["uscc"], "the PIN is blocked"
    application: dict[str, object] = {"reference": "AP-2026-22222222", "contact": "a@b.example"}
    limited = Browser(client)
    for answer in (
        limited.send("/lost", card),
        limited.send("/recover", {"uscc": uscc, "why": why}),
        limited.send("/status/access-code", application),
    ):
        assert (answer.status_code, "request.too-many" in answer.text) == (429, True)
    for answer in (
        client.post("/api/v1/card-codes", json=card),
        client.post("/api/v1/access-codes", json=application),
        client.post("/api/v1/recoveries", json={"uscc": uscc, "reason": why}),
    ):
        assert (answer.status_code, answer.get_json()["code"]) == (429, "request.too-many")
        assert answer.headers["Retry-After"] == "1"


def test_an_upload_of_another_kind_is_refused_whatever_it_says_it_is(browser: Browser) -> None:
    for content, name in (
        (b"MZ" + bytes(9000), "licence.png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>" + bytes(9000), "a.svg"),
        (samples.png(), "licence.php"),
        (samples.png() + b"<?php system($_GET[0]); ?>", "licence.png"),
        (b"GIF89a" + bytes(9000), "licence.gif"),
    ):
        sent = browser.send("/apply", samples.details(), upload=Upload(content, name))
        assert sent.status_code == 422, name
