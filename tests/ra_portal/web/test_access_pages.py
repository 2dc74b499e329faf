"""An applicant who has lost the access code, in the browser and for programs."""

import pytest
from flask.testing import FlaskClient

from ra_portal.applications.registration import Submitted
from ra_portal.notices.channels import Channel
from tests.ra_portal import samples
from tests.ra_portal.web.browser import Browser, between
from tests.ra_portal.world import PortalWorld

PAGE, CODES = "/status/access-code", "/status/access-code/codes"
PHONE, MAIL = "+86 139 5508 7731", "office@sample.example"
CODE = r"(\d{4} \d{4} \d{4})"


@pytest.fixture
def made(portal: PortalWorld) -> Submitted:
    details = samples.details(1, phone=PHONE, email=MAIL)
    return portal.services.registration.apply(details, samples.scan())


def halves(portal: PortalWorld) -> dict[str, str]:
    return {
        "sms": between(CODE, portal.sent(Channel.SMS)[-1].text),
        "mail": between(CODE, portal.sent(Channel.MAIL)[-1].text),
    }


def test_a_lost_access_code_is_replaced_and_the_old_one_opens_nothing(
    browser: Browser, client: FlaskClient, portal: PortalWorld, made: Submitted
) -> None:
    reference = made.application.reference
    elsewhere = Browser(client.application.test_client())
    known: dict[str, object] = {"reference": reference, "access_code": made.access_code}
    assert elsewhere.send("/status", known).location == "/application"
    assert reference in elsewhere.text("/application")

    assert f'href="{PAGE}"' in browser.text("/status")
    named = {"reference": reference, "contact": PHONE}
    asked = browser.press(browser.get(PAGE), "Send both codes", named)
    assert asked.request.path == CODES
    codes = halves(portal)
    refused = browser.press(asked, "Make a new access code", {**codes, "mail": "1"})
    assert (refused.status_code, "code is wrong" in refused.text) == (401, True)
    shown = browser.press(refused, "Make a new access code", codes)
    assert shown.request.path.startswith("/answers/"), "it may be loaded anew"
    code = between(r'id="access-code">([^<]+)', shown.text)
    assert between(r'id="access-code">([^<]+)', browser.text(shown.request.path)) == code
    assert reference in browser.text("/application")

    assert elsewhere.get("/application").location == "/status", "nor does what it had opened"
    assert elsewhere.send("/status", known).status_code == 401
    assert elsewhere.send("/status", {**known, "access_code": code}).location == "/application"
    assert browser.get(CODES).location == PAGE


def test_the_answer_is_the_same_whether_there_is_an_application(
    browser: Browser, made: Submitted
) -> None:
    answers = []
    for reference in (made.application.reference, "AP-2026-22222222"):
        answer = browser.send(PAGE, {"reference": reference, "contact": MAIL})
        answers.append((answer.status_code, answer.location))
    assert answers == [(302, CODES)] * 2


def test_what_is_no_contact_is_said_beside_the_field(browser: Browser) -> None:
    wrong = browser.send(PAGE, {"reference": "", "contact": "Tower 3"})
    assert wrong.status_code == 422
    assert "neither a telephone number nor an e-mail address" in wrong.text
    assert "this field must be filled in" in wrong.text
    assert 'value="Tower 3"' in wrong.text


def test_a_program_does_the_same(client: FlaskClient, portal: PortalWorld, made: Submitted) -> None:
    reference = made.application.reference
    asked = client.post("/api/v1/access-codes", json={"reference": reference, "contact": MAIL})
    assert (asked.status_code, list(asked.get_json())) == (202, ["request"])
    address = f"/api/v1/access-codes/{asked.get_json()['request']}"
    refused = client.post(address, json={"sms": "1", "mail": "2"})
    assert (refused.status_code, refused.get_json()["code"]) == (401, "code.refused")
    new = client.post(address, json=halves(portal))
    assert (new.status_code, new.get_json()["reference"]) == (201, reference)
    header = {"X-PortSeal-Access-Code": new.get_json()["access_code"]}
    assert client.get(f"/api/v1/applications/{reference}", headers=header).status_code == 200
    wrong = client.post("/api/v1/access-codes", json={"reference": reference})
    assert (wrong.status_code, wrong.get_json()["code"]) == (422, "fields.invalid")
