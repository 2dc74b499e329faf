"""Where personal data never is in clear: the database file, logs, certificates, addresses.

Identity numbers, and the telephone numbers and mail addresses of applicants and of holders.
"""

import sqlite3
from pathlib import Path

import pytest

from portseal.demo.licence import licence_png
from tests.portseal.service import RunningService
from tests.ra_portal import samples

NUMBER = samples.identity_number(77)
OPERATORS = samples.identity_number(78)
APPLICANTS = {"phone": "+86 139 5508 7731", "email": "lingdao.7731@applicants.example"}
HOLDERS = {"phone": "+86 137 4402 6618", "email": "caozuo.6618@holders.example"}
SECRETS = {
    NUMBER,
    OPERATORS,
    *(form for each in (APPLICANTS, HOLDERS) for value in each.values()
      for form in (value, value.replace(" ", ""))),
}  # fmt: skip
"""As they were typed, and as numbers are kept."""


@pytest.fixture(scope="module")
def enrolled(service: RunningService) -> RunningService:
    """An enterprise whose legal representative's number was typed, returned, corrected, approved;
    its card is made, and it has added an operator with a number and left where both are reached."""
    applicant = service.anonymous()
    details = samples.details(7001, identity_number=NUMBER, **APPLICANTS)
    files = {"licence": ("licence.png", licence_png(), "image/png")}
    marked = {"X-PortSeal-Request": "1"}
    made = applicant.call("POST", "/api/v1/applications", data=details, files=files, headers=marked)
    path = f"/api/v1/applications/{made['id']}"
    registrar = service.signed_in("registrar")
    registrar.call("POST", f"{path}/return", {"remarks": {"region": "differs-from-licence"}})
    access = {"X-PortSeal-Access-Code": made["access_code"]}
    own = f"/api/v1/applications/{made['reference']}"
    corrected = samples.details(7001, region="浙江 舟山", **APPLICANTS)
    applicant.call("PUT", own, data=corrected, files=files, headers={**marked, **access})
    registrar.call("POST", f"{path}/registration", {})
    service.signed_in("approver").call("POST", f"{path}/approval", {})
    code = applicant.call("POST", f"{own}/activation-code", {}, headers=access)
    card = service.stage.usb_keys.make("personal-data")
    applicant.enrol(card, code["activation_code"])
    legal_person = service.anonymous()
    legal_person.sign_in(card)
    added = legal_person.call(
        "POST",
        "/api/v1/operators",
        {
            "name": "个人信息样本",
            "employee_number": "P-1",
            "identity_number": OPERATORS,
            "rights": ["declare-import"],
        },
    )
    legal_person.call("PUT", f"/api/v1/cards/{added['card']['number']}/contact", HOLDERS)
    return service


def test_no_file_of_the_service_holds_them(enrolled: RunningService) -> None:
    """The raw database with its write-ahead log, every log, and whatever else lies there."""
    looked_at = 0
    for path in Path(enrolled.site.directory).rglob("*"):
        if path.is_file() and "usb-keys" not in path.parts:
            content = path.read_bytes()
            looked_at += 1
            for secret in SECRETS:
                assert secret.encode() not in content, path
                assert secret.encode("utf-16-le") not in content, path
    assert looked_at > 5
    assert enrolled.database_file.stat().st_size > 0


def test_no_value_of_the_database_holds_them(enrolled: RunningService) -> None:
    """A value may be cut by a page of the file; read as rows it is whole."""
    with sqlite3.connect(f"file:{enrolled.database_file}?mode=ro", uri=True) as connection:
        for line in connection.iterdump():
            assert not [secret for secret in SECRETS if secret in line]
        sealed = connection.execute(
            "SELECT count(*) FROM enterprises WHERE identity_cipher IS NOT NULL"
        ).fetchone()
    assert sealed[0] >= 1


def test_no_certificate_holds_them(enrolled: RunningService) -> None:
    with sqlite3.connect(f"file:{enrolled.database_file}?mode=ro", uri=True) as connection:
        certificates = [
            bytes(row[0])
            for row in connection.execute(
                "SELECT certificate FROM cards WHERE certificate IS NOT NULL"
            )
        ]
    assert certificates
    for der in certificates:
        assert not [secret for secret in SECRETS if secret.encode() in der]


def test_people_see_the_number_masked_and_find_it_without_an_address(
    enrolled: RunningService,
) -> None:
    registrar = enrolled.signed_in("registrar")
    html = {"Accept": "text/html"}
    queue = "/officer/applications"
    page = registrar.fetch("GET", queue, headers=html).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = registrar.fetch(
        "POST",
        f"{queue}/by-identity",
        data={"csrf_token": token, "identity_number": NUMBER},
        headers=html,
    )
    assert NUMBER not in answer.headers["Location"]
    found = registrar.fetch("GET", answer.headers["Location"], headers=html).text
    assert "有限公司7001" in found
    assert NUMBER not in found
    address = found.partition(f'href="{queue}/')[2].partition('"')[0]
    review = registrar.fetch("GET", f"{queue}/{address}", headers=html).text
    assert NUMBER not in review
    assert f"{NUMBER[:6]}********{NUMBER[-4:]}" in review
