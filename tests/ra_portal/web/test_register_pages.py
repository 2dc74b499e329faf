"""Pages of imports, history, grants, codes and branches: what people see, send and take away."""

import io
import json

import pytest
from openpyxl import load_workbook
from werkzeug.test import TestResponse

from ra_portal.days import ZONE
from ra_portal.people import people_rows
from ra_portal.people.identity import Role
from ra_portal.spreadsheets.reading import MOST_ROWS
from records.events import Event
from tests.ra_portal import samples
from tests.ra_portal.token_calls import token_calls
from tests.ra_portal.web.browser import Browser, between
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import ORIGIN, PortalWorld

LARGEST_PAGE = 300_000
"""Octets."""


def bring(browser: Browser, page: str, content: str, name: str = "import.csv") -> TestResponse:
    token = between(r'name="csrf_token" value="([^"]+)"', browser.text(page))
    data = {"csrf_token": token, "file": (io.BytesIO(content.encode()), name)}
    return browser.client.post(page, data=data, headers=browser.headers)


def test_a_file_of_operators_is_shown_row_by_row_and_taken_over(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = portal.legal_person()
    sent = bring(
        browser,
        "/imports/operators",
        f"姓名,工号,证件号码\n甲,E-1,{samples.identity_number()}\n乙,=1+1,\n<b>丙</b>,E-3,\n",
    )
    preview = sent.headers["Location"]
    page = browser.text(preview)
    assert "2 rows are in order" in page
    assert 'class="bad"' in page
    assert "an employee number is up to 32 letters" in page
    assert "&lt;b&gt;丙&lt;/b&gt;" in page
    assert samples.identity_number() not in page
    assert "甲" not in browser.text("/enterprise")
    done = browser.send(preview, {}, f"{preview}/confirmation")
    assert done.headers["Location"] == "/enterprise"
    enterprise = browser.text("/enterprise")
    assert "2 rows are taken over" in enterprise
    assert "甲" in enterprise
    ids = [part.partition('"')[0] for part in enterprise.split('name="operator" value="')[1:]]
    slips = browser.send("/enterprise", {"operator": ids}, "/enterprise/activation-codes").text
    assert slips.count("<dt>Activation code</dt>") == 2


def test_the_template_has_the_columns_that_are_read(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = portal.officer(Role.REGISTRAR)
    answer = browser.get("/imports/enterprises/template.xlsx")
    headings = [cell.value for cell in load_workbook(io.BytesIO(answer.data)).active[1]]
    assert headings[:2] == ["企业名称*", "统一社会信用代码*"]
    assert "attachment" in answer.headers["Content-Disposition"]
    assert browser.get("/imports/enterprises/template.exe").status_code == 404
    refused = bring(browser, "/imports/enterprises", "nonsense\nx\n")
    assert refused.status_code == 422
    assert "the first row must name the columns" in refused.text


def test_a_confirmation_opens_what_was_read_once(
    browser: Browser, portal: PortalWorld, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat.identity = portal.legal_person()
    preview = bring(browser, "/imports/operators", "姓名,工号\n甲,E-1\n").location
    token = between(r'name="csrf_token" value="([^"]+)"', browser.text(preview))
    with token_calls(monkeypatch) as calls:
        path, data = f"{preview}/confirmation", {"csrf_token": token}
        done = browser.client.post(path, data=data, headers=browser.headers)
    assert done.location == "/enterprise"
    assert calls.count("decrypt") == 1


@pytest.mark.long
def test_ten_thousand_operators_come_from_one_file_and_no_page_grows_with_them(
    browser: Browser, portal: PortalWorld, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat.identity = portal.legal_person()
    rows = [f"欧阳{number:05},E-{number:05},," for number in range(MOST_ROWS)]
    rows[9_000] = "欧阳错,E-09000,123,骑马"
    address = bring(browser, "/imports/operators", "\n".join(["姓名,工号,证件号码,权限", *rows]))
    preview = browser.text(address.location)
    assert len(preview.encode()) < LARGEST_PAGE
    assert "Next" in preview
    assert "骑马" not in preview, "on a page far behind"
    bad = browser.text(f"{address.location}?rows=bad")
    assert bad.count("<tr>") == 2
    assert 'class="bad"' in bad
    assert browser.text(f"{address.location}?page=100").count("<tr>") == 101
    faults = browser.get(f"{address.location}/faults.csv").data.decode("utf-8-sig")
    assert [line.split(",")[:2] for line in faults.splitlines()[1:]] == [
        ['"9002"', '"证件号码"'], ['"9002"', '"权限"'],
    ]  # fmt: skip
    assert "123" not in faults
    confirmation = f"{address.location}/confirmation"
    assert browser.send(address.location, {}, confirmation).status_code == 302
    for path in ("/enterprise", "/enterprise?after=E-05000", "/enterprise?q=欧阳"):
        page = browser.text(path)
        assert len(page.encode()) < LARGEST_PAGE
        assert page.count("<tr>") == 51
    assert "欧阳09999" in browser.text("/enterprise?q=E-09999")
    assert "No operator is found" in browser.text("/enterprise?q=%25")
    first = browser.get("/api/v1/operators").json
    assert first is not None
    assert (len(first["operators"]), first["later"]) == (50, "E-00049")
    last = browser.get("/api/v1/operators?after=E-09990").json
    assert last is not None
    assert [each["employee_number"] for each in last["operators"]][-1] == "E-09999"
    assert last["later"] is None
    monkeypatch.setattr(people_rows, "operators_by", pytest.fail)
    assert "Change of data" in browser.text("/enterprise/data"), "and it reads no operator"


def test_history_is_filtered_and_taken_away(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = who = portal.legal_person()
    view = portal.operator(who, name="=cmd|' /C calc'!A0").view
    assert view.card is not None
    authority = portal.authority
    with authority.database.transaction() as connection:
        authority.journal.append(
            connection, Event.SIGNATURE_ACCEPTED, subject="s", actor=view.card.number,
            kind="import-declaration", format="cades",
        )  # fmt: skip
    page = browser.text(f"/enterprise/history?operator={view.operator.id}")
    assert "Import declaration" in page
    assert "Nothing in this period" in browser.text("/enterprise/history?first=2100-01-01")
    assert browser.get("/enterprise/history?first=tomorrow").status_code == 400
    form: dict[str, object] = {"format": "csv", "operator": view.operator.id}
    taken = browser.send("/enterprise/history", form, "/enterprise/history/export")
    assert taken.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = taken.data.decode("utf-8-sig")
    assert "\"'=cmd|" in text
    assert text.startswith('"Time (UTC+8)",')
    assert f"{authority.clock.now().astimezone(ZONE):%Y-%m-%d %H:%M}" in text
    form["format"] = "xlsx"
    taken = browser.send("/enterprise/history", form, "/enterprise/history/export")
    sheet = load_workbook(io.BytesIO(taken.data)).active
    assert all(cell.data_type == "s" for row in sheet for cell in row if cell.value)
    form |= {"format": "json", "what": "signatures"}
    taken = browser.send("/enterprise/history", form, "/enterprise/history/export")
    (deed,) = json.loads(taken.data)["deeds"]
    assert (deed["event"], len(deed["record_sha256"])) == ("signature.accepted", 64)
    form["what"] = "sign-ins"
    taken = browser.send("/enterprise/history", form, "/enterprise/history/export")
    assert json.loads(taken.data)["deeds"] == []
    form["format"] = "exe"
    assert browser.send("/apply", form, "/enterprise/history/export").status_code == 400


def test_a_right_is_granted_for_days_and_withdrawn(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = who = portal.legal_person()
    own = f"/enterprise/operators/{portal.operator(who).view.operator.id}"
    form: dict[str, object] = {
        "right": "declare-import", "first": "2099-01-01", "last": "2099-01-31",
    }  # fmt: skip
    assert browser.send(own, form, f"{own}/grants").status_code == 302
    page = browser.text(own)
    assert "to come" in page
    again = browser.send(own, form, f"{own}/grants")
    assert again.status_code == 409
    assert "granted for some of these days" in again.text
    withdrawal = between(r'action="([^"]+/withdrawal)"', page)
    assert browser.send(own, {}, withdrawal).status_code == 302
    assert "over</span>" in browser.text(own)


def test_a_branch_is_added_and_offered_to_applicants(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    form: dict[str, object] = {"branch": "2900", "name": "宁波制卡点", "region": "浙江 宁波"}
    assert browser.send("/admin/branches", form).status_code == 302
    assert browser.send("/admin/branches", form).status_code == 422
    assert browser.send("/admin/branches", {"branch": "?"}).status_code == 422
    assert "宁波制卡点" in browser.text("/admin/officers")
    seat.identity = None
    assert "宁波制卡点" in browser.text("/apply")


def test_officers_turn_over_the_register_and_open_an_enterprise(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    owner = portal.legal_person()
    added = portal.operator(owner, name="<i>张</i>")
    assert added.view.card is not None
    head = portal.officer(Role.ADMINISTRATOR)
    portal.services.branches.add(head, "2900", "宁波制卡点", "浙江 宁波")
    seat.identity = portal.officer(Role.REGISTRAR)
    listed = browser.text("/officer/enterprises")
    assert "东海样本" in listed
    assert "宁波制卡点" in listed  # as a filter
    address = f"/officer/enterprises/{owner.subject}"
    assert f'href="{address}"' in listed
    shown = browser.text(address)
    assert "&lt;i&gt;张&lt;/i&gt;" in shown
    assert f'href="/cards/{added.view.card.number}"' in shown
    for narrowed in ("state=closed", "branch=2900", "q=%E9%95%BF%E6%B1%9F"):
        assert "No enterprise matches." in browser.text(f"/officer/enterprises?{narrowed}")
    assert browser.get("/officer/enterprises?after=nonsense").status_code == 400
    assert browser.get("/officer/enterprises/none").status_code == 404
    seat.identity = owner
    assert browser.get(address).status_code == 403


def test_two_officers_make_the_cards_of_an_enterprise_together(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    owner = portal.legal_person()
    for number in range(2):
        portal.operator(owner, employee_number=f"E-{number}")
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    assert "No import has cards to be made" in browser.text("/admin/card-making")
    address = f"/admin/card-making/enterprise/{owner.subject}"
    assert f'href="{address}"' in browser.text(f"/officer/enterprises/{owner.subject}")
    page = browser.text(address)
    chosen = [part.partition('"')[0] for part in page.split('name="card" value="')[1:]]
    assert len(chosen) == 2
    proposed = browser.send(address, {"act": "propose", "card": chosen}, address)
    assert proposed.status_code == 302
    own = browser.text(address)
    assert "2 codes are proposed. Another officer fetches them now." in own
    assert 'name="card"' not in own
    alone = browser.send(address, {"act": "confirm", "card": chosen}, address)
    assert (alone.status_code, "another officer must confirm" in alone.text) == (403, True)
    seat.identity = portal.officer(Role.APPROVER)
    assert address in browser.text("/admin/card-making")
    slips = browser.send(address, {"act": "confirm", "card": chosen}, address).text
    assert slips.count("<dt>Activation code</dt>") == 2
    assert f"--url {ORIGIN}</code>" in slips
    again = browser.send(address, {"act": "confirm", "card": chosen}, address)
    assert again.status_code == 409
    assert "Nothing is left" not in browser.text(address)  # codes are out, the cards unmade
    assert browser.get("/admin/card-making/nonsense/1").status_code == 404


def test_commands_name_the_service_and_not_the_host_of_the_request(browser: Browser) -> None:
    headers = {**browser.headers, "Host": "evil.example"}
    page = browser.client.get("/recover/finish", headers=headers).text
    assert f"portseal card recover --token NAME --url {ORIGIN}<" in page
    assert "evil.example" not in page


def test_an_officer_sees_which_letters_a_name_of_another_script_has(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    """All Cyrillic: it reads as the Latin ACCO."""
    name = "\u0410\u0421\u0421\u041e"
    portal.services.registration.apply(samples.details(name=name), samples.scan())
    owner = portal.legal_person(2)
    portal.operator(owner, name=name)
    seat.identity = portal.officer(Role.REGISTRAR)
    review = between(
        r'href="(/officer/applications/[0-9a-f]{32})"', browser.text("/officer/applications")
    )
    for address in (review, f"/officer/enterprises/{owner.subject}"):
        shown = browser.text(address)
        assert "Letters of another script" in shown
        for letter in ("A U+0410 CYRILLIC CAPITAL LETTER A", "U+0421 CYRILLIC CAPITAL LETTER ES"):
            assert letter.removeprefix("A ") in shown
        assert shown.count("U+0421") == 1  # each letter once
