"""What a form led to has an address of its own: it may be loaded anew, and is nobody else's."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from kernel.refusals import Unavailable
from ra_portal.answers import LIFETIME, Answers
from tests.ra_portal.web.browser import Browser, between
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld

NEW = "/enterprise/operators/new"
TEMPLATES = Path(__file__).parents[3] / "ra_portal" / "web" / "templates"
CODE = r'id="activation-code">([^<]+)'


@pytest.fixture
def owner(portal: PortalWorld, seat: Seat) -> None:
    seat.identity = portal.legal_person()


def added(browser: Browser) -> str:
    """The address of the page with the activation code of a new operator."""
    page = browser.send(NEW, {"name": "张操作", "employee_number": "E-1", "rights": []})
    assert page.status_code == 200
    assert between(CODE, page.text)
    return page.request.path


@pytest.mark.usefixtures("owner")
def test_it_is_the_same_page_however_often_it_is_loaded(
    browser: Browser, portal: PortalWorld
) -> None:
    address = added(browser)
    assert browser.text(address) == browser.text(address)
    assert portal.column("operators", "employee_number") == ["E-1"]
    code = between(CODE, browser.text(address))
    assert code not in portal.everything_written()
    assert portal.services.enrolment._card_for(code).number in browser.text(address)


@pytest.mark.usefixtures("owner")
def test_another_browser_and_a_later_hour_see_nothing(
    browser: Browser, app: Flask, portal: PortalWorld
) -> None:
    address = added(browser)
    assert Browser(app.test_client()).get(address).status_code == 404
    portal.authority.clock.advance(LIFETIME)
    assert browser.get(address).status_code == 404


@pytest.mark.usefixtures("owner")
def test_who_has_signed_out_or_come_after_sees_nothing(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    address, before = added(browser), seat.identity
    assert before is not None
    seat.identity = None
    assert browser.get(address).location == f"/sso/sign-in?next={address}"
    seat.identity = replace(before, subject="somebody else")
    assert browser.get(address).status_code == 404
    seat.identity = before
    assert browser.get(address).status_code == 200


@pytest.mark.usefixtures("owner")
def test_the_last_few_are_kept(browser: Browser) -> None:
    addresses = [added(browser)]
    for number in range(2, 7):
        page = browser.send(NEW, {"name": "张", "employee_number": f"E-{number}", "rights": []})
        addresses.append(page.request.path)
    assert [browser.get(each).status_code for each in addresses] == [404, 404, 200, 200, 200, 200]


@pytest.mark.usefixtures("owner")
def test_what_cannot_be_kept_is_shown_once(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise Unavailable("database.unavailable", "gone")

    monkeypatch.setattr(Answers, "keep", fail)
    page = browser.send(NEW, {"name": "张操作", "employee_number": "E-1", "rights": []})
    assert page.status_code == 201
    assert between(CODE, page.text)


def forms() -> Iterator[tuple[str, str]]:
    """Every form that a template of the portal makes: its file and its start tag."""
    for template in TEMPLATES.rglob("*.html"):
        for tag in re.findall(r"<form\b(?:{{.*?}}|{%.*?%}|[^>])*>", template.read_text("utf-8")):
            yield template.name, tag


def test_a_form_leads_to_the_same_place_from_a_page_that_was_kept() -> None:
    """Without `action` it would be sent to the address of the answer that it stands on."""
    assert len(list(forms())) > 50
    assert [(name, tag) for name, tag in forms() if not re.search(r' action="[^"]', tag)] == []
    relative = r'(?:href|formaction)="(?!/|#|{{|{%|https?:|mailto:|tel:|data:)'
    for template in TEMPLATES.rglob("*.html"):
        assert re.findall(relative, template.read_text("utf-8")) == [], template.name
